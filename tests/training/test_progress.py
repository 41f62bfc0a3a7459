"""What a log shows of a training."""

import time

import pytest

from mmx.training.progress import EpochProgress


def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 10.0, 40.0, 40.0, 45.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    shown = EpochProgress("train", 3)
    shown.bar.disable = True
    for epoch in (1, 2, 3):
        shown.show({"epoch": epoch, "train_loss": 0.5, "silhouette": None})
    assert capsys.readouterr().err == "train: epoch 2/3, train loss 0.5000\n"


def test_epochs_go_on_where_they_were() -> None:
    assert list(EpochProgress("train", 5).follow(4)) == [4, 5]
    assert list(EpochProgress("train", 5).follow(6)) == []
