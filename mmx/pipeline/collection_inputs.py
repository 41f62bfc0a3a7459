"""The inputs of the steps that read all trailers at once, and their digests.

Digests cover only what is read: embeddings of the experts that the model uses, genres, the split.
So a changed title, or an expert that the model does not use, causes no new training.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from mmx.engine.canonical import data_digest
from mmx.engine.files import InputFile
from mmx.features.facts import read_manifest
from mmx.features.schema import CLIPS_TABLE, MANIFEST_FILE, RECEIPTS_FILE, expert_table
from mmx.outputs import ALL, read_receipts
from mmx.pipeline.registry import find_item_step, trailer_steps
from mmx.project import Project
from mmx.training.errors import CollectionError


def collection_digests(project: Project) -> dict[str, str]:
    """Return a digest by role of features, genres and split, as far as a model reads them."""
    return {**_feature_digests(project), **label_digest(project), **_split_digest(project)}


def used_experts(project: Project) -> list[str]:
    """Return the experts that the model uses, sorted."""
    modalities = project.params.model.modalities
    return sorted({name for members in modalities.values() for name in members})


def _feature_digests(project: Project) -> dict[str, str]:
    """Return a digest of the clips and of each expert that the model uses, over all trailers."""
    tables = {step.output.table: step.name for step in trailer_steps(project.params)}
    wanted = [CLIPS_TABLE.name, *used_experts(project)]
    made: dict[str, dict[str, str]] = {tables.get(name, name): {} for name in wanted}
    columns = ["step", "trailers", "output_digest"]
    rows = pq.read_table(project.layout.features / RECEIPTS_FILE, columns=columns).to_pylist()
    for row in rows:
        if row["step"] in made:
            made[row["step"]] |= dict.fromkeys(row["trailers"], row["output_digest"])
    missing = [step for step, digests in made.items() if not digests]
    if missing:
        raise CollectionError(
            f"the feature store has no {', '.join(missing)}: model.modalities names experts that "
            "embed.experts does not"
        )
    return {step: data_digest(digests) for step, digests in made.items()}


def label_digest(project: Project) -> dict[str, str]:
    """Return a digest of the genres of every trailer that has a split."""
    split = set(pq.read_table(project.layout.splits)["trailer_id"].to_pylist())
    table = pq.read_table(project.layout.trailers, columns=["trailer_id", "genres"])
    labels = {row["trailer_id"]: row["genres"] for row in table.to_pylist()}
    return {"labels": data_digest({name: labels.get(name) for name in sorted(split)})}


def _split_digest(project: Project) -> dict[str, str]:
    """Return a digest of the split of every trailer."""
    table = pq.read_table(project.layout.splits, columns=["trailer_id", "split"])
    return {"splits": data_digest(sorted(map(list, zip(*table.to_pydict().values(), strict=True))))}


def film_digest(project: Project) -> dict[str, str]:
    """Return a digest of the film of every trailer that has a split."""
    table = pq.read_table(project.layout.splits, columns=["trailer_id", "group_id"])
    return {"films": data_digest(sorted(map(list, zip(*table.to_pydict().values(), strict=True))))}


def model_digests(project: Project, *steps: str) -> dict[str, str]:
    """Return the digest of the output of these training steps, by name."""
    digests = {}
    for name in steps:
        out = find_item_step(name, project.params).output.path(project.layout.root)
        digests[name] = read_receipts(out)[ALL].output_digest
    return digests


def collection_arguments(project: Project) -> dict[str, Any]:
    """Return the paths of the collection's files."""
    layout = project.layout
    return {"features": layout.features, "trailers": layout.trailers, "splits": layout.splits}


def collection_files(project: Project) -> Iterator[InputFile]:
    """Yield the files of the collection that a model reads, each with its expected digest."""
    layout = project.layout
    yield InputFile.now(layout.trailers)
    yield InputFile.now(layout.splits)
    listed = read_manifest((layout.features / MANIFEST_FILE).read_text(encoding="utf-8"))
    yield InputFile(layout.features / RECEIPTS_FILE, listed[RECEIPTS_FILE])
    for table in (CLIPS_TABLE, *map(expert_table, used_experts(project))):
        for path in table.paths(layout.features):
            yield InputFile(path, listed[path.relative_to(layout.features).as_posix()])


def model_files(project: Project, *steps: str) -> Iterator[InputFile]:
    """Yield the output files of these training steps, each with the digest in its receipt."""
    for name in steps:
        output = find_item_step(name, project.params).output
        out = output.path(project.layout.root)
        for file, made in output.own_files(ALL, read_receipts(out)[ALL]).items():
            yield InputFile(out / file, made.sha256)
