"""Settings of torch: they hold inside the context and are restored after it."""

import pytest
import torch

import mmx.device
from mmx.training.machine import find_device, mixed, reproducible


def test_determinism_and_threads_hold_inside_and_are_put_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="stop"), reproducible(threads=before[0] + 1):
        assert torch.get_num_threads() == before[0] + 1
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError("stop")
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1"])
def test_devices_by_name(name: str) -> None:
    assert find_device(name) == torch.device(name)


@pytest.mark.parametrize("there", [False, True])
def test_auto_takes_a_gpu_where_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmx.device, "count_gpus", lambda: int(there))
    assert find_device("auto").type == ("cuda" if there else "cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_precision_of_products(precision: str, dtype: torch.dtype) -> None:
    with mixed(torch.device("cpu"), precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
