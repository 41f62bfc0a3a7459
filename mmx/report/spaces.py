"""The table of the spaces in which trailers are compared: silhouettes, neighbours, similarities."""

from collections.abc import Iterator

from mmx.evaluation.scores import Json
from mmx.report.evidence import SPACES, Evidence, Line, Shown, show_uncertain

GROUPS = {"primary_genre": "primary genre", "genre_set": "genre set"}
AGREEMENT = {
    "any_label": "shares a label",
    "primary_genre": "has the same primary genre",
    "genre_set": "has the same genre set",
}
SIMILARITY = {
    "untrained": "untrained",
    "whitened": "whitened",
    "coarse": "before",
    "fine": "after",
}
"""The key of each space's similarity within a genre set in metrics.json."""


def show_spaces(evidence: Evidence) -> Shown:
    """Every space over all trailers and, for neighbours, over the held-out ones alone."""
    spaces = {name: evidence.metrics["spaces"][name] for name in SPACES}
    lines = [
        Line((f"Silhouette by {name}", *(s["all"]["silhouette"][key] for s in spaces.values()), ""))
        for key, name in GROUPS.items()
    ]
    lines += _neighbours(spaces, "all", "A neighbour")
    lines += _neighbours(spaces, "test", "Among held-out trailers, a neighbour")
    lines += _similarities(evidence.metrics["similarity"])
    return Shown(("", *SPACES.values(), "Chance"), tuple(lines))


def _neighbours(spaces: dict[str, Json], part: str, subject: str) -> Iterator[Line]:
    """How often neighbours agree, with intervals by film."""
    for key, words in AGREEMENT.items():
        found = [space[part]["agreement"][key] or {} for space in spaces.values()]
        cells = (
            show_uncertain(one.get("observed"), None, *(one.get("interval") or (None, None)))
            for one in found
        )
        yield Line((f"{subject} {words}", *cells, found[0].get("chance")))


def _similarities(similar: Json) -> Iterator[Line]:
    """Section 4.4's mean cosine similarities."""
    for start, words in (("", "within a genre set"), ("everyone_", "of any two")):
        cells = (similar[f"{start}{key}"] for key in SIMILARITY.values())
        yield Line((f"Cosine similarity {words}", *cells, ""))
