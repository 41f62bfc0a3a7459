"""Functions of steps that replace a file while they run, as a user might."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import simulated_items

REPLACED = "MMX_TEST_REPLACED"
"""Environment variable: the file that is replaced."""


def exchange() -> None:
    """Replace the file by one with other bytes."""
    replaced = Path(os.environ[REPLACED])
    other = replaced.with_name("other")
    other.write_bytes(replaced.read_bytes()[::-1] + b"other")
    os.replace(other, replaced)


def scenes(**arguments: Any) -> dict[str, Any]:
    """Draw clips, then exchange."""
    facts = simulated_items.scenes_item(**arguments)
    exchange()
    return facts


def audio(**arguments: Any) -> dict[str, Any]:
    """Draw sound, then exchange."""
    facts = simulated_items.audio_item(**arguments)
    exchange()
    return facts


def flow(**arguments: Any) -> dict[str, Any]:
    """Draw flow, then exchange."""
    facts = simulated_items.flow_item(**arguments)
    exchange()
    return facts


def embed(jobs: Iterable[simulated_items.Job]) -> Iterator[dict[str, Any]]:
    """Draw vectors, exchange after each."""
    for facts in simulated_items.embed_items(jobs):
        exchange()
        yield facts


def learn(*, out: Path, **_: Any) -> dict[str, Any]:
    """Leave something, then exchange."""
    (out / "model.safetensors").write_bytes(b"weights")
    exchange()
    return {}
