import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmx.engine.errors import StoreBusyError, StoreError
from mmx.engine.receipt import Ingredients, Receipt
from mmx.engine.store import Store


def stored(store: Store, receipt_of: Callable[..., Ingredients], text: str = "result") -> Receipt:
    with store.workspace() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "result.txt").write_text(text)
        receipt = Receipt(receipt_of(), store.put_folder(folder))
    store.commit(receipt)
    return receipt


def test_what_is_committed_is_found(
    store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    assert store.find("double", receipt.fingerprint) == receipt
    (output,) = receipt.outputs
    assert output.name == "deep/result.txt"
    assert store.object(output.sha256).read_text() == "result"
    assert not os.access(store.object(output.sha256), os.W_OK) or os.geteuid() == 0


def test_without_its_receipt_an_item_does_not_count(
    store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    store.forget(receipt)
    assert store.find("double", receipt.fingerprint) is None


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"shorter")])
def test_a_missing_or_truncated_object_does_not_count(
    damage: Callable[..., Any], store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients, "something longer")
    path = store.object(receipt.outputs[0].sha256)
    path.chmod(0o644)
    damage(path)
    assert store.find("double", receipt.fingerprint) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_receipt_does_not_count(
    content: bytes, store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    store.receipt_path("double", receipt.fingerprint).write_bytes(content)
    assert store.find("double", receipt.fingerprint) is None


def test_a_receipt_under_another_name_does_not_count(
    store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    other = store.receipt_path("double", "0" * 64)
    other.parent.mkdir(parents=True)
    os.link(store.receipt_path("double", receipt.fingerprint), other)
    assert store.find("double", "0" * 64) is None


def test_a_workspace_is_empty_and_goes_away(store: Store) -> None:
    with store.workspace() as folder:
        assert os.listdir(folder) == []
        (folder / "half").touch()
    assert not folder.exists()


def test_a_second_run_is_refused_naming_the_first(store: Store) -> None:
    said = f"flow, process {os.getpid()}"
    with store.locked("flow"), pytest.raises(StoreBusyError, match=said), store.locked("scenes"):
        raise AssertionError("two runs at once")
    with store.locked("scenes"):
        pass


def test_the_leftovers_of_a_killed_run_are_cleared(store: Store) -> None:
    left = store.root / "tmp" / "123-abc"
    left.mkdir(parents=True)
    with store.locked("flow"):
        assert not left.exists()


def test_a_store_that_cannot_be_made_is_a_one_sentence_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"), Store(tmp_path / "file").locked("x"):
        pass


def test_the_journal_keeps_whole_lines(store: Store) -> None:
    store.note("flow", {"item": "a"})
    store.note("flow", {"item": "b"})
    path = store.root / "journal" / "flow.jsonl"
    path.write_bytes(path.read_bytes() + b'{"item":')
    assert store.journal("flow") == [{"item": "a"}, {"item": "b"}]
    assert store.journal("audio") == []


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"null", b"1"]
)
def test_json_made_to_break_its_reader_is_no_receipt(
    content: bytes, store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    store.receipt_path("double", receipt.fingerprint).write_bytes(content)
    assert store.find("double", receipt.fingerprint) is None
    assert list(store.receipts()) == []
    path = store.root / "journal" / "double.jsonl"
    path.parent.mkdir()
    path.write_bytes(content + b'\n{"item": "a"}\n')
    assert store.journal("double") == [{"item": "a"}]


def test_what_is_no_file_is_no_receipt(
    store: Store, make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = stored(store, make_ingredients)
    path = store.receipt_path("double", receipt.fingerprint)
    for make in (os.mkfifo, os.mkdir):
        path.unlink()
        make(path)
        assert store.find("double", receipt.fingerprint) is None
        assert list(store.receipts()) == []
        if path.is_dir():
            path.rmdir()
            path.touch()
    for name in ("journal/double.jsonl", "renew/double"):
        (store.root / name).parent.mkdir()
        os.mkfifo(store.root / name)
    assert (store.journal("double"), store.renewed("double")) == ([], "")


def test_an_object_that_is_a_link_does_not_count(
    store: Store, make_ingredients: Callable[..., Ingredients], tmp_path: Path
) -> None:
    receipt = stored(store, make_ingredients)
    path = store.object(receipt.outputs[0].sha256)
    (tmp_path / "secret").write_text("secret")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    assert store.find("double", receipt.fingerprint) is None


def test_a_link_is_followed_into_the_store(store: Store, tmp_path: Path) -> None:
    output = store.put_bytes(b"content", "a")
    store.object(output.sha256).unlink()
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    store.link(tmp_path / "link", output)
    assert store.holds(output) and not store.object(output.sha256).is_symlink()


@pytest.mark.parametrize("text", ["../x", "", "\xff", "f" * 63])
def test_a_mark_that_is_no_digest_renews_nothing(store: Store, text: str) -> None:
    store.renew("flow", "f" * 64)
    assert store.renewed("flow") == "f" * 64
    (store.root / "renew" / "flow").write_bytes(text.encode("latin-1"))
    assert store.renewed("flow") == ""


def test_workers_are_beside_each_other_and_runs_alone(store: Store) -> None:
    alone = pytest.raises(StoreBusyError, match=r"flow [12]/2, process \d+ on ")
    with store.joined("flow 1/2"), store.joined("flow 2/2"):
        left = store.root / "tmp" / "theirs"
        left.mkdir(parents=True)
        with alone, store.locked("prune"):
            raise AssertionError("a run beside workers")
        assert left.exists()
    busy = pytest.raises(StoreBusyError, match="prune, process")
    with store.locked("prune"), busy, store.joined("flow 1/2"):
        raise AssertionError("a worker beside a run")
    with store.joined("flow 1/2"):
        pass


def test_a_run_on_another_host_keeps_runs_and_workers_out(store: Store) -> None:
    there = store.root / "present" / "run~elsewhere~1~0"
    there.parent.mkdir(parents=True)
    there.write_text("flow, process 1 on elsewhere")
    for enter in (store.locked, store.joined):
        with pytest.raises(StoreBusyError, match="flow, process 1 on elsewhere"), enter("scenes"):
            raise AssertionError("beside a run on another host")


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_has_presence(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(error, "no locks")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with store.locked("flow"), pytest.raises(StoreBusyError, match="flow"), store.joined("x"):
        raise AssertionError("a worker beside a run")


def test_each_worker_has_a_journal_and_all_are_read(store: Store) -> None:
    store.note("flow", {"item": "b", "finished": "2"})
    with store.joined("flow 1/2") as one, store.joined("flow 2/2") as two:
        two.note("flow", {"item": "c", "finished": "3"})
        one.note("flow", {"item": "a", "finished": "1"})
        one.note("flow", {"item": "d", "finished": "4"})
    assert [entry["item"] for entry in store.journal("flow")] == ["a", "b", "c", "d"]
    assert len(list((store.root / "journal" / "flow").iterdir())) == 2


def test_who_holds_the_lock_of_this_host_waits_for_no_earlier_run_here(store: Store) -> None:
    # Its number belongs to another process by now.
    left = store.root / "present" / f"run~{socket.gethostname()}~{os.getppid()}~0"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"flow")
    with store.locked("scenes"):
        assert not left.exists()
    elsewhere = left.with_name(f"run~elsewhere~{os.getppid()}~0")
    elsewhere.write_bytes(b"flow")
    with pytest.raises(StoreBusyError, match="flow"), store.locked("scenes"):
        pass
