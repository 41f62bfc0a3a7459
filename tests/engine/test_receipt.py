import contextlib
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from mmx.engine.errors import ReceiptError
from mmx.engine.receipt import Adoption, Fault, Ingredients, OutputFile, Receipt, Weight

WEIGHT = Weight("net.pth", "a" * 64, "https://example.org/net.pth", "MIT")


@pytest.mark.parametrize(
    "change",
    [
        {"step": "treble"},
        {"schema": 2},
        {"inputs": {"number": "2"}},
        {"parameters": {"double.factor": 3}},
        {"code": "c0de2"},
        {"tools": {"python": "3.12"}},
        {"weights": (WEIGHT,)},
    ],
)
def test_every_ingredient_is_in_the_fingerprint(
    change: dict[str, Any], make_ingredients: Callable[..., Ingredients]
) -> None:
    assert make_ingredients(**change).fingerprint != make_ingredients().fingerprint


def test_information_about_a_weight_is_not_in_the_fingerprint(
    make_ingredients: Callable[..., Ingredients],
) -> None:
    moved = dataclasses.replace(WEIGHT, source="https://example.org/mirror", licence="Apache-2.0")
    one, two = make_ingredients(weights=(WEIGHT,)), make_ingredients(weights=(moved,))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"outputs": (OutputFile("a.txt", "b" * 64, 3),), "facts": {"n": 1}},
        {"fault": Fault("MediaFault", "the file is empty")},
        {"fault": Fault("MediaFault", "the file is empty", "empty")},
        {"adopted": Adoption("f" * 64)},
        {"adopted": Adoption("f" * 64, ("alien", "jaws"), 9, "c0ffee+")},
    ],
)
def test_a_receipt_survives_json(
    fields: dict[str, Any], make_ingredients: Callable[..., Ingredients]
) -> None:
    receipt = Receipt(make_ingredients(weights=(WEIGHT,)), **fields)
    assert Receipt.from_dict(json.loads(json.dumps(receipt.to_dict()))) == receipt


def test_a_receipt_that_was_edited_is_refused(make_ingredients: Callable[..., Ingredients]) -> None:
    data = Receipt(make_ingredients()).to_dict()
    data["ingredients"]["parameters"]["double.factor"] = 3
    with pytest.raises(ReceiptError, match="fingerprint"):
        Receipt.from_dict(data)


@pytest.mark.parametrize("field", ["ingredients", "outputs", "facts", "fault", "fingerprint"])
def test_a_receipt_without_a_field_is_refused(
    field: str, make_ingredients: Callable[..., Ingredients]
) -> None:
    data = Receipt(make_ingredients()).to_dict()
    del data[field]
    with pytest.raises(ReceiptError):
        Receipt.from_dict(data)


def test_the_output_digest_follows_the_bytes_and_not_the_ingredients(
    make_ingredients: Callable[..., Ingredients],
) -> None:
    outputs = (OutputFile("a.txt", "b" * 64, 3),)
    one, two = Receipt(make_ingredients(1), outputs), Receipt(make_ingredients(2), outputs)
    assert one.output_digest == two.output_digest
    other = Receipt(make_ingredients(1), (OutputFile("a.txt", "c" * 64, 3),))
    assert one.output_digest != other.output_digest


def test_receipts_of_earlier_versions_are_read_and_written_as_they_were(
    make_ingredients: Callable[..., Ingredients],
) -> None:
    old = Receipt(make_ingredients(), fault=Fault("MediaFault", "it is empty")).to_dict()
    assert "code" not in old["fault"]
    old["adopted"] = "f" * 64
    receipt = Receipt.from_dict(old)
    assert receipt.adopted == Adoption("f" * 64)
    assert receipt.to_dict() == old


