"""The library's names, as the documentation calls them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from small_world import GENRES, World, quick_params
from torch.utils.data import DataLoader
from worlds import world

import mmx
from mmx.evaluation.scores import sigmoid
from mmx.training.errors import CollectionError

__all__ = ["world"]


@pytest.fixture(scope="module")
def project(world: World) -> Iterator[Path]:
    params = world.folder / "params.yaml"
    params.write_text(quick_params(1).model_dump_json(by_alias=True))
    yield world.folder
    params.unlink()


@pytest.mark.parametrize("split", [None, "test"])
def test_a_loaded_model_gives_the_pipelines_predictions(
    project: Path, world: World, split: str | None
) -> None:
    model = mmx.load_model(project / "models" / "coarse")
    dataset = mmx.TrailerDataset(project, split)
    found, labels = [], []
    with torch.inference_mode():
        for batch, marks in DataLoader(dataset, batch_size=5, collate_fn=dataset.collate):
            found.append(model.network(batch).logits)
            labels.append(marks)
    names = [dataset[at].trailer_id for at in range(len(dataset))]
    table = pq.read_table(world.layout.evaluation / "predictions.parquet").to_pandas()
    rows = table[table["model"] == "coarse"].pivot(
        index="trailer_id", columns="genre", values="probability"
    )
    expected = rows.loc[names, model.genres].to_numpy()
    np.testing.assert_allclose(sigmoid(torch.cat(found).numpy()), expected, atol=1e-5)
    assert model.genres == dataset.genres == GENRES
    known = dict(zip(world.ids, world.genres, strict=True))
    own = [[genre in known[name] for genre in GENRES] for name in names]
    assert torch.cat(labels).bool().tolist() == own
    assert len(names) == (48 if split is None else 12)


def test_only_some_experts_are_read(project: Path) -> None:
    dataset = mmx.TrailerDataset(project, "train", experts={"appearance": ("look",)})
    assert set(dataset[0].batch.features) == {"appearance"}


def test_wrong_arguments_are_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no split trains; there are train, validation"):
        mmx.TrailerDataset(project, "trains")
    with pytest.raises(FileNotFoundError):
        mmx.load_model(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        _ = mmx.load_modle


def test_features_and_flow_are_there(project: Path) -> None:
    features = mmx.features.load(project / "data" / "features", ["t001"])
    assert features.trailer_ids == ["t001"]
    frame = np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)
    flow = mmx.flow.tvl1(frame, np.roll(frame, 1, axis=1))
    assert flow.shape == (32, 40, 2)
    with pytest.raises(AttributeError, match="no attribute 'tvl2'"):
        _ = mmx.flow.tvl2


def test_importing_mmx_imports_nothing_heavy() -> None:
    code = (
        "import sys; import mmx; known = set(sys.modules); assert callable(mmx.flow.tvl1);"
        "print(*sorted(name for name in known if name.startswith('mmx')), 'torch' in known,"
        "'numpy' in known, 'pyarrow' in known, callable(mmx.load_model), callable(mmx.predict))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["mmx", "False", "False", "False", "True", "True"]
