"""What one look at the environment or the machine gives."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What: `versions`, `processor`, ..."""
    state: Literal["ok", "note", "wrong"]
    """`wrong`: a run fails, or its results are not what they should be; `note`: it costs time,
    space or something that is not needed yet."""
    found: str
    """What is there, in a sentence without a full stop."""
    remedy: str = ""
    """What to do about it; empty where it is ok."""
