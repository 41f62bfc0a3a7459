"""The fixtures of a small evaluated collection, which several folders of tests share."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sharing import made_once, own_copy
from small_world import EVIL, World, evaluate, train_models, write_project


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """48 trailers, features, models, an evaluation; the first have untrusted titles."""
    titles = [*EVIL, *(f"Film {i}" for i in range(48 - len(EVIL)))]
    refused = {
        "trailer_id": "<b>x",
        "title": EVIL[0],
        "genres": ["Musical"],
        "status": "rejected",
        "reason": "genre 'Musical' <i>is not</i> in the vocabulary",
    }

    def make(folder: Path) -> World:
        made = write_project(folder, titles, [refused])
        train_models(made)
        evaluate(made)
        return made

    made = made_once(tmp_path_factory, "world", make)
    return replace(made, folder=own_copy(tmp_path_factory, made.folder))


@pytest.fixture(scope="session")
def metrics(world: World) -> dict[str, Any]:
    """metrics.json."""
    path = world.layout.evaluation / "metrics.json"
    read: dict[str, Any] = json.loads(path.read_text())
    return read
