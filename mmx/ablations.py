"""`mmx ablate`: the rows of tables 2 and 5, each trained with several seeds; off the default path.

Not stages of dvc.yaml, in which they would be stale for everybody who does not run them. Their
results are small, and kept in git with their receipts.
"""

import subprocess
import sys
from collections.abc import Sequence

from mmx.outputs import Files, content_files, read_receipts
from mmx.pipeline.run import run_items
from mmx.pipeline.step import CollectionStep
from mmx.project import Project
from mmx.steps.ablate import ablate_step


def ablate(project: Project, variants: Sequence[str] = ()) -> list[str]:
    """Train and evaluate variants, those of params.yaml if none are named; return their names.

    What is there already and still holds is kept. Ends with the report that shows them. Raise
    VariantError for a name that is no variant's.
    """
    names = list(variants or project.params.ablate.variants)
    for name in names:
        step = ablate_step(name)
        store_existing_results(step, project)
        run_items(step, project)
    # DVC itself runs the stage, so that its lock stays true and `dvc repro` has nothing to do.
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "evaluate"]
    subprocess.run(command, cwd=project.layout.root, check=True)
    return names


def store_existing_results(step: CollectionStep, project: Project) -> None:
    """Give the item store what the work tree has of a step: a clone has it from git alone."""
    out = step.output.path(project.layout.root)
    files = Files(content_files(out))
    for item, receipt in read_receipts(out).items():
        if step.output.take(item, receipt, files, project.store):
            project.store.commit(receipt)
