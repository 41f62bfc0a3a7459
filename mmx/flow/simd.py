"""Sixteen float32 numbers as one value in compiled code: what the flow kernels are written in.

LLVM turns the vectors into whatever the processor has (one AVX-512 register, two of AVX2, four of
NEON), so the kernels' speed does not hang on a loop vectoriser that gives up without a word. The
functions work only inside code that numba compiles.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_SHUFFLE = ir.VectorType(ir.IntType(32), LANES)
_CONTRACT = ("contract",)
_ESTIMATE = ("nnan", "ninf", "nsz", "arcp", "contract", "afn")


class Float32x16(types.Type):
    """The numba type of a vector."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


VECTOR = Float32x16()


@register_model(Float32x16)
class _Float32x16Model(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _address(context: Any, builder: Any, array_type: types.Array, array: Any, at: Any) -> Any:
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.gep(data, [at])


@intrinsic
def load(typingctx: Any, array: types.Array, at: types.Integer) -> tuple:
    """Return the 16 numbers from element `at` of `array` (one-dimensional float32)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], *args)
        return builder.load(builder.bitcast(address, _VECTOR.as_pointer()), align=4)

    return VECTOR(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: types.Array, at: types.Integer, value: Float32x16) -> tuple:
    """Write `value` to `array` (one-dimensional float32) from its element `at` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(address, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR), codegen


@intrinsic
def store_integers(typingctx: Any, array: types.Array, at: types.Integer, value: Float32x16) -> tuple:
    """Write `value` (whole numbers) to `array` (one-dimensional int32) from its element `at` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], *args[:2])
        integers = builder.fptosi(args[2], _SHUFFLE)
        builder.store(integers, builder.bitcast(address, _SHUFFLE.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR), codegen


@intrinsic
def load_repeated(typingctx: Any, array: types.Array, at: types.Integer) -> tuple:
    """Return the 4 numbers from element `at` of `array`, each in 4 lanes running."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], *args)
        quarter = ir.VectorType(ir.FloatType(), LANES // 4)
        four = builder.load(builder.bitcast(address, quarter.as_pointer()), align=4)
        order = ir.Constant(_SHUFFLE, [lane // 4 for lane in range(LANES)])
        return builder.shuffle_vector(four, four, order)

    return VECTOR(array, types.intp), codegen


@intrinsic
def splat(typingctx: Any, value: types.Float) -> tuple:
    """Return a vector whose lanes all are `value`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], _lane(0))
        return builder.shuffle_vector(first, first, ir.Constant(_SHUFFLE, [0] * LANES))

    return VECTOR(types.float32), codegen


def _lane(index: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), index)


def _function(build: Callable[..., Any], *, arity: int) -> Callable:
    """Make a compiled function of `arity` vectors from what builds its result in LLVM's terms."""

    def one(typingctx: Any, a: Float32x16) -> tuple:
        return VECTOR(VECTOR), codegen

    def two(typingctx: Any, a: Float32x16, b: Float32x16) -> tuple:
        return VECTOR(VECTOR, VECTOR), codegen

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, *args)

    return intrinsic(one if arity == 1 else two)


def _shuffle(*lanes: int) -> Callable:
    """Return what picks `lanes` of two vectors, the second's counted from 16."""
    order = ir.Constant(_SHUFFLE, list(lanes))
    return _function(lambda builder, a, b: builder.shuffle_vector(a, b, order), arity=2)


def _call(name: str, flags: tuple[str, ...] = ()) -> Callable:
    """Return what builds a call of LLVM's intrinsic function `name` on one vector."""

    def build(builder: Any, a: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f32")
        return builder.call(function, [a], fastmath=flags)

    return build


def _build_reciprocal_root(builder: Any, a: Any) -> Any:
    one = ir.Constant(_VECTOR, [1.0] * LANES)
    return builder.fdiv(one, _call("llvm.sqrt", _ESTIMATE)(builder, a), flags=_ESTIMATE)


minimum = _function(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), arity=2)
maximum = _function(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), arity=2)
after = _shuffle(*range(1, LANES + 1))
before = _shuffle(*range(LANES - 1, 2 * LANES - 1))
floor = _function(_call("llvm.floor"), arity=1)
reciprocal_root = _function(_build_reciprocal_root, arity=1)
quotient = _function(lambda b, x, y: b.fdiv(x, y), arity=2)
_add = _function(lambda b, x, y: b.fadd(x, y, flags=_CONTRACT), arity=2)
_sub = _function(lambda b, x, y: b.fsub(x, y, flags=_CONTRACT), arity=2)
_mul = _function(lambda b, x, y: b.fmul(x, y, flags=_CONTRACT), arity=2)


def _operator(symbol: Callable, function: Callable) -> None:
    @overload(symbol, strict=False, jit_options={"forceinline": True})
    def choose(a: types.Type, b: types.Type) -> Callable | None:
        if isinstance(a, Float32x16) and isinstance(b, Float32x16):
            return lambda a, b: function(a, b)
        return None


_operator(operator.add, _add)
_operator(operator.sub, _sub)
_operator(operator.mul, _mul)


@intrinsic
def total(typingctx: Any, a: Float32x16) -> tuple:
    """Return the sum of the lanes as float32, always added in the same order."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = args[0]
        width = LANES
        while width > 1:
            width //= 2
            order = [(lane + width) % LANES for lane in range(LANES)]
            other = builder.shuffle_vector(value, value, ir.Constant(_SHUFFLE, order))
            value = builder.fadd(value, other)
        return builder.extract_element(value, _lane(0))

    return types.float32(VECTOR), codegen


_even_quads = _shuffle(*range(0, 4), *range(8, 12), *range(16, 20), *range(24, 28))
_odd_quads = _shuffle(*range(4, 8), *range(12, 16), *range(20, 24), *range(28, 32))
_fourths = tuple(_shuffle(*[(4 * lane + k) % (2 * LANES) for lane in range(LANES)]) for k in range(3))
_first, _second, _third = _fourths
_halves = _shuffle(*range(LANES // 2), *range(LANES, LANES + LANES // 2))
_zip_low = _shuffle(*[LANES * (lane % 2) + lane // 2 for lane in range(LANES)])
_zip_high = _shuffle(*[LANES * (lane % 2) + (LANES + lane) // 2 for lane in range(LANES)])
_pairs_low = _shuffle(*[LANES * (k % 2) + 2 * (k // 2) + i for k in range(8) for i in range(2)])
_pairs_high = _shuffle(*[LANES * (k % 2) + 8 + 2 * (k // 2) + i for k in range(8) for i in range(2)])


@njit(forceinline=True)
def add_quarters(a, b, c, d):
    """Return, quarter by quarter, the sums of the four quarters of each vector."""
    ab = _even_quads(a, b) + _odd_quads(a, b)
    cd = _even_quads(c, d) + _odd_quads(c, d)
    return _even_quads(ab, cd) + _odd_quads(ab, cd)


@njit(forceinline=True)
def part_quads(a, b, c, d):
    """Return the first, second and third numbers of the sixteen fours that four vectors hold."""
    return (
        _halves(_first(a, b), _first(c, d)),
        _halves(_second(a, b), _second(c, d)),
        _halves(_third(a, b), _third(c, d)),
    )


@njit(forceinline=True)
def zip_quads(a, b, c, d):
    """Return four vectors that hold a lane of each argument, then the next lane of each."""
    low1, high1, low2, high2 = _zip_low(a, b), _zip_high(a, b), _zip_low(c, d), _zip_high(c, d)
    return (
        _pairs_low(low1, low2),
        _pairs_high(low1, low2),
        _pairs_low(high1, high2),
        _pairs_high(high1, high2),
    )
