"""What can become of an attempt to fetch a video."""

from enum import StrEnum

from mmx.errors import UserError


class Outcome(StrEnum):
    """The class of an attempt's end."""

    begun = "begun"
    """No end: the line is written before the first request. If none follows, it was cut off."""
    fetched = "fetched"
    there = "there"
    """Found by a recheck, which fetches nothing."""
    gone = "gone"
    private = "private"
    region = "region"
    """Not shown in the country of this machine."""
    age = "age"
    """Shown to adults who have signed in."""
    blocked = "blocked"
    """Refused to this machine or without signing in."""
    limited = "limited"
    """The host asks for fewer requests."""
    network = "network"
    """Not reached, or the connection ended early."""
    broken = "broken"
    """What came is no video, or not what the host announced."""
    refused = "refused"
    """Its bytes are those of a trailer that was taken out of the collection."""


DEAD = frozenset((Outcome.gone, Outcome.private, Outcome.region, Outcome.age, Outcome.refused))
"""Not tried again before a recheck has found the video there."""
AGAIN = frozenset((Outcome.limited, Outcome.network))
"""Tried again in the same run."""


class FetchError(UserError):
    """One video was not fetched."""

    def __init__(self, outcome: Outcome, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.wait_s = wait_s
        """Seconds that the host asks to wait."""


class StoppedError(UserError):
    """The run ends before the video is there; what has come of it is kept."""
