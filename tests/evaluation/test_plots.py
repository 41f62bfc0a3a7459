import json
from pathlib import Path
from typing import Any

from mmx.evaluation import plots


def test_curves_come_back_as_written(tmp_path: Path) -> None:
    curves = {
        "all": {"recall": [0.0, 1.0], "precision": [1.0, 0.25]},
        "=War": {"recall": [0.5], "precision": [0.5]},
    }
    plots.write_curves(tmp_path / "c.csv", curves)
    assert plots.read_curves(tmp_path / "c.csv") == {
        "all": curves["all"],
        "'=War": curves["=War"],
    }


def test_a_history_has_a_row_per_epoch(tmp_path: Path) -> None:
    epochs: list[dict[str, Any]] = [
        {"epoch": 0, "silhouette": 0.5},
        {"epoch": 1, "loss": 1 / 3, "silhouette": None},
    ]
    (tmp_path / "history.json").write_text(json.dumps({"kept_epoch": 1, "epochs": epochs}))
    assert plots.read_history(tmp_path) == epochs
    plots.write_history(tmp_path / "h.csv", epochs)
    assert (tmp_path / "h.csv").read_text() == "epoch,silhouette,loss\n0,0.5,\n1,,0.333333\n"