@pytest.mark.parametrize(
    "output",
    [
        {"sha256": "/etc/passwd"},
        {"sha256": "../" * 20 + "etc/passwd"},
        {"sha256": "B" * 64},
        {"sha256": 7},
        {"name": "../escaped"},
        {"name": "/etc/passwd"},
        {"name": "a/../../b"},
        {"name": "a//b"},
        {"name": "a\\b"},
        {"name": "a\0b"},
        {"name": ""},
        {"name": None},
        {"name": "a\nb"},
        {"name": "b" * 256},
        {"size": -1},
        {"size": "3"},
        {"size": True},
        {"size": None},
    ],
)
@pytest.mark.parametrize("verify", [True, False])
def test_an_output_outside_its_folder_is_refused(
    make_ingredients: Callable[..., Ingredients], output: dict[str, Any], verify: bool
) -> None:
    receipt = Receipt(make_ingredients(), (OutputFile("a.txt", "b" * 64, 3),)).to_dict()
    receipt["outputs"] = [{**receipt["outputs"][0], **output}]
    with pytest.raises(ReceiptError, match="not a receipt"):
        Receipt.from_dict(receipt, verify=verify)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("ingredients", {"step": "../../double"}),
        ("ingredients", {"step": "/tmp/double"}),
        ("ingredients", {"step": ""}),
        ("ingredients", {"step": None}),
        ("ingredients", {"schema": "1"}),
        ("ingredients", {"inputs": []}),
        ("ingredients", {"inputs": {"number": 2}}),
        ("ingredients", {"parameters": []}),
        ("ingredients", {"code": 7}),
        ("ingredients", {"tools": {"python": None}}),
        ("ingredients", {"weights": [{**dataclasses.asdict(WEIGHT), "sha256": "../x"}]}),
        ("ingredients", {"weights": [{**dataclasses.asdict(WEIGHT), "sha256": 1}] * 2}),
        ("ingredients", {"extra": 1}),
        ("", {"facts": []}),
        ("", {"fault": {"kind": "MediaFault", "reason": None}}),
        ("", {"adopted": "../x"}),
        ("", {"adopted": {"fingerprint": "f" * 64, "sample": [1]}}),
        ("", {"adopted": {"fingerprint": 1, "sample": ["alien"]}}),
        ("", {"outputs": [{"name": "a", "sha256": "b" * 64, "size": 1}] * 2}),
        (
            "",
            {"outputs": [{"name": name, "sha256": "b" * 64, "size": 1} for name in ("a", "a/b")]},
        ),
        ("", {"outputs": {"name": 1}}),
        ("", {"fingerprint": "../x"}),
    ],
)
@pytest.mark.parametrize("verify", [True, False])
def test_a_field_that_no_step_writes_is_refused(
    make_ingredients: Callable[..., Ingredients], part: str, change: dict[str, Any], verify: bool
) -> None:
    data = json.loads(json.dumps(Receipt(make_ingredients()).to_dict()))
    (data[part] if part else data).update(change)
    if part and change != {"extra": 1}:
        # A forger computes the fingerprint again.
        with contextlib.suppress(TypeError, ValueError):
            fields = {**data["ingredients"], "weights": []}
            data["fingerprint"] = Ingredients(**fields).fingerprint
    with pytest.raises(ReceiptError) as caught:
        Receipt.from_dict(data, verify=verify)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("data", [None, [], 1, "text", {}, {"ingredients": []}, [[]]])
def test_other_json_is_no_receipt(data: Any) -> None:
    with pytest.raises(ReceiptError, match=r"^not a receipt: "):
        Receipt.from_dict(data)


def test_equal_parts_are_shared_and_numbers_of_other_kinds_are_not() -> None:
    def read(value: object, like: Receipt | None = None) -> Receipt:
        ingredients = Ingredients("flow", 1, {"video": "0" * 64}, {"bound": value}, "c", {"a": "1"})
        made = Receipt(ingredients)
        return Receipt.from_dict(json.loads(json.dumps(made.to_dict())), like=like)

    first = read(20)
    same, other = read(20, first), read(20.0, first)
    assert same == first and same.ingredients.tools is first.ingredients.tools
    assert same.ingredients.parameters is first.ingredients.parameters
    assert type(other.ingredients.parameters["bound"]) is float
    assert type(read(True, read(1)).ingredients.parameters["bound"]) is bool
