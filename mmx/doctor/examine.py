"""All that `mmx doctor` looks at, in the order in which it tells it."""

from collections.abc import Callable, Iterator

from mmx.doctor.disks import disks
from mmx.doctor.environment import environment
from mmx.doctor.finding import Finding
from mmx.doctor.machine import machine
from mmx.doctor.material import material
from mmx.project import Project

PARTS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    environment,
    machine,
    disks,
    material,
)


def examine(project: Project) -> list[Finding]:
    """Return what was found; nothing is changed, and nothing is computed but a look at links."""
    return [finding for part in PARTS for finding in part(project)]
