"""Errors that a user can act on end in one plain sentence; others keep their trace."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mmx.audit.history import HistoryError
from mmx.audit.recompute import RecomputeError
from mmx.audit.trace import TraceError
from mmx.collection import SplitLostError
from mmx.evaluation.faults import PredictError, VariantError
from mmx.experts.base import ExpertError
from mmx.experts.pins import WeightsError
from mmx.features.publish import PublishError
from mmx.items.machine import machine_fault
from mmx.items.receipt import ReceiptError
from mmx.items.run import StepFailedError
from mmx.items.store import StoreBusyError, StoreError
from mmx.media.faults import MediaFault
from mmx.params import ParamsError
from mmx.sample.generate import SampleError
from mmx.steps import UnknownStepError
from mmx.tools import ToolsError
from mmx.trailers import IngestError, PathFault, TableError
from mmx.training.faults import CollectionError
from mmx.upkeep import AdoptError

EXPECTED: tuple[type[Exception], ...] = (
    AdoptError,
    CollectionError,
    ExpertError,
    HistoryError,
    IngestError,
    MediaFault,
    ParamsError,
    PathFault,
    PredictError,
    PublishError,
    ReceiptError,
    RecomputeError,
    SampleError,
    SplitLostError,
    StepFailedError,
    StoreBusyError,
    StoreError,
    TableError,
    TraceError,
    ToolsError,
    UnknownStepError,
    VariantError,
    WeightsError,
)
"""What is the input's or the user's to mend, not a bug of mmx."""

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
    except EXPECTED as error:
        end(str(error))
    except FileNotFoundError as error:
        for path, command in MADE_BY.items():
            if f"/{path}" in str(error):
                end(f"{path} is not there yet: `{command}` makes it")
        raise
    except OSError as error:
        reason = machine_fault(error)
        if not reason:
            raise
        end(f"{reason}; what was finished is kept, and the same command goes on from there")


def end(reason: str) -> NoReturn:
    """End the program with a sentence for its user."""
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(1)
