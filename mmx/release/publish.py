"""`mmx publish`: make a release of the project as it is, and note it in the register."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mmx.dvc_state.history import GitError, History
from mmx.engine.parquet import read_parquet
from mmx.features.validate import validate
from mmx.project import Project
from mmx.release.about import About, ReleaseError
from mmx.release.build import Built, build_release, check_version, next_version
from mmx.release.changes import changes_text
from mmx.release.predictions import model_tables
from mmx.release.register import Entry, folder_of, name_of, read_register, write_register
from mmx.release.tables import Content


def publish(project: Project, out: Path, version: str = "") -> tuple[Built, About]:
    """Make a release in the folder `out`; without a version, the next one.

    Models, where there are any, speak for themselves in it. Raise ReleaseError for a version that
    there is already or that is none, or where the feature store is not valid.
    """
    layout = project.layout
    entries = read_register(layout.root)
    known = [each.version for each in entries]
    version = version or next_version(known)
    check_version(version)
    if version in known:
        raise ReleaseError(f"there is a release {version} already: name another version")
    findings = validate(layout.features)
    if findings:
        raise ReleaseError(f"the feature store is not valid: {findings[0]}")
    previous = folder_of(layout.root, entries[-1]) if entries else None
    about = _about(project, version)
    changes = changes_text(about, layout.features, previous)
    built = build_release(out, _content(project), about, changes, previous)
    entry = Entry(version, about.date, built.root, name_of(layout.root, out), about.commit)
    write_register(layout.root, [*entries, entry])
    return built, about


def _about(project: Project, version: str) -> About:
    """Return what the release says of itself."""
    release = project.params.release
    try:
        commit = History(project.layout.root).git("rev-parse", "HEAD").strip()
    except GitError:
        commit = ""
    date = datetime.now(UTC).date().isoformat()
    about = (release.name, release.creator, release.url, release.contact)
    return About(version, date, *about, commit)


def _content(project: Project) -> Content:
    """Return what the release is made of; without models' tables where no model was trained."""
    layout = project.layout
    tables = model_tables(project) if layout.fine.exists() else (None, None)
    labels = (read_parquet(path) for path in (layout.trailers, layout.splits))
    return Content(layout.features, *labels, *tables)


def uploaded(project: Project, version: str, repository: str) -> None:
    """Note in the register that a release is on a hub."""
    entries = read_register(project.layout.root)
    noted = [replace(each, hub=repository) if each.version == version else each for each in entries]
    write_register(project.layout.root, noted)
