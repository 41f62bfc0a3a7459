"""Trace, verify, repair, audit, compare and publish what the pipeline made."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmx.audit.depths import DEPTHS
from mmx.cli.console import print_json, print_table
from mmx.cli.options import Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.audit.verify import Finding

app = typer.Typer()


@app.command(epilog="Example: mmx trace alien --clip 3 --expert lite_scene")
def trace(
    trailer: Annotated[str, typer.Argument(help="trailer_id.")],
    clip: Annotated[int | None, typer.Option(help="One row, with its own values.")] = None,
    expert: Annotated[str | None, typer.Option(help="One expert's row.")] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(help="An earlier version of the row, by the first digits of its fingerprint."),
    ] = None,
    json: Json = False,
) -> None:
    """Show the chain from a row back to the bytes of its video; as JSON in PROV terms."""
    from mmx.audit.show import prov, trace_tree
    from mmx.audit.trace import trace as trace_row

    found = trace_row(open_project(), trailer, clip=clip, expert=expert, fingerprint=fingerprint)
    if json:
        print_json(prov(found))
    else:
        from rich.console import Console

        Console().print(trace_tree(found))


@app.command(epilog="Example: mmx verify --quick", help=f"Check everything.\n\n{DEPTHS}")
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="Names, sizes and references.")] = False,
    json: Json = False,
) -> None:
    """Compare every artefact with its receipt; exit with code 1 if anything differs."""
    from rich.console import Console
    from rich.progress import Progress

    from mmx.audit.verify import verify as verify_project

    with Progress(console=Console(stderr=True), disable=json) as progress:
        task = progress.add_task("verify", total=None)
        found = verify_project(
            open_project(),
            quick=quick,
            tell=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if json:
        print_json(
            {"ok": found.ok, "checked": found.checked, "findings": findings_data(found.findings)}
        )
    else:
        print_findings(found.findings)
        checked = ", ".join(f"{count} {what}" for what, count in found.checked.items())
        made = "" if found.checked.get("receipts") else "; nothing is made yet: run `dvc repro`"
        print(
            f"{'no findings' if found.ok else f'{len(found.findings)} findings'}: {checked}{made}"
        )
    if not found.ok:
        raise typer.Exit(1)


@app.command(epilog="Example: mmx repair && dvc repro")
def repair(json: Json = False) -> None:
    """Remove every copy of damaged artefacts, so that `dvc repro` makes exactly those again."""
    from mmx.audit.repair import repair as repair_project

    done = repair_project(open_project())
    if json:
        groups = {"removed": done.removed, "sources": done.sources, "left": done.left}
        print_json(
            {name: findings_data(found) for name, found in groups.items()} | {"stages": done.stages}
        )
        return
    print_findings(done.removed)
    print(f"{len(done.removed)} removed; `dvc repro` runs {', '.join(done.stages) or 'nothing'}")
    if done.sources:
        print("for you to restore:")
        print_findings(done.sources)
    print_findings(done.left)


@app.command(epilog="Example: mmx audit --recompute 20 --seed 1")
def audit(
    count: Annotated[int, typer.Option("--recompute", min=1, help="Rows to draw.")] = 10,
    seed: Annotated[int, typer.Option(help="Which rows are drawn.")] = 0,
    videos: Annotated[
        Path | None, typer.Option(help="Folder with the videos, under any names.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw rows of the feature store, compute them again from the video, and compare."""
    from mmx.audit.recompute import recompute

    found = recompute(open_project(), count, seed, videos=videos)
    if json:
        print_json({"ok": found.ok, "counts": found.counts, "environment": found.environment})
    else:
        rows = [(e, v, n) for e, verdicts in found.counts.items() for v, n in verdicts.items()]
        print_table(("expert", "verdict", "rows"), rows)
        for difference in found.environment:
            print(f"differs here: {difference}")
    if not found.ok:
        raise typer.Exit(1)


@app.command(epilog="Example: mmx diff v1.0")
def diff(
    old: Annotated[str, typer.Argument(help="A git revision.")],
    new: Annotated[
        str | None, typer.Argument(help="Another revision; by default the work tree.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what changed between two versions of the feature store, and why."""
    from mmx.audit.diff import diff as compare_versions

    found = compare_versions(open_project(), old, new)
    if json:
        print_json(found)
        return
    rows = [(*key, count) for key, count in found.counts.items()]
    print_table(("step", "change", "why", "trailers"), rows)
    print(f"{len(found.changes)} changes, {found.unchanged} items unchanged")


@app.command(epilog="Example: mmx publish build/mmx-trailer-20")
def publish(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Put feature store and labels into one folder, with card, Croissant file and digests."""
    from mmx.errors import require_output
    from mmx.features.publish import publish as publish_store

    layout = open_project().layout
    require_output(layout.root, "data/features")
    root = publish_store(
        folder, store=layout.features, trailers=layout.trailers, splits=layout.splits
    )
    print(f"{folder}: root digest {root}")


def print_findings(findings: "Iterable[Finding]") -> None:
    """Print a line for each finding, with other names of the same bytes and how to restore it."""
    for finding in findings:
        also = f" (also {', '.join(finding.links)})" if finding.links else ""
        how = f"; {finding.restore}" if finding.restore else ""
        print(f"{finding.kind}: {finding.name}{also}: {finding.what}{how}")


def findings_data(findings: "Iterable[Finding]") -> list[dict[str, Any]]:
    """Return findings as JSON data, without absolute paths."""
    names = ("kind", "name", "what", "links", "source", "restore")
    return [{name: getattr(finding, name) for name in names} for finding in findings]
