"""Sixteen float32 numbers as one value in compiled code: what the flow kernels are written in.

LLVM turns the vectors into whatever the processor has (one AVX-512 register, two of AVX2, four of
NEON), so the kernels' speed does not hang on a loop vectoriser that gives up without a word.
Memory is addressed by number (`array.ctypes.data`, counted in elements of 4 bytes from there): an
array in a kernel's signature would cost an atomic count of references at every call. Nothing is
checked. The functions work only inside code that numba compiles.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
QUICK_ROOTS = (config.CPU_NAME or binding.get_host_cpu_name()).startswith("znver")
"""Whether a root costs less than the three products that refine an estimate of it: on AMD's Zen,
whose divider is free for it. On Intel's processors roots and quotients wait for each other."""
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_QUARTER = ir.VectorType(_FLOAT, LANES // 4)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
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
Typed = tuple[Any, Function]
"""A signature, and what generates the code of a call."""
_compiled: Callable[[Function], Function] = intrinsic


@register_model(Float32x16)
class _Float32x16Model(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)  # type: ignore[no-untyped-call]


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
    def read(typingctx: Any, base: types.Integer, at: types.Integer) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], args[1], kind), align=4)
            return builder.shuffle_vector(value, value, _order(*order)) if order else value

        return result(types.intp, types.intp), codegen

    return read


def _writer(kind: Any, argument: types.Type) -> Function:
    """Make a compiled function of (address, at, value) that stores a value as LLVM's `kind`."""

    @_compiled
    def write(typingctx: Any, base: types.Integer, at: types.Integer, value: Any) -> Typed:
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

    def one(typingctx: Any, a: Float32x16) -> Typed:
        return VECTOR(VECTOR), codegen

    def two(typingctx: Any, a: Float32x16, b: Float32x16) -> Typed:
        return VECTOR(VECTOR, VECTOR), codegen

    def three(typingctx: Any, a: Float32x16, b: Float32x16, c: Float32x16) -> Typed:
        return VECTOR(VECTOR, VECTOR, VECTOR), codegen

    return _compiled((one, two, three)[arity - 1])


def _by_integers(build: Function) -> Function:
    """Return what builds with the vectors' bits, taken for integers."""

    def whole(builder: Any, *vectors: Any) -> Any:
        bits = build(builder, *(builder.bitcast(each, _INTEGERS) for each in vectors))
        return builder.bitcast(bits, _VECTOR)

    return whole


def _ranked(builder: Any, bits: Any) -> Any:
    """Build what turns round the bits of negative numbers, but for the sign, or turns them back.

    As integers, such numbers have the order of the numbers that they were made of.
    """
    sign = builder.ashr(bits, ir.Constant(_INTEGERS, [31] * LANES))
    return builder.xor(bits, builder.lshr(sign, ir.Constant(_INTEGERS, [1] * LANES)))


def _shuffle(lanes: list[int]) -> Function:
    """Return what picks `lanes` of two vectors, the second's counted from 16."""
    return _function(lambda b, x, y: b.shuffle_vector(x, y, _order(*lanes)), arity=2)


def _call(name: str, kind: Any = _VECTOR) -> Function:
    """Return what builds a call of LLVM's own function `name` of vectors."""

    def build(builder: Any, *vectors: Any) -> Any:
        signature = ir.FunctionType(kind, [kind] * len(vectors))
        full = f"{name}.v{LANES}f{32 if kind == _VECTOR else 64}"
        function = cgutils.get_or_insert_function(builder.module, signature, full)
        return builder.call(function, vectors)

    return build


def _has(feature: str) -> bool:
    """Return whether the processor that code is compiled for has a set of instructions."""
    named = config.CPU_FEATURES
    return f"+{feature}" in (get_host_cpu_features() if named is None else named)


def _rough_root_inverse(builder: Any, a: Any) -> Any:
    """Build the inverse square root with a relative error below 2^-13."""
    if _has("avx512f"):
        mask = ir.IntType(LANES)
        kind = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, mask])
        function = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.x86.avx512.rsqrt14.ps.512"
        )
        return builder.call(function, [a, ir.Constant(_VECTOR, [0.0] * LANES), mask(-1)])
    one = ir.Constant(_VECTOR, [1.0] * LANES)
    return builder.fdiv(one, _call("llvm.sqrt")(builder, a), flags=_ESTIMATE)


def _of_sizes(symbol: str, choice: int) -> Function:
    """Return what builds one of two absolute values: by `choice` of AVX-512's one instruction."""

    def build(builder: Any, x: Any, y: Any) -> Any:
        if _has("avx512dq"):
            mask, number = ir.IntType(LANES), ir.IntType(32)
            kind = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, number, _VECTOR, mask, number])
            function = cgutils.get_or_insert_function(
                builder.module, kind, "llvm.x86.avx512.mask.range.ps.512"
            )
            zeros, same_rounding = ir.Constant(_VECTOR, [0.0] * LANES), number(4)
            arguments = [x, y, number(choice), zeros, mask(-1), same_rounding]
            return builder.call(function, arguments)
        x, y = _call("llvm.fabs")(builder, x), _call("llvm.fabs")(builder, y)
        return builder.select(builder.fcmp_ordered(symbol, x, y), x, y)

    return build


