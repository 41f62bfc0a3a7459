"""evaluate: metrics, tables, plots and the page -> reports/, data/trailer_embeddings.parquet."""

from mmx.errors import report_errors
from mmx.learning import evaluate
from mmx.overview import project_status
from mmx.project import open_project
from mmx.report.page import render

if __name__ == "__main__":
    with report_errors():
        project = open_project()
        evaluate(project)
        render(project.layout, project.params, faults=project_status(project).faults)
