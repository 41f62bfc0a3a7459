"""The generated pages of the documentation say something of every parameter and every column."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from mmx.params import Params
from mmx.paramsfile import load_params
from mmx.pipeline.registry import step_sections
from scripts.reference_pages import (
    Leaf,
    fidelity_page,
    formats_page,
    leaves_of,
    meaning_of_key,
    messages_page,
    parameters_page,
    tables,
    yaml_comments,
)

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def leaves() -> list[Leaf]:
    params = load_params(TOP / "params.yaml", step_sections())
    values = {name: getattr(params, name) for name in Params.model_fields}
    sections = {name: each for name, each in values.items() if isinstance(each, BaseModel)}
    return [
        leaf for name, each in sections.items() for leaf in leaves_of(type(each), each, f"{name}.")
    ]


def test_every_parameter_has_a_meaning(leaves: list[Leaf]) -> None:
    comments = yaml_comments((TOP / "params.yaml").read_text())
    assert len(leaves) > 100
    assert [leaf.key for leaf in leaves if not meaning_of_key(leaf, comments)] == []


def test_comments_are_those_behind_their_keys() -> None:
    text = "a: # of a\n  b: 1 # of b\n  c: 'x#y'\nd: # of d\n  - e\nf:\n  b: 2 # another\n"
    found = {key: said for key, said in yaml_comments(text).items() if said}
    assert found == {"a": "of a", "a.b": "of b", "d": "of d", "f.b": "another"}


def test_a_parameter_names_the_steps_that_read_it() -> None:
    rows = {
        row.split("`")[1]: row for row in parameters_page().splitlines() if row.startswith("| `")
    }
    assert rows["flow.short_side"].endswith("| flow |")
    assert rows["split.seed"].endswith("| split |") and rows["run.workers"].endswith("|  |")
    assert "ingest, train" in rows["collection.genres"] and "embed@…" in rows["embed.precision"]
    assert "One of `content`, `content-0.5`, " in rows["scenes.detector"]


def test_every_column_has_a_meaning_and_every_table_a_section() -> None:
    page = formats_page()
    for table in tables():
        assert f"## {table.path}" in page
        assert [name for name, (_, meaning) in table.columns.items() if not meaning] == []


def test_all_messages_and_the_fidelity_are_pages() -> None:
    assert messages_page().count("$ mmx ") == (TOP / "tests/cli/wrong_use.txt").read_text().count(
        "$ mmx "
    )
    page = fidelity_page()
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["Fidelity", "Measured", "Limits"]
    assert "](docs/" not in page


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.load((TOP / "mkdocs.yml").read_text(), Loader=yaml.BaseLoader)
    listed = {page for entry in config["nav"] for page in _pages(entry)}
    assert {path.name for path in (TOP / "docs").glob("*.md")} <= listed


def _pages(entry: object) -> set[str]:
    if isinstance(entry, str):
        return {entry}
    children = entry.values() if isinstance(entry, dict) else entry
    assert isinstance(children, Iterable)
    return {page for child in children for page in _pages(child)}
