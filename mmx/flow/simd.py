"""Sixteen float32 numbers as one value in compiled code: what the flow kernels are written in.

LLVM turns the vectors into whatever the processor has (one AVX-512 register, two of AVX2, four of
NEON), so the kernels' speed does not hang on a loop vectoriser that gives up without a word.
Memory is addressed by number (`array.ctypes.data`, counted in elements of 4 bytes from there): an
array in a kernel's signature would cost an atomic count of references at every call. Nothing is
checked. The functions work only inside code that numba compiles.
"""

import operator
import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_QUARTER = ir.VectorType(_FLOAT, LANES // 4)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_FLUSH = 0x8040
"""Bits of the control word: results that are denormal become zero, and so do such operands."""
_CONTRACT = ("contract",)
"""A product may be added without rounding it first."""
_ESTIMATE = ("nnan", "ninf", "nsz", "arcp", "contract")
"""The processor's estimate of a reciprocal, refined by one Newton step, serves as well."""


class Float32x16(types.Type):
    """The numba type of a vector."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


VECTOR = Float32x16()
Address = int
"""Of memory, as `array.ctypes.data` gives it."""
Vector = Any
"""A Float32x16, which type checkers cannot know."""
Vectors = tuple[Any, ...]
Function = Callable[..., Any]
_compiled: Callable[[Function], Function] = intrinsic


@register_model(Float32x16)
class _Float32x16Model(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _pointer(builder: Any, base: Any, at: Any, kind: Any) -> Any:
    numbers = builder.inttoptr(base, _FLOAT.as_pointer())
    return builder.bitcast(builder.gep(numbers, [at]), kind.as_pointer())


def _order(*lanes: int) -> ir.Constant:
    return ir.Constant(_INTEGERS, list(lanes))


def _reader(kind: Any, result: types.Type, order: tuple[int, ...] = ()) -> Function:
    """Make a compiled function of (address, at) that loads a value of the LLVM type `kind`.

    order: which of the loaded numbers the lanes of the result are, where they are not the same.
    """

    @_compiled
    def read(typingctx: Any, base: types.Integer, at: types.Integer) -> tuple:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], args[1], kind), align=4)
            return builder.shuffle_vector(value, value, _order(*order)) if order else value

        return result(types.intp, types.intp), codegen

    return read


def _writer(kind: Any, argument: types.Type) -> Function:
    """Make a compiled function of (address, at, value) that stores a value as LLVM's `kind`."""

    @_compiled
    def write(typingctx: Any, base: types.Integer, at: types.Integer, value: Any) -> tuple:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.fptosi(args[2], kind) if kind == _INTEGERS else args[2]
            builder.store(value, _pointer(builder, args[0], args[1], kind), align=4)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, argument), codegen

    return write


def _function(build: Function, *, arity: int) -> Function:
    """Make a compiled function of `arity` vectors from what builds its result in LLVM's terms."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, *args)

    def one(typingctx: Any, a: Float32x16) -> tuple:
        return VECTOR(VECTOR), codegen

    def two(typingctx: Any, a: Float32x16, b: Float32x16) -> tuple:
        return VECTOR(VECTOR, VECTOR), codegen

    return _compiled(one if arity == 1 else two)


def _shuffle(lanes: list[int]) -> Function:
    """Return what picks `lanes` of two vectors, the second's counted from 16."""
    return _function(lambda b, x, y: b.shuffle_vector(x, y, _order(*lanes)), arity=2)


