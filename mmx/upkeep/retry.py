"""`mmx retry`: have recorded faults tried again."""

import shutil

from mmx.engine.atomic import write_atomic
from mmx.outputs import read_receipts
from mmx.pipeline.registry import find_trailer_step, trailer_steps
from mmx.project import Project


def retry(project: Project, name: str | None = None) -> int:
    """Mark recorded faults of a step, or of all, so that the next run tries them again.

    Return how many. Raise UnknownStepError for an unknown step. The output directory is
    removed, so that DVC runs the stage.
    """
    params = project.params
    steps = [find_trailer_step(name, params)] if name else trailer_steps(params)
    marked = 0
    with project.store.locked("retry"):
        for step in steps:
            out = step.output.path(project.layout.root)
            faulty = [made for made in read_receipts(out).values() if made.fault]
            for receipt in faulty:
                write_atomic(project.store.retry_mark(receipt.fingerprint), b"")
            if faulty:
                shutil.rmtree(out)
            marked += len(faulty)
    return marked
