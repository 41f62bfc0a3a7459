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


def test_what_is_told_of_a_weight_is_not(make_ingredients: Callable[..., Ingredients]) -> None:
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
    ],
)
@pytest.mark.parametrize("verify", [True, False])
def test_an_output_that_could_lead_anywhere_is_refused(
    make_ingredients: Callable[..., Ingredients], output: dict[str, Any], verify: bool
) -> None:
    receipt = Receipt(make_ingredients(), (OutputFile("a.txt", "b" * 64, 3),)).to_dict()
    receipt["outputs"] = [{**receipt["outputs"][0], **output}]
    with pytest.raises(ReceiptError, match="not a receipt"):
        Receipt.from_dict(receipt, verify=verify)
