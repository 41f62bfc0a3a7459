"""`mmx ablate`: train the rows of tables 2 and 5 with several seeds; not part of `dvc repro`.

As stages of dvc.yaml they would be out of date in every project that does not run them. Their
results are small and are kept in git with their receipts.
"""

import subprocess
import sys
from collections.abc import Sequence

from mmx.errors import StepFailedError, did_you_mean
from mmx.outputs import Files, content_files, read_receipts
from mmx.pipeline.run import run_side_by_side
from mmx.pipeline.step import CollectionStep
from mmx.project import Project
from mmx.steps.ablate import ablate_step
from mmx.tools import check_tools


def ablate(project: Project, variants: Sequence[str] = ()) -> list[str]:
    """Train and evaluate variants, by default those of params.yaml; return their names.

    They are trained side by side, by `run.workers` processes or on the cluster. Results that are
    still valid are kept. The report is then drawn again with all of them. Raise StepFailedError
    for a variant that cannot be trained, after the others.
    """
    names = list(variants or project.params.ablate.variants)
    _require_known(names)
    steps = list(map(ablate_step, dict.fromkeys(names)))
    if steps:
        _train(steps, project)
    # DVC itself runs the stage, so that dvc.lock matches and `dvc repro` has nothing to do.
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "evaluate"]
    if subprocess.run(command, cwd=project.layout.root).returncode:
        raise StepFailedError(
            "the ablations are done and kept, but `dvc repro evaluate` failed: its reason is above"
        )
    return names


def _require_known(names: Sequence[str]) -> None:
    """Raise VariantError for a name that is none, before anything is computed."""
    # Imported here: it loads PyTorch.
    from mmx.evaluation.ablations import VARIANTS, VariantError

    for name in names:
        if name not in VARIANTS:
            near = did_you_mean(name, VARIANTS) or f"; there are {', '.join(VARIANTS)}"
            raise VariantError(f"there is no variant {name!r}{near}")


def _train(steps: Sequence[CollectionStep], project: Project) -> None:
    """Complete the items of variants; an earlier result in the work tree counts."""
    for step in steps:
        _store_existing_results(step, project)
    check_tools(project.layout.tools, steps[0].tools)
    with project.store.locked("ablate"):
        run_side_by_side("ablate", steps, project)


def _store_existing_results(step: CollectionStep, project: Project) -> None:
    """Add a step's results in the work tree to the item store: a fresh clone has them from git."""
    out = step.output.path(project.layout.root)
    files = Files(content_files(out))
    for item, receipt in read_receipts(out).items():
        if step.output.take(item, receipt, files, project.store):
            project.store.commit(receipt)
