"""What all stages of items share: open the project, run the step, or say what is wrong."""


def run_stage(step: str) -> None:
    """Bring a step's output directory up to date, or exit with 1 and the reason."""
    # Imported here: a worker process imports the module that started it, and needs none of this.
    from mmx.errors import report_errors
    from mmx.pipeline import require_weights_present, run_step
    from mmx.project import open_project

    with report_errors():
        project = open_project()
        require_weights_present(project)
        run_step(step, project)
