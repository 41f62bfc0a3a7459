import dataclasses
import json

import pytest

from mmx.engine.receipt import Fault, OutputFile, Receipt, ReceiptError, Weight

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
def test_every_ingredient_is_in_the_fingerprint(change, make_ingredients):
    assert make_ingredients(**change).fingerprint != make_ingredients().fingerprint


def test_what_is_told_of_a_weight_is_not(make_ingredients):
    moved = dataclasses.replace(WEIGHT, source="https://example.org/mirror", licence="Apache-2.0")
    one, two = make_ingredients(weights=(WEIGHT,)), make_ingredients(weights=(moved,))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    "receipt",
    [
        {"outputs": (OutputFile("a.txt", "b" * 64, 3),), "facts": {"n": 1}},
        {"fault": Fault("MediaFault", "the file is empty")},
        {"adopted": "f" * 64},
    ],
)
def test_a_receipt_survives_json(receipt, make_ingredients):
    receipt = Receipt(make_ingredients(weights=(WEIGHT,)), **receipt)
    assert Receipt.from_dict(json.loads(json.dumps(receipt.to_dict()))) == receipt


def test_a_receipt_that_was_edited_is_refused(make_ingredients):
    data = Receipt(make_ingredients()).to_dict()
    data["ingredients"]["parameters"]["double.factor"] = 3
    with pytest.raises(ReceiptError, match="fingerprint"):
        Receipt.from_dict(data)


@pytest.mark.parametrize("field", ["ingredients", "outputs", "facts", "fault", "fingerprint"])
def test_a_receipt_without_a_field_is_refused(field, make_ingredients):
    data = Receipt(make_ingredients()).to_dict()
    del data[field]
    with pytest.raises(ReceiptError):
        Receipt.from_dict(data)


def test_the_output_digest_follows_the_bytes_and_not_the_ingredients(make_ingredients):
    outputs = (OutputFile("a.txt", "b" * 64, 3),)
    one, two = Receipt(make_ingredients(1), outputs), Receipt(make_ingredients(2), outputs)
    assert one.output_digest == two.output_digest
    other = Receipt(make_ingredients(1), (OutputFile("a.txt", "c" * 64, 3),))
    assert one.output_digest != other.output_digest
