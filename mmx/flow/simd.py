"""Several float32 numbers as one value in compiled code: what the flow kernels are written in.

LLVM turns the vectors into whatever the processor has, so the kernels' speed does not depend on a
loop vectoriser, which may silently fail. There are two lengths: LANES, the pixels of a tile, which
are one AVX-512 register, two of AVX2 or four of NEON; and PART, as many as one register holds, for
kernels that would run out of registers otherwise. Operations take vectors of either length.
Memory is addressed by number (`array.ctypes.data`, counted in elements of 4 bytes from there): an
array in a kernel's signature would cost an atomic count of references at every call. Bounds are not
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
"""Pixels of a tile."""
_FLOAT, _INTEGER = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_QUARTER = ir.VectorType(_FLOAT, LANES // 4)


def _has(feature: str) -> bool:
    """Return whether the processor that code is compiled for has a set of instructions."""
    named = config.CPU_FEATURES
    return f"+{feature}" in (get_host_cpu_features() if named is None else named).split(",")


_ARM = binding.get_process_triple().startswith(("aarch64", "arm64"))
"""Whether code is compiled for a processor with NEON."""
QUICK_ROOTS = _ARM or (config.CPU_NAME or binding.get_host_cpu_name()).startswith("znver")
"""Whether a root costs less than the products that refine an estimate of it: on Arm and on AMD's
Zen, whose divider is free for it. On Intel's processors roots and quotients wait for each other."""
PART = 16 if _has("avx512f") else 8 if _has("avx") else 4
"""Numbers in a register."""
PARTS = LANES // PART
"""Registers per tile."""


class Float32s(types.Type):
    """The numba type of a vector."""

    def __init__(self, lanes: int) -> None:
        super().__init__(name=f"float32x{lanes}")
        self.lanes = lanes


VECTOR, PART_VECTOR = Float32s(LANES), Float32s(PART)
Address = int
"""Of memory, as `array.ctypes.data` gives it."""
Vector = Any
"""Of the type Float32s, which type checkers cannot know."""
Vectors = tuple[Any, ...]
Function = Callable[..., Any]
Typed = tuple[Any, Function]
"""A signature, and what generates the code of a call."""
_compiled: Callable[[Function], Function] = intrinsic


@register_model(Float32s)
class _Float32sModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Float32s) -> None:
        vector = ir.VectorType(_FLOAT, fe_type.lanes)
        super().__init__(dmm, fe_type, vector)  # type: ignore[no-untyped-call]


def _pointer(builder: Any, base: Any, at: Any, kind: Any) -> Any:
    numbers = builder.inttoptr(base, _FLOAT.as_pointer())
    return builder.bitcast(builder.gep(numbers, [at]), kind.as_pointer())


def _order(*lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(_INTEGER, len(lanes)), list(lanes))


def _like(vector: Any, kind: Any) -> Any:
    """Return LLVM's type of as many numbers of another kind."""
    return ir.VectorType(kind, vector.type.count)


def _same(vector: Any, number: float) -> ir.Constant:
    """Return a constant of the vector's type, `number` in every lane."""
    return ir.Constant(vector.type, [number] * vector.type.count)


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


def _writer(convert: Function) -> Function:
    """Make a compiled function of (address, at, value) that stores what `convert` builds of it."""

    @_compiled
    def write(typingctx: Any, base: types.Integer, at: types.Integer, value: Any) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = convert(builder, args[2])
            builder.store(value, _pointer(builder, args[0], args[1], value.type), align=4)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, value), codegen

    return write


def _function(build: Function, *, arity: int) -> Function:
    """Make a compiled function of `arity` vectors from what builds its result in LLVM's terms."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, *args)

    def one(typingctx: Any, a: Float32s) -> Typed:
        return a(a), codegen

    def two(typingctx: Any, a: Float32s, b: Float32s) -> Typed:
        return a(a, b), codegen

    def three(typingctx: Any, a: Float32s, b: Float32s, c: Float32s) -> Typed:
        return a(a, b, c), codegen

    return _compiled((one, two, three)[arity - 1])


def _by_integers(build: Function) -> Function:
    """Return what builds with the vectors' bits, taken for integers."""

    def whole(builder: Any, *vectors: Any) -> Any:
        first = vectors[0]
        integers = _like(first, _INTEGER)
        bits = build(builder, *(builder.bitcast(each, integers) for each in vectors))
        return builder.bitcast(bits, first.type)

    return whole


def _moved(steps: int) -> Function:
    """Return what builds numbers whose bits, taken for integers, are larger by `steps`."""
    return _by_integers(lambda builder, bits: builder.add(bits, _same(bits, steps)))


