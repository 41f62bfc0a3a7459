"""Videos and weights: what a run reads that no step makes."""

from collections.abc import Iterator, Sequence

from mmx.doctor.finding import Finding
from mmx.experts.weights import MissingWeights
from mmx.project import Project
from mmx.steps.embed import require_weights_present
from mmx.trailers.csvfile import TableError
from mmx.trailers.manifest import read_manifest


def material(project: Project) -> Iterator[Finding]:
    """Yield what is found of the manifest, its videos and the experts' weights."""
    yield from _videos(project)
    yield _weights(project)


def _videos(project: Project) -> Iterator[Finding]:
    layout = project.layout
    try:
        rows = read_manifest(layout.manifest)
    except TableError as error:
        found, _, remedy = str(error).partition(": ")
        yield Finding("manifest", "wrong" if layout.manifest.exists() else "note", found, remedy)
        return
    yield Finding("manifest", "ok", f"{len(rows)} rows in {layout.manifest.name}")
    links = [path for path in layout.videos.rglob("*") if path.is_symlink()]
    if dangling := sorted(path.name for path in links if not path.exists()):
        remedy = "bring the originals back, or `mmx init` from where they are now"
        yield Finding("videos", "wrong", f"links lead nowhere: {_listed(dangling)}", remedy)
    else:
        yield Finding("videos", "ok", f"{len(links)} links, and all of them lead to a file")


def _weights(project: Project) -> Finding:
    experts = ", ".join(sorted(project.params.embed.experts))
    try:
        require_weights_present(project)
    except MissingWeights as error:
        found = str(error).partition(";")[0]
        return Finding("weights", "wrong", found, "`mmx weights fetch`, or `mmx weights list`")
    return Finding("weights", "ok", f"all that is needed for {experts}")


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
