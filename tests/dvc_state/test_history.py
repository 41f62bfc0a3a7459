import subprocess
from pathlib import Path

import pytest
import yaml

from mmx.dvc_state.history import GitError, History, HistoryError, NoHistoryError
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


def git(root: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", str(root), *settings, *arguments], check=True, capture_output=True)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A DVC repository with one commit, which has no dvc.lock."""
    (tmp_path / ".dvc").mkdir()
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "nothing yet")
    return tmp_path


def test_an_unknown_revision(bare: Path) -> None:
    with pytest.raises(HistoryError, match=r"^'nowhere' is not a revision of the project$"):
        History(bare).at("nowhere")


def test_a_revision_without_outputs(bare: Path) -> None:
    with pytest.raises(HistoryError, match=r"'HEAD' has no dvc\.lock"):
        History(bare).at("HEAD")
    assert History(bare).commits == []


def test_no_git_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(NoHistoryError, match=r"^the project is not in a git repository$"):
        History(tmp_path).at("HEAD")
    assert History(tmp_path).commits == []


def test_git_is_not_installed(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoHistoryError, match=r"^git is not installed$"):
        History(bare).at("HEAD")
    assert History(bare).commits == []


def test_no_dvc_repository(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="is not a DVC repository"):
        History(tmp_path).at("HEAD")


def test_a_repository_without_a_commit_has_no_history(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    git(tmp_path, "init", "--quiet")
    assert History(tmp_path).commits == []
    with pytest.raises(HistoryError, match="is not a revision"):
        History(tmp_path).at("HEAD")


def test_the_message_of_git_is_passed_on(bare: Path) -> None:
    (bare / ".git" / "config").write_text("[core\n")
    for ask in (lambda: History(bare).at("HEAD"), lambda: History(bare).commits):
        with pytest.raises(GitError, match=r"^git: bad config line 1") as raised:
            ask()
        assert not isinstance(raised.value, NoHistoryError)


def test_a_commit_that_removed_the_lock_is_a_version_without_outputs(bare: Path) -> None:
    lock = {"stages": {"split": {"outs": [{"path": "data/splits.parquet", "md5": "1" * 32}]}}}
    (bare / "dvc.lock").write_text(yaml.safe_dump(lock))
    git(bare, "add", "dvc.lock")
    git(bare, "commit", "--quiet", "--message", "made")
    git(bare, "rm", "--quiet", "dvc.lock")
    git(bare, "commit", "--quiet", "--message", "taken away")
    found = [(v.commit and v.commit.subject, v.outs) for v in History(bare).all_versions]
    assert found == [("taken away", {}), ("made", {"data/splits.parquet": "1" * 32})]
