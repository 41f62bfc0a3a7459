"""Trace, verify, repair, audit, compare and publish what the pipeline made."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmx.audit.depths import DEPTHS
from mmx.cli.console import print_json, print_table
from mmx.cli.options import TAKES_IDS, Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.audit.verify import Finding

app = typer.Typer()


class Target(StrEnum):
    """Where a release can be uploaded to."""

    hub = "hub"


@app.command(
    context_settings=TAKES_IDS, epilog="Example: mmx trace alien --clip 3 --expert lite_scene"
)
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
    forgotten: Annotated[
        bool,
        typer.Option(
            "--forgotten",
            help="Look for trailers that were taken out instead, here and in remotes.",
        ),
    ] = False,
    release: Annotated[
        Path | None, typer.Option("--release", help="Check this folder with a release instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare every artefact with its receipt; exit with code 1 if anything differs or none is."""
    if release:
        verify_release(release, json)
        return
    if forgotten:
        verify_forgotten(json)
        return
    from rich.console import Console
    from rich.progress import Progress

    from mmx.audit.verify import verify as verify_project

    console = Console(stderr=True)
    with Progress(console=console, disable=json or not console.is_terminal) as progress:
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
        if found.made or found.findings:
            print(f"{len(found.findings) or 'no'} findings: {checked}")
        else:
            print("nothing is made yet, so nothing was checked: run `dvc repro`")
    if not found.ok:
        raise typer.Exit(1)


def verify_release(folder: Path, json: bool) -> None:
    """Check a release by itself; exit with code 1 if anything is wrong."""
    from mmx.release.about import read_about
    from mmx.release.verify import verify_release as check

    findings = check(folder)
    if json:
        print_json({"ok": not findings, "findings": findings, "about": read_about(folder)})
    else:
        for each in findings:
            print(each)
        print(f"release {read_about(folder).version}: {len(findings) or 'no'} findings")
    if findings:
        raise typer.Exit(1)


def verify_forgotten(json: bool) -> None:
    """Repeat the proof of every certificate; exit with code 1 if anything is found."""
    from mmx.forget.run import still_there

    scan, failed = still_there(open_project())
    if json:
        print_json({"ok": not (scan.found or failed), "found": scan.found, "failed": failed})
    else:
        for each in scan.found:
            print(f"{each.place}: {each.file}: {each.how} is that of {each.tombstone}")
        for place, why in failed.items():
            print(f"{place} could not be looked through: {why}")
        trailers = f"{len(scan.tombstones)} trailers that were taken out"
        print(f"{len(scan.found)} files have something of {trailers}; {scan.files} files read")
    if scan.found or failed:
        raise typer.Exit(1)


@app.command(epilog="Example: mmx forget alien --reason 'The owner asked for it'")
def forget(
    trailers: Annotated[
        list[str] | None,
        typer.Argument(help="trailer_id of each; none to finish an interrupted call."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept, with date and your name.")] = "",
    json: Json = False,
) -> None:
    """Remove every byte that was made of trailers, refuse their return, and certify that.

    From manifest, videos, item store, journals, every revision in DVC's cache and its remotes,
    feature store, splits, reports and releases. The next `dvc repro` trains the models again and
    computes nothing else. Originals that links lead to, git's history and other clones stay: each
    is named with the command that reaches it. Exit with code 1 if anything is left.
    """
    from mmx.forget.certificate import masked
    from mmx.forget.run import forget as take_out

    def say(what: str) -> None:
        if not json:
            print(f"... {what}", flush=True)

    done = take_out(open_project(), trailers or [], reason, say=say)
    found = done.certificate
    if json:
        print_json(masked(found, done.traces))
    else:
        print_table(
            ("place", "what", "removed"), [(r.place, r.what, r.count) for r in found.removed]
        )
        for model in found.models:
            print(f"saw them: {model.path} {model.md5[:12]} {model.commit[:10] or 'present'}")
        for left in found.unreached:
            print(f"not reached: {left.what}\n    {left.command}")
        for each in found.remains:
            print(f"left: {each.place}: {each.file}: {each.how}")
        print(
            f"{found.looked_through['files']} files read again: {len(found.remains)} with anything"
        )
        print(f"certificate: {done.path}; next: dvc repro && dvc push, then commit")
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
    stages = f"{len(done.removed)} removed; `dvc repro` runs {', '.join(done.stages)}"
    print(stages if done.stages else f"{len(done.removed)} removed: nothing is to be made again")
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


@app.command(epilog="Example: mmx publish releases/1.0.0 --version 1.0.0")
def publish(
    folder: Annotated[Path, typer.Argument(help="A new folder; or a release, to upload it.")],
    version: Annotated[
        str, typer.Option(help="Three numbers; by default the one after the last release.")
    ] = "",
    to: Annotated[Target | None, typer.Option(help="hub: upload it to Hugging Face.")] = None,
    repo: Annotated[str, typer.Option(help="Repository on the hub, as OWNER/NAME.")] = "",
    json: Json = False,
) -> None:
    """Make a release: accepted trailers by split, both models' results, card, Croissant, changes.

    It is noted in data/releases.json. Files that the release before has too are linked to it, and
    are not uploaded again. `release` in params.yaml says by whom it is.
    """
    from mmx.errors import require_output
    from mmx.release.about import ABOUT_FILE, ReleaseError, read_about
    from mmx.release.hub import upload
    from mmx.release.publish import publish as make_release
    from mmx.release.publish import uploaded

    project = open_project()
    if to and not repo:
        raise ReleaseError("name the repository on the hub: --repo OWNER/NAME")
    told: dict[str, Any] = {}
    if not (to and (folder / ABOUT_FILE).exists()):
        require_output(project.layout.root, "data/features")
        built, about = make_release(project, folder, version)
        told = {"version": about.version, "root": built.root}
        told |= {"tables": built.files, "unchanged": built.unchanged}
    if to:
        told |= {"uploaded": upload(folder, repo)}
        uploaded(project, read_about(folder).version, repo)
    if json:
        print_json(told)
    else:
        print(f"{folder}: {', '.join(f'{name} {value}' for name, value in told.items())}")


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
