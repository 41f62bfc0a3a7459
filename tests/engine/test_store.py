import os
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
def test_an_object_gone_or_cut_off_does_not_count(
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


def test_a_second_run_is_told_who_is_there(store: Store) -> None:
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


def test_a_store_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
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
