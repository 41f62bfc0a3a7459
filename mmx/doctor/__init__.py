"""What `mmx doctor` looks at: the environment, the machine, its disks and the project."""

from mmx.doctor.examine import examine
from mmx.doctor.finding import Finding

__all__ = ["Finding", "examine"]
