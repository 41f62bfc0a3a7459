"""What a node computes with, for the head to compare with its own."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import mmx
from mmx.engine.pools.cluster import Admission
from mmx.engine.processor import processor_kind
from mmx.pipeline.step import ItemStep
from mmx.tools import ToolsError, tool_versions

_DESCRIBE = "mmx.pipeline.admission:describe"


def admission_to(step: ItemStep) -> Admission:
    """Return what a node must compute a step with: that which this process would use."""
    tools = sorted(set(step.tools))
    return Admission(_DESCRIBE, {"tools": tools}, describe(tools))


def describe(tools: Sequence[str]) -> dict[str, str]:
    """Return the code, the tools' versions and the kind of processor of this process, by name.

    Weights are no part of it: they travel by digest, as all inputs do.
    """
    found = {"the code of mmx": _code(), "the processor": processor_kind()}
    for tool in tools:
        try:
            found |= tool_versions([tool])
        except ToolsError:
            found[tool] = "missing"
    return found


def _code() -> str:
    """Return the first digits of a digest of all files of the code, bookkeeping too."""
    top = Path(mmx.__file__).parent
    digest = sha256()
    for path in sorted(top.rglob("*.py")):
        digest.update(path.relative_to(top).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