def _call(name: str) -> Function:
    """Return what builds a call of LLVM's own function `name` of one vector."""

    def build(builder: Any, a: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f32")
        return builder.call(function, [a])

    return build


def _overload(symbol: Function, function: Function) -> None:
    """Let vectors take the operator `symbol`."""

    @overload(symbol, strict=False, jit_options={"forceinline": True})
    def choose(a: types.Type, b: types.Type) -> Function | None:
        if isinstance(a, Float32x16) and isinstance(b, Float32x16):
            return lambda a, b: function(a, b)
        return None


_LANES = range(LANES)
_QUADS = [range(first, first + 4) for first in range(0, 2 * LANES, 4)]

load = _reader(_VECTOR, VECTOR)
load_number = _reader(_FLOAT, types.float32)
load_integer = _reader(ir.IntType(32), types.int32)
load_repeated = _reader(_QUARTER, VECTOR, tuple(lane // 4 for lane in _LANES))
store = _writer(_VECTOR, VECTOR)
store_number = _writer(_FLOAT, types.float32)
store_integers = _writer(_INTEGERS, VECTOR)

minimum = _function(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), arity=2)
maximum = _function(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), arity=2)
floor = _function(_call("llvm.floor"), arity=1)
square_root = _function(_call("llvm.sqrt"), arity=1)
quotient = _function(lambda b, x, y: b.fdiv(x, y, flags=_ESTIMATE), arity=2)
after = _shuffle([lane + 1 for lane in _LANES])
before = _shuffle([lane + LANES - 1 for lane in _LANES])

_overload(operator.add, _function(lambda b, x, y: b.fadd(x, y, flags=_CONTRACT), arity=2))
_overload(operator.sub, _function(lambda b, x, y: b.fsub(x, y, flags=_CONTRACT), arity=2))
_overload(operator.mul, _function(lambda b, x, y: b.fmul(x, y, flags=_CONTRACT), arity=2))

_even_quads = _shuffle([lane for quad in _QUADS[0::2] for lane in quad])
_odd_quads = _shuffle([lane for quad in _QUADS[1::2] for lane in quad])
_first = _shuffle([4 * lane % 32 for lane in _LANES])
_second = _shuffle([(4 * lane + 1) % 32 for lane in _LANES])
_third = _shuffle([(4 * lane + 2) % 32 for lane in _LANES])
_halves = _shuffle([*range(8), *range(16, 24)])
_zip_low = _shuffle([LANES * (lane % 2) + lane // 2 for lane in _LANES])
_zip_high = _shuffle([LANES * (lane % 2) + lane // 2 + 8 for lane in _LANES])
_pairs_low = _shuffle([LANES * (lane // 2 % 2) + lane // 4 * 2 + lane % 2 for lane in _LANES])
_pairs_high = _shuffle([LANES * (lane // 2 % 2) + lane // 4 * 2 + lane % 2 + 8 for lane in _LANES])


@_compiled
def splat(typingctx: Any, value: types.Float) -> tuple:
    """Return a vector whose lanes all are `value`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(ir.IntType(32), 0)
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], zero)
        return builder.shuffle_vector(first, first, _order(*[0] * LANES))

    return VECTOR(types.float32), codegen


@_compiled
def total(typingctx: Any, a: Float32x16) -> tuple:
    """Return the sum of the lanes as float32, always added in the same order."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (value,) = args
        for distance in (8, 4, 2, 1):
            order = _order(*[(lane + distance) % LANES for lane in _LANES])
            value = builder.fadd(value, builder.shuffle_vector(value, value, order))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float32(VECTOR), codegen


def _control(builder: Any, name: str, value: Any = None) -> Any:
    """Read the processor's floating-point control word, or write `value` to it."""
    word = cgutils.alloca_once(builder, ir.IntType(32))
    if value is not None:
        builder.store(value, word)
    pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), f"llvm.x86.sse.{name}mxcsr"
    )
    builder.call(function, [builder.bitcast(word, pointer)])
    return builder.load(word)


@_compiled
def flush_denormals(typingctx: Any) -> tuple:
    """Take numbers below 1e-38 for zero from here on; return what `restore_denormals` needs.

    On x86 each of them would cost some hundred cycles, and a movement that spreads into still
    surroundings has a rim of them. Other processors are left as they are.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not _X86:
            return ir.Constant(ir.IntType(32), 0)
        before = _control(builder, "st")
        _control(builder, "ld", builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)))
        return before

    return types.int32(), codegen


@_compiled
def restore_denormals(typingctx: Any, before: types.Integer) -> tuple:
    """Undo `flush_denormals`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _X86:
            _control(builder, "ld", args[0])
        return context.get_dummy_value()

    return types.void(types.int32), codegen


@njit(forceinline=True)
def add_quarters(a: Vector, b: Vector, c: Vector, d: Vector) -> Vector:
    """Return the sum of the four quarters of each vector, quarter by quarter."""
    ab = _even_quads(a, b) + _odd_quads(a, b)
    cd = _even_quads(c, d) + _odd_quads(c, d)
    return _even_quads(ab, cd) + _odd_quads(ab, cd)


@njit(forceinline=True)
def part_quads(a: Vector, b: Vector, c: Vector, d: Vector) -> Vectors:
    """Return the first, the second and the third numbers of the 16 fours that are in 4 vectors."""
    return (
        _halves(_first(a, b), _first(c, d)),
        _halves(_second(a, b), _second(c, d)),
        _halves(_third(a, b), _third(c, d)),
    )


@njit(forceinline=True)
def zip_quads(a: Vector, b: Vector, c: Vector, d: Vector) -> Vectors:
    """Return four vectors with the first lane of each argument, then the second of each, ..."""
    low1, high1, low2, high2 = _zip_low(a, b), _zip_high(a, b), _zip_low(c, d), _zip_high(c, d)
    return (
        _pairs_low(low1, low2),
        _pairs_high(low1, low2),
        _pairs_low(high1, high2),
        _pairs_high(high1, high2),
    )
