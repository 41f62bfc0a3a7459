from pathlib import Path

from mmx.dvc_state.history import History
from mmx.outputs import read_receipts
from mmx.project import Project


def test_versions_of_an_output_each_by_the_commit_that_brought_it(changed: Path) -> None:
    history = History(changed)
    brought = [v.commit and v.commit.subject for v in history.versions("data/flow")]
    assert brought == ["second run", "first run"]


def test_an_output_that_stays_has_one_version(project: Project) -> None:
    assert len(list(History(project.layout.root).versions("data/clips"))) == 1


def test_receipts_of_the_present_version(project: Project) -> None:
    now = History(project.layout.root).now
    assert now is not None
    for item, receipt in read_receipts(project.layout.flow).items():
        assert now.receipt("data/flow", item) == receipt
    assert now.receipt("data/flow", "nobody") is None
    assert now.receipt("data/nothing", "t00001") is None


def test_no_git_and_no_dvc_is_no_history(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert history.cache is None
    assert history.now is None
    assert history.commits == []
