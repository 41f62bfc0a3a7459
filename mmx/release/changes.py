"""CHANGES.md: what is new in a release, by the differences of its receipts and trailers."""

from pathlib import Path

from mmx.audit.diff import compare, read_items
from mmx.dvc_state.history import HistoryError
from mmx.features.schema import RECEIPTS_FILE
from mmx.release.about import About, ReleaseError, read_about


def changes_text(about: About, features: Path, previous: Path | None) -> str:
    """Return the text: what `mmx diff` says of the feature store here and the release before."""
    title = f"# Changes in {about.version}, {about.date}\n\n"
    if previous is None:
        return f"{title}The first release.\n"
    try:
        before, name = read_items(previous / RECEIPTS_FILE), read_about(previous).version
    except (ReleaseError, HistoryError, OSError):
        return f"{title}The release before, {previous.name}, is not here to compare with.\n"
    after = read_items(features / RECEIPTS_FILE)
    rows: dict[tuple[str, str, str], int] = {}
    for change in compare(before, after):
        key = (change.step, change.kind, "; ".join(change.reasons))
        rows[key] = rows.get(key, 0) + 1
    trailers = [{trailer for _, trailer in items} for items in (before, after)]
    lines = [
        f"Since {name}: {len(trailers[1] - trailers[0])} trailers added, "
        f"{len(trailers[0] - trailers[1])} removed.",
        "",
        "| step | change | why | trailers |",
        "|---|---|---|--:|",
        *(
            f"| {' | '.join(cell.replace('|', '/') for cell in key)} | {n} |"
            for key, n in sorted(rows.items())
        ),
    ]
    return title + "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text for a cell of a table of Markdown."""
    return text.replace("|", "/").replace("\n", " ")