def _exact_length(builder: Any, x: Any, y: Any) -> Any:
    """Build a call of what computes the length of (x, y) in float64.

    Were it no function of its own, LLVM would compute it even where the result is not used.
    """
    module, name = builder.module, "exact_length"
    if name not in module.globals:
        signature = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR])
        function = ir.Function(module, signature, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("cold")
        body = ir.IRBuilder(function.append_basic_block())
        x64, y64 = (body.fpext(each, _DOUBLES) for each in function.args)
        square = body.fadd(body.fmul(x64, x64), body.fmul(y64, y64))
        body.ret(body.fptrunc(_call("llvm.sqrt", _DOUBLES)(body, square), _VECTOR))
    return builder.call(module.globals[name], [x, y])


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
ranked = _function(_by_integers(_ranked), arity=1)
lesser = _function(_by_integers(lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y)), arity=2)
greater = _function(_by_integers(lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y)), arity=2)
larger_size = _function(_of_sizes(">", 0b1011), arity=2)
smaller_size = _function(_of_sizes("<", 0b1010), arity=2)
floor = _function(_call("llvm.floor"), arity=1)
square_root = _function(_call("llvm.sqrt"), arity=1)
quotient = _function(lambda b, x, y: b.fdiv(x, y), arity=2)
rough_root_inverse = _function(_rough_root_inverse, arity=1)
fused = _function(_call("llvm.fma"), arity=3)
remainder = _function(lambda b, x, y, z: _call("llvm.fma")(b, b.fneg(x), y, z), arity=3)
exact_length = _function(_exact_length, arity=2)
absolute = _function(_call("llvm.fabs"), arity=1)
with_sign = _function(_call("llvm.copysign"), arity=2)
after = _shuffle([lane + 1 for lane in _LANES])
before = _shuffle([lane + LANES - 1 for lane in _LANES])
first_lane_of = _shuffle([0, *range(LANES + 1, 2 * LANES)])

_overload(operator.add, _function(lambda b, x, y: b.fadd(x, y), arity=2))
_overload(operator.sub, _function(lambda b, x, y: b.fsub(x, y), arity=2))
_overload(operator.mul, _function(lambda b, x, y: b.fmul(x, y), arity=2))

_even_quads = _shuffle([lane for quad in _QUADS[0::2] for lane in quad])
_odd_quads = _shuffle([lane for quad in _QUADS[1::2] for lane in quad])
_first = _shuffle([4 * lane % 32 for lane in _LANES])
_second = _shuffle([(4 * lane + 1) % 32 for lane in _LANES])
_third = _shuffle([(4 * lane + 2) % 32 for lane in _LANES])
_halves = _shuffle([*range(8), *range(16, 24)])


@_compiled
def splat(typingctx: Any, value: types.Float) -> Typed:
    """Return a vector whose lanes all are `value`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(ir.IntType(32), 0)
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], zero)
        return builder.shuffle_vector(first, first, _order(*[0] * LANES))

    return VECTOR(types.float32), codegen


@_compiled
def select_greater(
    typingctx: Any, a: Float32x16, b: Float32x16, x: Float32x16, y: Float32x16
) -> Typed:
    """Return x in the lanes where a > b, y in the others."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, x, y = args
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return VECTOR(VECTOR, VECTOR, VECTOR, VECTOR), codegen


@_compiled
def differ(typingctx: Any, a: Float32x16, b: Float32x16) -> Typed:
    """Return whether any lane of a is not that of b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = builder.bitcast(builder.fcmp_unordered("!=", *args), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", lanes, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(VECTOR, VECTOR), codegen


@_compiled
def total(typingctx: Any, a: Float32x16) -> Typed:
    """Return the sum of the lanes as float32, always added in the same order."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (value,) = args
        for distance in (8, 4, 2, 1):
            order = _order(*[(lane + distance) % LANES for lane in _LANES])
            value = builder.fadd(value, builder.shuffle_vector(value, value, order))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float32(VECTOR), codegen


@njit(forceinline=True)
def transpose_quarters(a: Vector, b: Vector, c: Vector, d: Vector) -> Vectors:
    """Return four vectors with the first quarter of each argument, then the second of each, ..."""
    ab_even, ab_odd, cd_even, cd_odd = (
        _even_quads(a, b),
        _odd_quads(a, b),
        _even_quads(c, d),
        _odd_quads(c, d),
    )
    return (
        _even_quads(ab_even, cd_even),
        _even_quads(ab_odd, cd_odd),
        _odd_quads(ab_even, cd_even),
        _odd_quads(ab_odd, cd_odd),
    )


@njit(forceinline=True)
def part_quads(a: Vector, b: Vector, c: Vector, d: Vector) -> Vectors:
    """Return the first, the second and the third numbers of the 16 fours that are in 4 vectors."""
    return (
        _halves(_first(a, b), _first(c, d)),
        _halves(_second(a, b), _second(c, d)),
        _halves(_third(a, b), _third(c, d)),
    )
