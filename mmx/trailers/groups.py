"""Groups: the trailers of one film, by the identifiers that the manifest has."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mmx.trailers.manifest import ManifestRow, is_imdb_id


def film_groups(rows: Iterable[ManifestRow]) -> dict[str, str]:
    """Return group_id by trailer_id: trailers that share a group_id or an imdb_id have one group.

    Its name is the first group_id of its trailers, else their imdb_id, else the trailer's own id.
    The order of the rows has no effect.
    """
    rows = list(rows)
    films = joined([(f"trailer:{row.trailer_id}", key) for row in rows for key in _keys(row)])
    names: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        names[films[f"trailer:{row.trailer_id}"]].append(_name(row))
    return {row.trailer_id: min(names[films[f"trailer:{row.trailer_id}"]])[1] for row in rows}


def _keys(row: ManifestRow) -> list[str]:
    """Return what a row shares with others of its film; a group may be named after a trailer."""
    keys = [f"group:{row.group_id or row.trailer_id}"]
    return [*keys, f"imdb:{row.imdb_id}"] if is_imdb_id(row.imdb_id) else keys


def _name(row: ManifestRow) -> tuple[int, str]:
    """Return what a row's film may be called, the better kind of name with the smaller number."""
    if row.group_id:
        return 0, row.group_id
    return (1, row.imdb_id) if is_imdb_id(row.imdb_id) else (2, row.trailer_id)


def joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return, for every name in `pairs`, the first name that it is connected with.

    >>> joined([("a", "b"), ("c", "b"), ("x", "y")])
    {'a': 'a', 'b': 'a', 'c': 'a', 'x': 'x', 'y': 'x'}
    """
    parent = {name: name for pair in pairs for name in pair}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for left, right in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    return {name: root(name) for name in sorted(parent)}
