"""What a log shows of a training."""

import io
import time

import pytest
from rich.console import Console

from mmx.training.progress import EpochProgress


def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = EpochProgress("train", 3)
    shown.bar.disable = True
    for epoch, seconds in ((1, 10.0), (2, 40.0), (3, 45.0)):
        now[0] = seconds
        shown.show({"epoch": epoch, "train_loss": 0.5, "silhouette": None})
    assert capsys.readouterr().err == "train: epoch 2/3, train loss 0.5000, 0:00:20 left\n"


def test_epochs_go_on_where_they_were() -> None:
    assert list(EpochProgress("train", 5).follow(4)) == [4, 5]
    assert list(EpochProgress("train", 5).follow(6)) == []


def test_the_bar_is_one_line_with_the_time_left() -> None:
    shown = EpochProgress("finetune", 200)
    shown.show({"epoch": 7, "train_loss": 1.25, "validation_loss": 2.5, "silhouette": 0.0625})
    console = Console(file=io.StringIO(), width=80)
    console.print(shown.bar.make_tasks_table(shown.bar.tasks))
    assert isinstance(console.file, io.StringIO)
    (line,) = console.file.getvalue().rstrip("\n").split("\n")
    assert len(line) <= 80 and "7/200 -:--:-- train loss 1.2500, validation" in line
