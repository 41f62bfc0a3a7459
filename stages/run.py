"""Run the step that dvc.yaml names: `python -m stages.run flow`, `... embed@senet154`."""

import sys


def main(name: str) -> None:
    """Bring a step's outputs up to date, or exit with the reason and its exit code."""
    # Imported here: worker processes import this module, and need none of this.
    from mmx.encoding import use_utf8
    from mmx.engine.pools.ending import end_with_dvc
    from mmx.errors import report_errors
    from mmx.pipeline.registry import run_step
    from mmx.project import open_project
    from mmx.steps.embed import require_weights_present

    use_utf8()
    with report_errors():
        end_with_dvc()
        project = open_project()
        require_weights_present(project)
        run_step(name, project)


if __name__ == "__main__":
    main(sys.argv[1])
