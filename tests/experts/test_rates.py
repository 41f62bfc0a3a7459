"""Shipped rates: every registered expert has one, by the samples that it takes of a minute."""

from pathlib import Path

import pytest

from mmx.experts.rates import SECONDS_PER_SAMPLE, expert_rate, samples_per_minute
from mmx.experts.registry import expert_names, get_expert
from mmx.layout import find_root
from mmx.params import Params
from mmx.paramsfile import load_params
from mmx.pipeline.registry import step_sections

TOP = find_root(Path(__file__).parent)


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(TOP / "params.yaml", step_sections())


def with_frames(params: Params, count: int) -> Params:
    return params.model_copy(
        update={"embed": params.embed.model_copy(update={"frames_per_clip": count})}
    )


def test_every_registered_expert_was_measured() -> None:
    assert SECONDS_PER_SAMPLE.keys() == set(expert_names())


@pytest.mark.parametrize(
    ("name", "frames", "samples"),
    [
        ("senet154", 3, 75),
        ("senet154", 0, 1440),
        ("senet154", 1000, 1440),
        ("r2plus1d_34", 3, 45),
        ("i3d_flow", 3, 25),
        ("vggish", 3, 62.5),
        ("lite_motion", 3, 100),
    ],
)
def test_samples_follow_the_parameters(
    name: str, frames: int, samples: float, params: Params
) -> None:
    assert samples_per_minute(get_expert(name), with_frames(params, frames)) == samples


def test_a_sequence_is_stored_per_sample_and_a_mean_per_clip(params: Params) -> None:
    assert expert_rate(get_expert("vggish"), params).bytes == 62.5 * 128 * 4
    assert expert_rate(get_expert("senet154"), params).bytes == 25 * 2048 * 4
