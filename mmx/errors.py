"""Errors that a user can act on end in one plain sentence; others keep their trace."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mmx.engine.machine import machine_fault

EXPECTED = (
    "mmx.dvc_state.history:HistoryError",
    "mmx.audit.recompute:RecomputeError",
    "mmx.audit.trace:TraceError",
    "mmx.collection:SplitLostError",
    "mmx.evaluation.faults:PredictError",
    "mmx.evaluation.faults:VariantError",
    "mmx.experts.base:ExpertError",
    "mmx.experts.pins:WeightsError",
    "mmx.features.publish:PublishError",
    "mmx.engine.files:InputChangedError",
    "mmx.engine.receipt:ReceiptError",
    "mmx.engine.run:StepFailedError",
    "mmx.engine.store:StoreBusyError",
    "mmx.engine.store:StoreError",
    "mmx.media.faults:MediaFault",
    "mmx.params:ParamsError",
    "mmx.sample.generate:SampleError",
    "mmx.steps:UnknownStepError",
    "mmx.tools:ToolsError",
    "mmx.trailers.csvfile:TableError",
    "mmx.trailers.intake:IngestError",
    "mmx.trailers.paths:PathFault",
    "mmx.training.faults:CollectionError",
    "mmx.upkeep:AdoptError",
)
"""Classes of what is the input's or the user's to mend, not a bug of mmx; by name, so that a stage
does not load every room for the sake of their errors."""

MADE_BY = {
    "data/trailers.csv": "mmx init",
    "data/sources.parquet": "dvc repro ingest",
    "data/trailers.parquet": "dvc repro ingest",
    "data/clips": "dvc repro scenes",
    "data/features": "dvc repro features",
    "data/splits.parquet": "dvc repro split",
    "data/trailer_embeddings.parquet": "dvc repro",
    "models/coarse": "dvc repro train",
    "models/fine": "dvc repro finetune",
    "reports/evaluation": "dvc repro",
}
"""What a command may ask for too early, and what makes it."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print an expected error as `error: ...` on stderr and exit with 1; let others through."""
    try:
        yield
    except Exception as error:
        reason = plain_reason(error)
        if not reason:
            raise
        end(reason)


def plain_reason(error: Exception) -> str:
    """Return in a sentence what is wrong and what to do; nothing for a bug."""
    kinds = {f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__}
    if not kinds.isdisjoint(EXPECTED):
        return str(error)
    if isinstance(error, FileNotFoundError):
        asked = (path for path in MADE_BY if f"/{path}" in str(error))
        return next((f"{path} is not there yet: `{MADE_BY[path]}` makes it" for path in asked), "")
    broken = machine_fault(error)
    going_on = "what was finished is kept, and the same command goes on from there"
    return f"{broken}; {going_on}" if broken else ""


def end(reason: str) -> NoReturn:
    """End the program with a sentence for its user."""
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(1)
