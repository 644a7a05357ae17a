"""How an ML Program stores what it knows before it runs: from the program alone, without the numbers.

Compressed constants are chains of operations of the `constexpr_` family.
Source: the operators' definitions in coremltools (converters/mil/mil/ops/defs, iOS16 and iOS18).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from harness.core.units import Bytes
from harness.sources.mlprogram import Binding, BlockRecord, Constant, OperationRecord, ValueType
from harness.sources.mlprogram_weights import Palette, Scaling, Shape

_NUMBERS = {
    "const": "val",
    "constexpr_affine_dequantize": "quantized_data",
    "constexpr_blockwise_shift_scale": "data",
    "constexpr_cast": "source_val",
    "constexpr_lut_to_dense": "indices",
    "constexpr_lut_to_sparse": "indices_nonzero_data",
    "constexpr_sparse_blockwise_shift_scale": "nonzero_data",
    "constexpr_sparse_to_dense": "nonzero_data",
    "dequantize": "input",
}
REORDERS = ("reshape", "transpose", "cast", "expand_dims", "squeeze", "identity")
"""Operations that leave the numbers of a constant as they are, or round them."""

_OFFSETS = ("zero_point", "offset")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """A value that is known before the program runs.

    name is that of what defines it, type what operations read. dtype is that of its numbers as stored. constants are
    all that it is made of, by place, so that a mask that two operations read counts once. through is the first
    operation that reordered it.
    """

    name: str
    type: ValueType
    dtype: str
    constants: Mapping[object, Constant]
    nonzero: int | None = None
    palette: Palette | None = None
    scaling: Scaling | None = None
    through: str | None = None

    @property
    def bytes(self) -> Bytes:
        return sum(constant.type.size_bytes or 0 for constant in self.constants.values())


Scope = dict[str, Stored]


def visit(block: BlockRecord, outer: Mapping[str, Stored]) -> Iterator[tuple[OperationRecord, Scope]]:
    """Each operation of a block that runs, with all that is known when it does. The scope is for that moment alone.

    Stored values that are only reordered or dequantised as the program runs are known after that too.
    """
    scope = {**outer}
    for named in block.inputs:
        scope.pop(named.name, None)
    for operation in block.operations:
        if not operation.is_constant:
            yield operation, scope
        for named in operation.outputs:
            found = _made_by(operation, named.name, named.type, scope)
            if found is None:
                scope.pop(named.name, None)
            else:
                scope[named.name] = found


def stored(binding: Binding, scope: Mapping[str, Stored], name: str = "") -> Stored | None:
    """What is bound, None where it is computed. name is for a constant that is written at the operation itself."""
    if isinstance(binding, str):
        return scope.get(binding)
    key: object = binding.place or id(binding)
    return Stored(name=name, type=binding.type, dtype=binding.type.dtype, constants={key: binding})


def _made_by(operation: OperationRecord, name: str, type_: ValueType, scope: Scope) -> Stored | None:
    if operation.type in REORDERS:
        return _reordered(operation, type_, stored(operation.one("x") or "", scope, name))
    if not operation.is_constant and operation.type != "dequantize":
        return None
    inputs = {
        key: found
        for key, bindings in operation.inputs.items()
        if bindings and (found := stored(bindings[0], scope, name)) is not None
    }
    numbers = inputs.get(_NUMBERS.get(operation.type, ""))
    if numbers is None:
        return None
    constants = {key: constant for each in inputs.values() for key, constant in each.constants.items()}
    return _describe(operation.type, replace(numbers, name=name, type=type_, constants=constants), inputs)


def _reordered(operation: OperationRecord, type_: ValueType, before: Stored | None) -> Stored | None:
    """Integers stay integers: what was learned is floats."""
    if before is None:
        return None
    dtype = type_.dtype if before.type.is_float else before.type.dtype
    through = before.through or operation.type
    return replace(before, type=ValueType(dtype=dtype, shape=type_.shape), through=through)


def _describe(kind: str, made: Stored, inputs: Mapping[str, Stored]) -> Stored:
    """What the operation itself adds to how its numbers are stored."""
    mask = inputs.get("indices_mask") or inputs.get("data_mask")
    shape = made.type.shape if mask is None else mask.type.shape
    if kind == "constexpr_sparse_to_dense":
        made = replace(made, nonzero=inputs["nonzero_data"].type.elements)
    if "lut" in inputs:
        palette = _palette(inputs["lut"], shape)
        made = replace(made, palette=palette, dtype=f"uint{palette.bits}")  # until iOS17 packed into bytes
    if "scale" in inputs:
        made = replace(made, scaling=_scaling(made.dtype, inputs, shape))
    return made


def _palette(lut: Stored, shape: Shape) -> Palette:
    """Until iOS17 a table is a vector; since then it has the weight's dimensions and two more: entries, and numbers."""
    sizes = lut.type.shape if len(lut.type.shape) > 1 else (*lut.type.shape, 1)
    *tables, entries, vector = sizes if len(sizes) > 1 else (1, 1)
    return Palette(
        bits=max((entries - 1).bit_length(), 1),
        tables=prod(tables),
        vector=vector,
        group=_shared_by(tables, shape, most=False),
        dtype=lut.dtype,
    )


def _scaling(dtype: str, inputs: Mapping[str, Stored], shape: Shape) -> Scaling:
    scales = inputs["scale"].type.shape
    block = _shared_by(scales, shape, most=True) if len(scales) == len(shape) else None
    return Scaling(dtype=dtype, scales=scales, block=block, has_offset=any(name in inputs for name in _OFFSETS))


def _shared_by(parts: Sequence[int], shape: Shape, *, most: bool) -> int | None:
    """How many numbers along a dimension share one of its parts, None where all do, or, with most, where none do."""
    for part, size in zip(parts, shape, strict=False):
        if part > 1 and size % part == 0 and not (most and part == size):
            return size // part
    return None
