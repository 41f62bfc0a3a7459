"""train: the coarse genre model -> models/coarse/."""

from mmx.errors import report_errors
from mmx.learning import train
from mmx.project import open_project

if __name__ == "__main__":
    with report_errors():
        train(open_project())
