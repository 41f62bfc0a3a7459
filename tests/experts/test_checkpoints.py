import os
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmx.experts.checkpoints import CheckpointError, load_published, load_strictly, read_state

Format = Literal["torch", "torch_latin1", "safetensors"]
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """Stands for `torch.cuda.FloatStorage`, the class that a GPU's trainer wrote."""


# Of the pickler that is written in Python, types tell neither methods nor attributes.
PythonPickler: Any = pickle._Pickler


class Python2Pickler(PythonPickler):  # type: ignore[misc]
    """Writes what Python 2 wrote: byte strings, and dictionaries made from lists of pairs."""

    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(PythonPickler.dispatch)

    def persistent_id(self, thing: object) -> Any:
        return getattr(thing, "persistent", None)

    def save_bytes_as_text(self, text: str) -> None:
        raw = text.encode("latin1")
        self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        self.memoize(text)

    def save_ordered(self, mapping: OrderedDict[Any, Any]) -> None:
        self.save_reduce(OrderedDict, ([list(pair) for pair in mapping.items()],), obj=mapping)

    def save_storage_class(self, kind: type) -> None:
        if kind is Storage:
            self.write(b"ctorch.cuda\nFloatStorage\n")
        else:
            self.save_type(kind)

    def save_tensor(self, tensor: torch.Tensor) -> None:
        self.write(b"ctorch._utils\n_rebuild_tensor\n")
        self.save((StoredTensor.of(tensor), 0, tuple(tensor.shape), tensor.stride()))
        self.write(pickle.REDUCE)

    dispatch[str] = save_bytes_as_text
    dispatch[OrderedDict] = save_ordered
    dispatch[type] = save_storage_class
    dispatch[torch.Tensor] = save_tensor


class StoredTensor:
    """A storage by reference; its bytes follow the pickles."""

    known: ClassVar[dict[int, "StoredTensor"]] = {}

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.key = tensor, str(id(tensor))
        self.persistent = ("storage", Storage, self.key, "cuda:0", tensor.numel(), None)

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "StoredTensor":
        return cls.known.setdefault(id(tensor), cls(tensor))


def write_python2(path: Path, content: Any, tensors: Iterable[torch.Tensor]) -> None:
    """Write a checkpoint as PyTorch 0.2 under Python 2 did, from a GPU."""
    StoredTensor.known.clear()
    sizes = {"short": 2, "int": 4, "long": 8}
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": sizes}
    with path.open("wb") as file:
        for part in (MAGIC, PROTOCOL, system, content):
            Python2Pickler(file, protocol=2).dump(part)
        stored = [StoredTensor.of(tensor) for tensor in tensors]
        Python2Pickler(file, protocol=2).dump([each.key for each in stored])
        for each in stored:
            file.write(struct.pack("<q", each.tensor.numel()) + each.tensor.numpy().tobytes())


def small_network() -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4)))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    state = small_network().state_dict()
    return {name: torch.randn_like(v) if v.is_floating_point() else v for name, v in state.items()}