def _ranked(builder: Any, bits: Any) -> Any:
    """Build what turns round the bits of negative numbers, but for the sign, or turns them back.

    As integers, such numbers have the order of the numbers that they were made of.
    """
    sign = builder.ashr(bits, _same(bits, 31))
    return builder.xor(bits, builder.lshr(sign, _same(bits, 1)))


def _shuffle(lanes: list[int]) -> Function:
    """Return what picks `lanes` of two vectors, the second's counted from 16."""
    return _function(lambda b, x, y: b.shuffle_vector(x, y, _order(*lanes)), arity=2)


def _from(lane: Callable[[int], int]) -> Function:
    """Return what builds as many lanes as a vector has, of it and the next, beginning at a lane.

    On integers: AVX2 has an instruction for that.
    """

    def build(builder: Any, x: Any, y: Any) -> Any:
        count = x.type.count
        first = lane(count)
        return builder.shuffle_vector(x, y, _order(*range(first, first + count)))

    return build


def _first_lane_of(builder: Any, x: Any, y: Any) -> Any:
    """Build y but for the first lane, which is that of x."""
    count = x.type.count
    return builder.shuffle_vector(x, y, _order(0, *range(count + 1, 2 * count)))


def _call(name: str) -> Function:
    """Return what builds a call of LLVM's own function `name` of vectors."""

    def build(builder: Any, *vectors: Any) -> Any:
        kind = vectors[0].type
        full = f"{name}.v{kind.count}f{32 if kind.element == _FLOAT else 64}"
        return _call_of(builder, full, kind, *vectors)

    return build


