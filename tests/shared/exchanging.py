"""Functions of steps that exchange a file for another while they work, as somebody might."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import simulated_items

VICTIM = "MMX_TEST_VICTIM"
"""Environment variable: the file that is exchanged."""


def exchange() -> None:
    """Put other bytes under the name of the victim."""
    victim = Path(os.environ[VICTIM])
    other = victim.with_name("other")
    other.write_bytes(victim.read_bytes()[::-1] + b"other")
    os.replace(other, victim)


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