def assert_same(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_of_torchs_formats_are_read(
    tmp_path: Path, state: dict[str, torch.Tensor], zipped: bool
) -> None:
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_same(read_state(tmp_path / "w.pth", "torch"), state)


def test_safetensors_are_read(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, tmp_path / "w.safetensors")
    assert_same(read_state(tmp_path / "w.safetensors", "safetensors"), state)


@pytest.mark.parametrize("best", [55.625, np.float64(55.625)])
def test_what_a_trainer_wrapped_around_the_weights_is_taken_off(
    tmp_path: Path, state: dict[str, torch.Tensor], best: float | np.float64
) -> None:
    wrapped = {f"module.{name}": value for name, value in state.items()}
    content = {"epoch": 90, "arch": "resnet18", "state_dict": wrapped, "best_prec1": best}
    torch.save(content, tmp_path / "w.pth.tar", _use_new_zipfile_serialization=False)
    assert_same(read_state(tmp_path / "w.pth.tar", "torch_latin1"), state)


def test_a_pickle_of_python_2_is_read_as_it_was_written_on_a_gpu(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state = {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")}
    wrapped = OrderedDict((f"module.{name}", value) for name, value in state.items())
    content = {"arch": "resnet18", "state_dict": wrapped, "best_prec1": 55.625, "by": "B\xe9la"}
    path = tmp_path / "resnet18_places365.pth.tar"
    write_python2(path, content, state.values())
    assert b"U\x08resnet18" in path.read_bytes()
    assert b"ctorch.cuda\nFloatStorage\n" in path.read_bytes()
    assert_same(read_state(path, "torch_latin1"), state)
    with pytest.raises(CheckpointError):
        read_state(path, "torch")
    network = small_network()
    load_published(network, path, "torch_latin1")
    assert torch.equal(network.get_parameter("conv.weight"), state["conv.weight"])


def test_arrays_become_float32_tensors(tmp_path: Path) -> None:
    means = np.arange(128) / 3
    torch.save({"pca_means": means}, tmp_path / "pca.pth", pickle_protocol=2)
    read = read_state(tmp_path / "pca.pth", "torch")["pca_means"]
    assert read.dtype == torch.float32
    np.testing.assert_array_equal(read.numpy(), means.astype(np.float32))


class Bomb:
    """A pickle that runs a command when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("format", ["torch", "torch_latin1"])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [os.mkdir, eval, exec])
def test_nothing_in_a_pickle_is_run(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    format: Format,
    zipped: bool,
    function: Callable[..., Any],
) -> None:
    trace = tmp_path / "was-here"
    argument = str(trace) if function is os.mkdir else f"__import__('os').mkdir({str(trace)!r})"
    content = {"state_dict": state, "arch": Bomb(function, argument)}
    path = tmp_path / "w.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"w\.pth cannot be read as torch"):
        read_state(path, format)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "the file was harmless, and the test proves nothing"


def test_an_array_of_objects_runs_nothing_either(tmp_path: Path) -> None:
    trace = tmp_path / "was-here"
    objects = np.array([Bomb(os.mkdir, str(trace))], dtype=object)
    torch.save({"conv.weight": objects}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError):
        read_state(tmp_path / "w.pth", "torch")
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04" + bytes(50)])
@pytest.mark.parametrize("format", ["torch", "torch_latin1", "safetensors"])
def test_what_is_no_checkpoint_is_said_to_be_none(
    tmp_path: Path, content: bytes, format: Format
) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"w\.pth cannot be read as {format}"):
        read_state(path, format)


@pytest.mark.parametrize(
    ("content", "said"),
    [([1, 2], "holds a list"), ({"a": 3}, "a is a int"), ({1: torch.zeros(1)}, "not text")],
)
def test_what_holds_no_weights_by_name_is_refused(
    tmp_path: Path, content: list[int] | dict[str | int, Any], said: str
) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=said):
        read_state(tmp_path / "w.pth", "torch")


def test_a_truncated_file_is_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError):
        read_state(path, "torch")


def test_every_key_that_does_not_fit_is_named(state: dict[str, torch.Tensor]) -> None:
    del state["conv.bias"]
    state["head.weight"] = torch.zeros(3)
    state["norm.weight"] = torch.zeros(5)
    with pytest.raises(CheckpointError) as caught:
        load_strictly(small_network(), state)
    assert str(caught.value) == (
        "the weights do not fit Sequential: missing: conv.bias; extra: head.weight; "
        "misshapen: norm.weight (wanted (4,), found (5,))"
    )


def test_a_file_without_counters_loads(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    del state["norm.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    network = small_network()
    load_published(network, tmp_path / "w.pth")
    assert torch.equal(network.get_buffer("norm.running_var"), state["norm.running_var"])


def test_names_are_mapped_before_they_are_compared(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save({name.upper(): value for name, value in state.items()}, tmp_path / "w.pth")
    network = small_network()
    load_published(network, tmp_path / "w.pth", "torch", str.lower)
    assert torch.equal(network.get_parameter("conv.weight"), state["conv.weight"])


def test_two_names_that_become_one_are_refused(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state["CONV.WEIGHT"] = state["conv.weight"] + 1
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"twice: CONV\.WEIGHT"):
        load_published(small_network(), tmp_path / "w.pth", "torch", str.lower)


def test_reading_imports_nothing_that_a_file_names(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"\x80\x02cantigravity\ngeohash\n.")
    with pytest.raises(CheckpointError):
        read_state(path, "torch")
    assert "antigravity" not in sys.modules


def odd(changed: Any) -> Callable[[dict[str, torch.Tensor]], Any]:
    """Return what replaces `conv.weight` in a state by what `changed` makes of it."""

    def change(state: dict[str, torch.Tensor]) -> dict[str, Any]:
        return {**state, "conv.weight": changed(state["conv.weight"])}

    return change


ODD: list[tuple[Callable[[dict[str, torch.Tensor]], Any], str]] = [
    (odd(lambda w: w.fill_(float("nan"))), "NaN or infinity: conv.weight"),
    (odd(lambda w: w.index_fill(0, torch.tensor([2]), float("inf"))), "NaN or infinity: conv.we"),
    (odd(lambda w: w.index_fill(0, torch.tensor([2]), -float("inf"))), "NaN or infinity: conv.w"),
    (odd(lambda w: w.half().fill_(float("nan"))), "NaN or infinity: conv.weight"),
    (odd(lambda w: w.to(torch.complex64)), "conv.weight is complex, not a tensor of numbers"),
    (odd(lambda w: w.to_sparse()), "conv.weight is sparse, nested or quantized"),
    (odd(lambda w: w.to("meta")), "conv.weight is without numbers"),
    (
        odd(lambda w: w.numpy().astype(np.complex64)),
        "but got <class 'numpy.dtypes.Comp",
    ),
    (odd(lambda w: w[0]), "misshapen: conv.weight (wanted (4, 3, 3, 3), found (3, 3, 3))"),
    (odd(lambda w: torch.zeros(1).expand(10**12)), "misshapen: conv.weight"),
    (odd(lambda w: torch.zeros(0)), "misshapen: conv.weight (wanted (4, 3, 3, 3), found (0,))"),
    (odd(lambda w: w.tolist()), "conv.weight is a list, not a tensor of numbers"),
    (odd(lambda w: None), "conv.weight is a NoneType"),
    (odd(lambda w: 1.5), "conv.weight is a float"),
    (odd(lambda w: {"w": w}), "conv.weight is a dict"),
    (lambda state: {"state_dict": [1, 2]}, "state_dict is a list, not weights"),
    (lambda state: {"state_dict": None}, "state_dict is a NoneType, not weights"),
    (lambda state: {"model": state}, "model is a OrderedDict, not a tensor of numbers"),
    (lambda state: {1: state["conv.weight"]}, "holds names that are not text"),
    (
        lambda state: {},
        "missing: conv.bias, conv.weight, norm.bias, norm.running_mean, ",
    ),
    (lambda state: [state], "holds a list, not weights by name"),
    (lambda state: "weights", "holds a str, not weights by name"),
    (lambda state: state["conv.weight"], "holds a Tensor, not weights by name"),
    (
        lambda state: state | {f"extra{number}": torch.zeros(1) for number in range(1000)},
        "extra: extra0, extra1, extra10, extra100, extra101 and 995 more",
    ),
    (lambda state: state | {"x" * 10_000: torch.zeros(1)}, f"extra: {'x' * 100}"),
]


@pytest.mark.parametrize(("change", "said"), ODD, ids=[said[:40] for _, said in ODD])
def test_odd_weights_are_refused_in_one_sentence(
    tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    state = small_network().state_dict()
    torch.save(change(state), tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as caught:
        load_published(small_network(), tmp_path / "w.pth")
    told = str(caught.value)
    assert said in told and len(told) < 700 and "\n" not in told


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_widths_of_floats_are_loaded(tmp_path: Path, kind: torch.dtype) -> None:
    state = small_network().state_dict()
    torch.save({**state, "conv.bias": state["conv.bias"].to(kind)}, tmp_path / "w.pth")
    load_published(small_network(), tmp_path / "w.pth")


def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    torch.save(small_network().state_dict(), tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    for place in range(0, len(content), len(content) // 60):
        damaged = bytearray(content)
        damaged[place : place + 8] = b"\xff" * 8
        (tmp_path / "w.pth").write_bytes(damaged)
        try:
            load_published(small_network(), tmp_path / "w.pth")
        except CheckpointError as error:
            assert str(error) and "\n" not in str(error) and len(str(error)) < 700
