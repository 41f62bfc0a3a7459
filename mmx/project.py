"""A project: its layout, its parameters and its item store, opened together."""

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mmx.engine.parsed import remember_in
from mmx.engine.store import Store
from mmx.layout import Layout, find_main, find_root
from mmx.media.faults import Limits
from mmx.params import CollectionParams, Params
from mmx.paramsfile import load_params


@dataclass(frozen=True)
class Project:
    """The project that a step runs in."""

    layout: Layout
    params: Params
    store: Store

    @property
    def limits(self) -> Limits:
        """Limits on a video."""
        return limits_of(self.params.collection)

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return self.params.run.workers or len(os.sched_getaffinity(0))

    @property
    def inspections(self) -> Path:
        """Cache of what ingest found in each video, so that unchanged ones are not read again; of
        the form that `mmx.trailers.inspection_log` says."""
        return self.store.root / "inspections.json"

    @property
    def signatures(self) -> Path:
        """Folder of what `mmx.trailers.signature_store` keeps of each video's pictures."""
        return self.store.root / "signatures"

    def at(self, root: Path) -> "Project":
        """Return a project with the same parameters in another folder, with its own store."""
        return replace(self, layout=Layout(root), store=Store(root / ".mmx"))


def limits_of(params: CollectionParams) -> Limits:
    """Return the limits on a video that the parameters of the collection set."""
    return Limits(**{field.name: getattr(params, field.name) for field in fields(Limits)})


def open_project(start: Path = Path()) -> Project:
    """Open the project that `start` lies in; raise ParamsError where there is none.

    The store is `.mmx/` in it, or the folder that the environment's MMX_STORE names. A git worktree
    shares that of the main one; experiments in temporary folders have their own, so that several
    can run at once, and find earlier results in DVC's cache.
    """
    # Imported here, since the steps import this module.
    from mmx.experts.registry import check_entries
    from mmx.pipeline.registry import step_sections

    layout = Layout(find_root(start))
    params = load_params(layout.params, step_sections())
    check_entries(params.embed.experts)
    store = Store(_store_folder(layout.root))
    remember_in(store.root / "parsed.json")
    return Project(layout, params, store)


def _store_folder(root: Path) -> Path:
    """Return the folder of the item store of the project in `root`."""
    given = os.environ.get("MMX_STORE")
    if given:
        return Path(given)
    main = find_main(root)
    is_worktree = main is not None and not root.is_relative_to(main / ".dvc")
    return (main if main and is_worktree else root) / ".mmx"
