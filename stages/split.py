"""split: train, validation, test; who has a place keeps it -> data/splits.parquet."""

from mmx.collection import split_collection
from mmx.errors import report_errors
from mmx.project import open_project

if __name__ == "__main__":
    with report_errors():
        split_collection(open_project())