def _call_of(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Build a call of a function that LLVM knows."""
    signature = ir.FunctionType(result, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def _rough_root_inverse(builder: Any, a: Any) -> Any:
    """Build the inverse square root with a relative error of STEPS 2^-24 at most."""
    if a.type.count == 16 and _has("avx512f"):
        mask, zeros = ir.Constant(ir.IntType(LANES), -1), _same(a, 0.0)
        return _call_of(builder, "llvm.x86.avx512.rsqrt14.ps.512", a.type, a, zeros, mask)
    if a.type.count == 8 and _has("avx"):
        return _call_of(builder, "llvm.x86.avx.rsqrt.ps.256", a.type, a)
    if a.type.count == 4 and _ARM:
        rough = _call_of(builder, "llvm.aarch64.neon.frsqrte.v4f32", a.type, a)
        square = builder.fmul(a, rough)
        step = _call_of(builder, "llvm.aarch64.neon.frsqrts.v4f32", a.type, square, rough)
        return builder.fmul(rough, step)
    return builder.fdiv(_same(a, 1.0), _call("llvm.sqrt")(builder, a), flags=_ESTIMATE)


_ESTIMATE = ("nnan", "ninf", "nsz", "arcp", "contract")
"""The processor's estimate of a reciprocal, refined by one Newton step, serves as well."""
STEPS = 1 << (13 if PART == 8 else 11)
"""By how many steps of 2^-24 `rough_root_inverse` may be off."""


def _of_sizes(symbol: str, choice: int) -> Function:
    """Return what builds one of two absolute values: by `choice` of AVX-512's one instruction."""

    def build(builder: Any, x: Any, y: Any) -> Any:
        if x.type.count == 16 and _has("avx512dq"):
            which, same_rounding = (ir.Constant(_INTEGER, number) for number in (choice, 4))
            mask, zeros = ir.Constant(ir.IntType(LANES), -1), _same(x, 0.0)
            arguments = x, y, which, zeros, mask, same_rounding
            return _call_of(builder, "llvm.x86.avx512.mask.range.ps.512", x.type, *arguments)
        x, y = _call("llvm.fabs")(builder, x), _call("llvm.fabs")(builder, y)
        choose = _by_integers(lambda b, x, y: b.select(b.icmp_signed(symbol, x, y), x, y))
        return choose(builder, x, y)

    return build


def _exact_length(builder: Any, x: Any, y: Any) -> Any:
    """Build the length of (x, y), computed in float64."""
    x64, y64 = (builder.fpext(each, _like(each, ir.DoubleType())) for each in (x, y))
    square = builder.fadd(builder.fmul(x64, x64), builder.fmul(y64, y64))
    return builder.fptrunc(_call("llvm.sqrt")(builder, square), x.type)


def _overload(symbol: Function, function: Function) -> None:
    """Let vectors take the operator `symbol`."""

    @overload(symbol, strict=False, jit_options={"forceinline": True})
    def choose(a: types.Type, b: types.Type) -> Function | None:
        if isinstance(a, Float32s) and isinstance(b, Float32s):
            return lambda a, b: function(a, b)
        return None


_LANES = range(LANES)
_QUADS = [range(first, first + 4) for first in range(0, 2 * LANES, 4)]

load = _reader(_VECTOR, VECTOR)
load_number = _reader(_FLOAT, types.float32)
load_part = _reader(ir.VectorType(_FLOAT, PART), PART_VECTOR)
load_integer = _reader(_INTEGER, types.int32)
load_repeated = _reader(_QUARTER, VECTOR, tuple(lane // 4 for lane in _LANES))
store = _writer(lambda builder, value: value)
store_integers = _writer(lambda builder, value: builder.fptosi(value, _like(value, _INTEGER)))
store_integer = _writer(lambda builder, value: builder.trunc(value, _INTEGER))

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
half_less = _function(_moved(-(1 << 23) - STEPS), arity=1)
half_more = _function(_moved(-(1 << 23) + STEPS), arity=1)
fused = _function(_call("llvm.fma"), arity=3)
remainder = _function(lambda b, x, y, z: _call("llvm.fma")(b, b.fneg(x), y, z), arity=3)
exact_length = _function(_exact_length, arity=2)
absolute = _function(_call("llvm.fabs"), arity=1)
with_sign = _function(_call("llvm.copysign"), arity=2)
after = _function(_by_integers(_from(lambda lanes: 1)), arity=2)
before = _function(_by_integers(_from(lambda lanes: lanes - 1)), arity=2)
first_lane_of = _function(_first_lane_of, arity=2)

_overload(operator.add, _function(lambda b, x, y: b.fadd(x, y), arity=2))
_overload(operator.sub, _function(lambda b, x, y: b.fsub(x, y), arity=2))
_overload(operator.mul, _function(lambda b, x, y: b.fmul(x, y), arity=2))

_even_quads = _shuffle([lane for quad in _QUADS[0::2] for lane in quad])
_odd_quads = _shuffle([lane for quad in _QUADS[1::2] for lane in quad])
_first = _shuffle([4 * lane % 32 for lane in _LANES])
_second = _shuffle([(4 * lane + 1) % 32 for lane in _LANES])
_third = _shuffle([(4 * lane + 2) % 32 for lane in _LANES])
_halves = _shuffle([*range(8), *range(16, 24)])


def _splat(result: Float32s) -> Function:
    """Make a compiled function that puts a number into every lane."""

    @_compiled
    def splat(typingctx: Any, value: types.Float) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            empty = ir.Constant(ir.VectorType(_FLOAT, result.lanes), ir.Undefined)
            first = builder.insert_element(empty, args[0], ir.Constant(_INTEGER, 0))
            return builder.shuffle_vector(first, first, _order(*[0] * result.lanes))

        return result(types.float32), codegen

    return splat


splat, splat_part = _splat(VECTOR), _splat(PART_VECTOR)


@_compiled
def select_greater(typingctx: Any, a: Float32s, b: Float32s, x: Float32s, y: Float32s) -> Typed:
    """Return x in the lanes where a > b, y in the others; a and b are not negative."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, x, y = args
        a, b = (builder.bitcast(each, _like(each, _INTEGER)) for each in (a, b))
        return builder.select(builder.icmp_signed(">", a, b), x, y)

    return a(a, b, x, y), codegen


@_compiled
def differ(typingctx: Any, a: Float32s, b: Float32s, c: Float32s, d: Float32s) -> Typed:
    """Return whether any lane of a is not that of b, or of c not that of d."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, c, d = (builder.bitcast(each, _like(each, _INTEGER)) for each in args)
        bits = builder.or_(builder.xor(a, b), builder.xor(c, d))
        lanes = builder.icmp_unsigned("!=", bits, _same(bits, 0))
        mask = ir.IntType(bits.type.count)
        return builder.icmp_unsigned("!=", builder.bitcast(lanes, mask), ir.Constant(mask, 0))

    return types.boolean(a, b, c, d), codegen


@_compiled
def total(typingctx: Any, a: Float32s) -> Typed:
    """Return the sum of the lanes as float32, always added in the same order."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (value,) = args
        count = value.type.count
        while count > 1:
            count //= 2
            low, high = (_order(*range(first, first + count)) for first in (0, count))
            low, high = (builder.shuffle_vector(value, value, half) for half in (low, high))
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(_INTEGER, 0))

    return types.float32(a), codegen


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
