"""croissant.json: the store described for machines, with provenance and responsible-AI fields."""

import json
from collections.abc import Mapping
from typing import Any

import mlcroissant as mlc
import pyarrow as pa

from mmx.engine.canonical import bytes_digest
from mmx.features.card import TITLE
from mmx.features.facts import StoreFacts, manifest_text
from mmx.features.schema import MANIFEST_FILE, StoreTable

PROV = "http://www.w3.org/ns/prov#"
PARQUET = "application/x-parquet"
PROV_COLUMNS = {"fingerprint": "wasGeneratedBy", "video_sha256": "wasDerivedFrom"}
VERSION = "http://mlcommons.org/croissant/1.1"
TERMS_1_1 = {
    "arrayShape": "cr:arrayShape",
    "containedIn": "cr:containedIn",
    "description": {"@container": "@language"},
    "isArray": "cr:isArray",
    "name": {"@container": "@language"},
}
"""Terms of version 1.1 that the library's default JSON-LD context still lacks."""
KEYS = {"trailers": ("trailer_id",), "experts": ("expert",), "receipts": ("fingerprint",)}

RESPONSIBLE = {
    "data_collection": (
        "Each video was named in a manifest by its collector, pinned by sha256, decoded frame by "
        "frame, cut into clips and passed through pre-trained networks and descriptors."
    ),
    "data_collection_type": ["Secondary Data Analysis", "Software Collection"],
    "data_collection_missing_data": (
        "A clip that an expert could not embed (a silent trailer, a damaged track) has no row in "
        "that expert's table; a video that could not be read has its fault in receipts.parquet."
    ),
    "data_collection_raw_data": (
        "Videos are not distributed; trailers.video_sha256 names their bytes."
    ),
    "data_imputation_protocol": (
        "None. Clips shorter than a network's input repeat their last frame or borrow neighbouring "
        "sound; the column `padded` counts it."
    ),
    "data_preprocessing_protocol": [
        "Every parameter is in receipts.parquet, column `parameters`, for every row."
    ],
    "data_biases": [
        "Trailers are advertisements, not a sample of films.",
        "The networks carry the biases of the data that they were trained on.",
    ],
    "data_use_cases": [
        "Training and comparing genre classifiers, retrieval, clustering of trailers.",
        "Not for identifying people.",
    ],
    "data_limitations": ["Cuts are detected automatically and are wrong at times."],
    "data_social_impact": [
        "Genre predictions can be used to rank films; a model should be checked per genre first."
    ],
    "personal_sensitive_information": [
        "Embeddings are made from pictures and voices of people; no picture or sound is included."
    ],
    "data_release_maintenance_plan": (
        "Each release has a root digest of its own; rows with an equal fingerprint are unchanged."
    ),
}


def croissant_text(facts: StoreFacts, about: Mapping[str, Any] | None = None) -> str:
    """Return croissant.json; raise mlcroissant's ValidationError if it is not valid.

    about: properties of the data set in place of the store's own, such as `version`.
    """
    data = _croissant_metadata(facts, _new_context()).to_json() | dict(about or {})
    data["@context"]["prov"] = PROV
    data |= _prov_of_store(facts)
    for file_set in data["distribution"]:
        file_set |= _prov_of_table(facts, file_set["@id"])
    text = json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    mlc.Metadata.from_json(ctx=mlc.Context(), json_=json.loads(text))
    return text


def _new_context() -> mlc.Context:
    """Return a context of Croissant 1.1 for all nodes of one file."""
    context = mlc.Rdf().context | TERMS_1_1
    return mlc.Context(rdf=mlc.Rdf(context=context), conforms_to=VERSION)


def _croissant_metadata(facts: StoreFacts, ctx: mlc.Context) -> mlc.Metadata:
    """Return the store's files and record sets as Croissant nodes."""
    manifest = manifest_text(facts.manifest).encode()
    listing = mlc.FileObject(
        ctx=ctx,
        id=MANIFEST_FILE,
        name=MANIFEST_FILE,
        description="sha256 of every Parquet file, in the format of sha256sum.",
        content_url=MANIFEST_FILE,
        encoding_formats=["text/plain"],
        content_size=f"{len(manifest)} B",
        sha256=bytes_digest(manifest),
    )
    return mlc.Metadata(
        ctx=ctx,
        name=TITLE,
        description=f"Clip embeddings of film trailers. Root digest over all rows: {facts.root}",
        license=licences(facts),
        keywords=["movies", "trailers", "embeddings", "provenance"],
        version="1.0.0",
        cite_as=(
            "Fish, Weinbren, Gilbert: Rethinking Movie Genre Classification with Fine Grained "
            "Semantic Clustering, 2021"
        ),
        distribution=[listing, *(_files(facts, table, ctx) for table in facts.tables)],
        record_sets=[_record_set(facts, table, ctx) for table in facts.tables],
        **RESPONSIBLE,
    )


