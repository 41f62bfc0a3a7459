"""Pages of the documentation that are made from the code: parameters, file formats, messages."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from mmx.features.columns import is_known, meaning_of
from mmx.features.schema import (
    CLIPS_SCHEMA,
    EXPERTS_SCHEMA,
    RECEIPTS_SCHEMA,
    TRAILERS_SCHEMA,
)
from mmx.media.probe import Probe
from mmx.params import Params
from mmx.paramsfile import load_params
from mmx.pipeline.registry import all_steps, step_sections
from mmx.pipeline.step import ItemStep
from mmx.trailers.intake import SOURCES_SCHEMA
from mmx.trailers.label_sources import LabelSource
from mmx.trailers.manifest import COLUMNS, PARQUET_COLUMNS

TOP = Path(__file__).parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files that MkDocs found in docs/."""
    pages = {
        "parameters": parameters_page(),
        "formats": formats_page(),
        "messages": messages_page(),
        "fidelity": fidelity_page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def field_docs(kind: type[Any]) -> dict[str, str]:
    """Return the docstrings under the fields of a class, as one line each."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name) and isinstance(text.value, ast.Constant)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def yaml_comments(text: str) -> dict[str, str]:
    """Return the comment behind each key of params.yaml, by its dotted path."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = re.match(r"( *)([\w@-]+):(?:[^#]|#(?=\S))*(?:# (.*))?$", line)
        if match:
            indent = len(match[1])
            path = [*(each for each in path if each[0] < indent), (indent, match[2])]
            found[".".join(name for _, name in path)] = match[3] or ""
    return found


def parameters_page() -> str:
    """Return the page of params.yaml: every key with its value, its meaning and what it changes."""
    path = TOP / "params.yaml"
    comments = yaml_comments(path.read_text(encoding="utf-8"))
    params = load_params(path, step_sections())
    effects = _effects(params)
    lines = [
        "# Parameters\n",
        "Every key of `params.yaml`, with its value in the template (profile lite). The last",
        "column names the steps whose fingerprints contain it: a change makes their results",
        "stale, and those that follow from them; `mmx plan` counts both. Where it is empty, no",
        "result depends on the key. Unknown keys, other kinds of values and values out of bounds",
        "are refused with the line.\n",
    ]
    for name, field in Params.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            doc = " ".join((kind.__doc__ or "").split())
            lines += [f"## {name}\n", f"{doc}\n", "| key | value | meaning | changes results of |"]
            lines += ["|---|---|---|---|"]
            leaves = leaves_of(kind, getattr(params, name), f"{name}.")
            lines += [_row(leaf, comments, effects) for leaf in leaves]
            lines.append("")
    return "\n".join(lines)


@dataclass(frozen=True)
class Leaf:
    """One key of params.yaml."""

    key: str
    value: Any
    doc: str
    """Its docstring."""
    choices: tuple[Any, ...]
    """The words that it may be; empty where it is something else."""


def leaves_of(kind: type[BaseModel], values: BaseModel, prefix: str) -> Iterator[Leaf]:
    """Yield every key of a section."""
    docs = {name: text for each in reversed(kind.__mro__) for name, text in _docs_of(each).items()}
    for name, field in kind.model_fields.items():
        key, value = f"{prefix}{field.alias or name}", getattr(values, name)
        if isinstance(value, BaseModel):
            yield from leaves_of(type(value), value, f"{key}.")
        else:
            yield Leaf(key, value, docs.get(name, ""), _choices(field.annotation))


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Return the words of a Literal."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _docs_of(kind: type[Any]) -> dict[str, str]:
    return field_docs(kind) if kind.__module__ == Params.__module__ else {}


def _effects(params: Params) -> dict[str, list[str]]:
    """Return the steps by each section or leaf key that they name, from the steps and dvc.yaml."""
    found: dict[str, list[str]] = {}
    for step in all_steps(params):
        keys = step.keys if isinstance(step, ItemStep) else _dvc_keys(step.name)
        for key in keys:
            found.setdefault(key, []).append(step.name)
    return found


def _dvc_keys(step: str) -> Iterable[str]:
    stages = yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    keys: list[str] = stages[step].get("params", [])
    return keys


def _steps_of(key: str, effects: dict[str, list[str]]) -> str:
    """Return the steps that a key changes, families by one name."""
    parts = key.split(".")
    above = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    below = [name for name in effects if name.startswith(f"{key}.")]
    names = [step for name in (*above, *below) for step in effects.get(name, ())]
    return ", ".join(dict.fromkeys(re.sub("@.*", "@…", name) for name in names))


def _row(leaf: Leaf, comments: dict[str, str], effects: dict[str, list[str]]) -> str:
    steps = _steps_of(leaf.key, effects)
    meaning = _cell(meaning_of_key(leaf, comments))
    return f"| `{leaf.key}` | {_shown(leaf.value)} | {meaning} | {steps} |"


def meaning_of_key(leaf: Leaf, comments: dict[str, str]) -> str:
    """Return what a key means: its docstring, else its comment; and the words it may be."""
    text = leaf.doc or comments.get(leaf.key, "")
    words = ", ".join(f"`{word}`" for word in leaf.choices)
    return text + (f" One of {words}." if words else "")


def _shown(value: Any) -> str:
    """Return a value as a cell; of a long one, how many it has."""
    if isinstance(value, dict | tuple | list):
        return f"{len(value)} entries" if value else "none"
    return f"`{value}`" if value != "" else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def messages_page() -> str:
    """Return the page of what mmx says when something is wrong."""
    text = (TOP / "tests" / "cli" / "wrong_use.txt").read_text(encoding="utf-8")
    introduction, *parts = re.split(r"^== (.*) ==$", text, flags=re.MULTILINE)
    sections = [
        f"## {title}\n\n```text\n{body.strip()}\n```\n"
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]
    return "\n".join(["# Messages\n", introduction, *sections])


def fidelity_page() -> str:
    """Return the README's sections on fidelity, measurements and limits as a page."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    wanted = ("## Fidelity\n", "## Measured\n", "## Limits\n")
    chosen = "".join(section for section in sections if section.startswith(wanted))
    return "# Fidelity, measurements, limits\n\n" + chosen.replace("](docs/", "](../")


@dataclass(frozen=True)
class Table:
    """A file or folder of rows."""

    path: str
    about: str
    columns: dict[str, tuple[str, str]]
    """(type, meaning) by name."""


SOURCES = {
    "trailer_id": "Identifier of the trailer, the same in every table.",
    "video": "Path of the video below data/.",
    "sha256": "sha256 of the file, which is the pinned one.",
    "size": "Bytes of the file.",
    "duration_s": "Length of the video in seconds, as counted.",
    "frames": "Number of frames, as counted.",
    "fps": "Frames per second: the stated rate, else the average.",
    "has_audio": "Whether the file has a sound track.",
}
"""Meanings of columns of sources.parquet that the probe does not have under this name."""
TEXT, NUMBER = "string", "double"
TRAILER, FINGERPRINT = (
    (TEXT, "Identifier of the trailer."),
    (TEXT, "sha256 of all that determined the row: its item's fingerprint."),
)
SPLITS = {
    "trailer_id": TRAILER,
    "group_id": (TEXT, "The film: trailers of one share a split."),
    "split": (TEXT, "train, validation or test."),
}
PREDICTIONS = {
    "trailer_id": TRAILER,
    "model": (TEXT, "coarse, fine, or a baseline."),
    "genre": (TEXT, "A genre of the vocabulary."),
    "probability": (NUMBER, "Of the genre, from 0 to 1."),
    "fingerprint": FINGERPRINT,
}
SEQUENCES = {
    "trailer_id": TRAILER,
    "sequence": ("int32", "Position of the sequence in its trailer, from 0."),
    "start_s": (NUMBER, "Begin of its first clip, in seconds."),
    "stop_s": (NUMBER, "End of its last clip, in seconds."),
    **{name: PREDICTIONS[name] for name in ("model", "genre", "probability", "fingerprint")},
}
VECTORS = {
    "trailer_id": TRAILER,
    "split": SPLITS["split"],
    "coarse": ("list<float>", "The trailer's embedding by the coarse model."),
    "fine": ("list<float>", "The trailer's embedding by the fine-tuned model."),
    "fingerprint": FINGERPRINT,
}
EMBEDDING = {
    **{
        name: (str(CLIPS_SCHEMA.field(name).type), meaning_of(name))
        for name in ("trailer_id", "clip")
    },
    "embedding": ("fixed_size_list<float>, or a list of them", meaning_of("embedding")),
    "samples": ("int32", meaning_of("samples")),
    "padded": ("int32", meaning_of("padded")),
    "fingerprint": FINGERPRINT,
}


def tables() -> list[Table]:
    """Return every table of a project, in the order in which they are made."""
    manifest = {name: (TEXT, column.meaning) for name, column in COLUMNS.items()}
    typed = {name: (str(column.type), column.meaning) for name, column in PARQUET_COLUMNS.items()}
    return [
        Table("data/trailers.csv", "The manifest, written by `mmx init` and by hand: UTF-8, "
              "commas, one row per trailer. Columns of your own are kept as text.", manifest),
        Table("data/label_sources.csv", "Dumps of which `mmx labels import` took labels.",
              {name: (TEXT, meaning) for name, meaning in field_docs(LabelSource).items()}),
        Table("data/trailers.parquet", "Every row of the manifest, with what ingest says of it; "
              "columns of your own follow.", typed),
        Table("data/sources.parquet", "Accepted trailers: the video and its technical facts.",
              _described(SOURCES_SCHEMA, _of_source)),
        Table("data/clips/cXX.parquet", "The kept shots.", _described(CLIPS_SCHEMA)),
        Table("data/embeddings/EXPERT/eXX.parquet", "One expert's vector of every clip; in the "
              "feature store as EXPERT/eXX.parquet.", EMBEDDING),
        Table("data/features/trailers/tXX.parquet", "Accepted trailers in the feature store.",
              _described(TRAILERS_SCHEMA)),
        Table("data/features/experts.parquet", "The experts.", _described(EXPERTS_SCHEMA)),
        Table("data/features/receipts.parquet", "What determined the rows of a fingerprint.",
              _described(RECEIPTS_SCHEMA)),
        Table("data/splits.parquet", "The split. Places of absent trailers are in the file's "
              "metadata.", SPLITS),
        Table("data/trailer_embeddings.parquet", "Trailers in both spaces.", VECTORS),
        Table("data/predictions.parquet", "Genres of trailers.", PREDICTIONS),
        Table("data/sequence_predictions.parquet", "Genres of sequences of clips.", SEQUENCES),
    ]  # fmt: skip


def _of_source(column: str) -> str:
    return SOURCES.get(column) or field_docs(Probe).get(column, "") or _of_store(column)


def _of_store(column: str) -> str:
    return meaning_of(column) if is_known(column) else ""


def _described(
    schema: pa.Schema, meaning: Callable[[str], str] = _of_store
) -> dict[str, tuple[str, str]]:
    return {field.name: (str(field.type), meaning(field.name)) for field in schema}


def formats_page() -> str:
    """Return the page of the files of a project, column by column."""
    lines = [
        "# File formats\n",
        "Parquet files are readable by any Parquet reader. XX is a shard: the first six bits of",
        "sha256(trailer_id) as two hexadecimal digits, 00 to 3f; rows are sorted by trailer, then",
        "clip. Beside the rows, `_receipts/` has a line of JSON for each item. Other files:\n",
        "- `data/audio/ID.wav`: mono, 16 bits, at `audio.rate` (16 kHz); its first sample is at",
        "  the time of frame 0.",
        "- `data/flow/ID.flow`: 8-bit flow images, lossless; read by `mmx.flow.store`",
        "  ([API](../api/flow.md)).",
        "- `models/coarse`, `models/fine`: weights as safetensors, and what the network is made",
        "  of as JSON; [as a library](../library.md).",
        "- `reports/metrics.json`, `reports/evidence/`: every metric; the paper's tables (CSV,",
        "  JSON) and figures (PNG).",
        "- `dvc.lock`: the md5 of every version; in git.\n",
    ]
    for table in tables():
        lines += [f"## {table.path}\n", f"{table.about}\n", "| column | type | meaning |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| `{n}` | {kind} | {_cell(text)} |" for n, (kind, text) in table.columns.items()
        ]
        lines.append("")
    return "\n".join(lines)
