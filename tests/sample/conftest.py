"""A small collection, generated once, and the plan that it was made from."""

from pathlib import Path

import pytest

from mmx.sample import SampleReport, generate
from mmx.sample.plan import Trailer, trailers

SEED = 5
COUNT = 12
"""So many that every format and every odd trailer is among them."""


@pytest.fixture(scope="session")
def plan() -> list[Trailer]:
    return trailers(COUNT, SEED)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    return generate(tmp_path_factory.mktemp("sample"), COUNT, SEED, workers=2)


@pytest.fixture(scope="session")
def videos(sample: SampleReport) -> Path:
    return sample.videos