def licences(facts: StoreFacts) -> list[str]:
    """Return the licences of all weights, each of which applies to the store."""
    found = {licence for row in facts.experts for licence in row["weights_licence"]}
    return [*sorted(found), "The rights in the videos are their owners'."]


def _files(facts: StoreFacts, table: StoreTable, ctx: mlc.Context) -> mlc.FileObject | mlc.FileSet:
    """Return a table's files: a hashed object for one file, a set for shards."""
    if table.letter:
        return mlc.FileSet(
            ctx=ctx,
            id=table.name,
            name=table.name,
            description=f"Shards of {table.name}; {MANIFEST_FILE} has the sha256 of each.",
            includes=[table.files],
            encoding_formats=[PARQUET],
        )
    return mlc.FileObject(
        ctx=ctx,
        id=table.name,
        name=table.files,
        content_url=table.files,
        content_size=f"{(facts.store / table.files).stat().st_size} B",
        encoding_formats=[PARQUET],
        sha256=facts.manifest[table.files],
    )


def _record_set(facts: StoreFacts, table: StoreTable, ctx: mlc.Context) -> mlc.RecordSet:
    """Return a table's columns as fields."""
    name = f"{table.name}-rows"
    return mlc.RecordSet(
        ctx=ctx,
        id=name,
        name=name,
        description=f"One record per row of {table.files}.",
        key=[f"{name}/{column}" for column in KEYS.get(table.name, ())],
        fields=[_field(facts, table, name, column, ctx) for column in facts.schema(table)],
    )


def _field(
    facts: StoreFacts, table: StoreTable, record: str, column: pa.Field, ctx: mlc.Context
) -> mlc.Field:
    """Return one column as a field, arrays with their shape."""
    element, shape = column.type, []
    while pa.types.is_nested(element):
        shape.append(element.list_size if pa.types.is_fixed_size_list(element) else -1)
        element = element.value_type
    origin = {"file_set": table.name} if table.letter else {"file_object": table.name}
    equivalent = PROV_COLUMNS.get(column.name)
    return mlc.Field(
        ctx=ctx,
        id=f"{record}/{column.name}",
        name=column.name,
        description=facts.meaning(table.name, column.name),
        data_types=[_data_type(element)],
        is_array=True if shape else None,
        array_shape=",".join(map(str, shape)) if shape else None,
        equivalentProperty=[PROV + equivalent] if equivalent else None,
        source=mlc.Source(ctx=ctx, **origin, extract=mlc.Extract(ctx=ctx, column=column.name)),
    )


def _data_type(kind: pa.DataType) -> Any:
    """Return Croissant's name of a column's type."""
    if pa.types.is_boolean(kind):
        return mlc.DataType.BOOL
    if pa.types.is_integer(kind):
        return mlc.DataType.INTEGER
    if pa.types.is_floating(kind):
        return mlc.DataType.FLOAT
    return mlc.DataType.TEXT


def _prov_of_store(facts: StoreFacts) -> dict[str, Any]:
    """Describe the store and the software that made it in PROV terms."""
    return {
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": "#mmx",
            "prov:wasAssociatedWith": {"@type": "prov:SoftwareAgent", "@id": "#mmx-pipeline"},
        },
        "prov:value": f"sha256:{facts.root}",
    }


def _prov_of_table(facts: StoreFacts, name: str) -> dict[str, Any]:
    """Describe in PROV terms what a table derives from: clips, and the weights of an expert."""
    row = next((row for row in facts.experts if row["expert"] == name), None)
    if name == "clips":
        return {"prov:wasDerivedFrom": [{"@id": "trailers"}]}
    if row is None:
        return {}
    pairs = zip(row["weights_sha256"], row["weights_source"], row["weights_licence"], strict=True)
    weights = [
        {
            "@type": "prov:Entity",
            "@id": f"sha256:{digest}",
            "prov:atLocation": source,
            "license": licence,
        }
        for digest, source, licence in pairs
    ]
    activity = {"@type": "prov:Activity", "@id": f"#embed@{name}"}
    return {
        "prov:wasDerivedFrom": [{"@id": "clips"}, *weights],
        "prov:wasGeneratedBy": activity,
    }
