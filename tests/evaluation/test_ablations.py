import json
from pathlib import Path

import pytest
from small_world import MODEL, PARAMS, World, quick_params, report_params

from mmx.engine.receipt import Ingredients
from mmx.engine.run import Recipe, Task, Workers, complete
from mmx.engine.store import Store
from mmx.evaluation import ablations
from mmx.evaluation.ablations import VARIANTS, VariantError, ablate_item, vary
from mmx.params import ModelParams

FOUR = ModelParams(
    modalities={n: (n,) for n in ("appearance", "scene", "motion", "audio")}, slots=40
)


def test_the_variants_are_the_rows_of_the_papers_tables() -> None:
    alone = [name for name, v in VARIANTS.items() if len(v.modalities) == 1]
    pairs = [name for name, v in VARIANTS.items() if len(v.modalities) == 2]
    assert sorted(alone) == ["appearance", "audio", "motion", "scene"]
    assert len(pairs) == 6
    lengths = [v.length for v in VARIANTS.values() if v.length]
    assert lengths == [1, 5, 9, 20]
    assert {"naive", "full", "sequence"} < set(VARIANTS)


def test_single_experts_are_not_gated_and_pairs_are() -> None:
    alone = vary(FOUR, VARIANTS["audio"])
    assert (list(alone.modalities), alone.fusion) == (["audio"], "concat")
    pair = vary(FOUR, VARIANTS["appearance-motion"])
    assert (list(pair.modalities), pair.fusion) == (["appearance", "motion"], "gated")
    assert vary(FOUR, VARIANTS["naive"]).fusion == "concat"
    assert vary(FOUR, VARIANTS["sequence"]).sequence_head == "only"
    assert vary(FOUR, VARIANTS["full"]) == FOUR


@pytest.mark.parametrize(("length", "slots"), [(1, 360), (5, 72), (9, 40), (20, 18)])
def test_another_length_keeps_room_for_as_many_clips(length: int, slots: int) -> None:
    varied = vary(FOUR, VARIANTS[f"length-{length}"])
    assert (varied.sequence.length, varied.sequence.stride) == (length, length)
    assert varied.sequence.width == FOUR.sequence.width
    assert varied.slots == slots


def test_what_cannot_be_varied_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(VariantError, match="Scene needs scene"):
        vary(MODEL, VARIANTS["scene"])
    with pytest.raises(VariantError, match="no variant smell; there are scene"):
        ablate_item(variant="smell", **world.data, params=quick_params(1), out=tmp_path)


def test_an_ablation_reports_mean_and_spread(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    facts = ablate_item(variant="audio", **world.data, params=quick_params(2), out=folder)
    record = json.loads((folder / "metrics.json").read_text())
    assert record["seeds"] == [4, 5]
    first, second = (run["ap"]["weighted"] for run in record["runs"])
    assert first != second
    assert record["mean"]["ap"]["weighted"] == pytest.approx((first + second) / 2, abs=1e-6)
    deviation = abs(first - second) / 2**0.5
    assert record["spread"]["ap"]["weighted"] == pytest.approx(deviation, abs=2e-6)
    assert facts["test_ap_weighted"] == record["mean"]["ap"]["weighted"]
    assert len(record["curves"]["all"]["precision"]) == 101
    assert ablations.read_ablations(tmp_path) == {"audio": record}


def test_an_ablation_is_reproducible(world: World, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ablate_item(variant="naive", **world.data, params=quick_params(1), out=tmp_path / name)
    one, two = ((tmp_path / name / "metrics.json").read_bytes() for name in ("one", "two"))
    assert one == two
    assert json.loads(one)["spread"]["f1"]["micro"] is None


@pytest.mark.slow
def test_variants_side_by_side_give_the_bytes_of_one_after_the_other(
    world: World, tmp_path: Path
) -> None:
    recipe = Recipe("mmx.evaluation.ablations:ablate_item")
    tasks = [
        Task(
            name,
            Ingredients(f"ablate@{name}", 1, {}, {}, "code", {"torch": "0"}),
            {**world.data, "variant": name, "params": quick_params(1)},
        )
        for name in ("audio", "full")
    ]
    alone, beside = Store(tmp_path / "alone"), Store(tmp_path / "beside")
    expected = complete(recipe, tasks, alone, workers=Workers(in_process=True))
    found = complete(recipe, tasks, beside, workers=Workers(count=2))
    assert found.failures == {} and len(found.receipts) == 2
    assert found.receipts == expected.receipts


def test_parameters_of_the_report_are_valid() -> None:
    assert report_params().evaluate == PARAMS
