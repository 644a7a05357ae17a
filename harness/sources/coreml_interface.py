"""A function of a Core ML model as callers see it: arrays in, arrays out, and what they must be told.

The model's description says what callers hand over, the program what it computes with: an image is an image to a
caller and a tensor of floats to the program.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.model import TensorSpec
from harness.sources.coreml_schema import array_types, colour_layouts
from harness.sources.mlprogram import FunctionRecord, ProgramDamaged, ValueType
from harness.sources.tflite_file import shorten

_MAIN = "main"
_SCALARS = {"stringType": "string", "int64Type": "int64", "doubleType": "float64"}
_LOOPS = ("while_loop", "cond")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A function as callers see it. key is None where the model has but one, which then needs no name.

    Inputs that are open have their default shape, or -1 where they have none. notes are sentences for the user.
    """

    key: str | None
    function: FunctionRecord
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]


def interfaces(specification: Any, functions: Sequence[FunctionRecord]) -> tuple[Interface, ...]:  # noqa: ANN401
    """All functions of a Model_pb2.Model, the default one first. Raises ProgramDamaged."""
    known = {function.name: function for function in functions}
    description = specification.description
    if not description.functions:
        return (_interface(None, _function(known, _MAIN), description),)
    default = description.defaultFunctionName or _MAIN
    described = sorted(description.functions, key=lambda each: each.name != default)
    if described[0].name != default:
        raise ProgramDamaged(f"its default function is {shorten(default)}, and it describes none of that name")
    return tuple(_interface(each.name, _function(known, each.name), each) for each in described)


def _function(known: dict[str, FunctionRecord], name: str) -> FunctionRecord:
    if name not in known:
        has = ", ".join(map(shorten, list(known)[:10])) or "none at all"
        raise ProgramDamaged(f"it has no function {shorten(name)}; its functions: {has}")
    return known[name]


def _interface(key: str | None, function: FunctionRecord, description: Any) -> Interface:  # noqa: ANN401
    taken = {named.name: named.type for named in function.inputs if named.name not in function.states}
    made = _results(function)
    inputs = [(each, _spec(each, _of(taken, each.name, "input"), fed=True)) for each in description.input]
    outputs = [(each, _spec(each, _of(made, each.name, "output"), fed=False)) for each in description.output]
    left = sorted(taken.keys() - {spec.name for _, spec in inputs})
    if left:
        raise ProgramDamaged(f"its description leaves out the input {shorten(left[0])}")
    notes = [
        *(note for each, spec in inputs for note in _input_notes(each, spec, taken[spec.name])),
        *(note for each, _ in outputs for note in _output_notes(each)),
        *_program_notes(function),
    ]
    return Interface(
        key=key,
        function=function,
        inputs=tuple(spec for _, spec in inputs),
        outputs=tuple(spec for each, spec in outputs if not _is_dictionary(each)),
        notes=tuple(notes),
    )


def _results(function: FunctionRecord) -> dict[str, ValueType]:
    """The types of what a function returns, whose names are known to be there."""
    types = {named.name: named.type for named in function.inputs}
    types |= {named.name: named.type for operation in function.body.operations for named in operation.outputs}
    return {name: types[name] for name in function.body.outputs}


def _of(types: dict[str, ValueType], name: str, what: str) -> ValueType:
    if name not in types:
        raise ProgramDamaged(f"its description has an {what} {shorten(name)} and its program has none")
    return types[name]


def _spec(described: Any, type_: ValueType, *, fed: bool) -> TensorSpec:  # noqa: ANN401
    """fed: an open shape becomes the description's default."""
    kind = described.type.WhichOneof("Type")
    if kind == "multiArrayType":
        dtype = array_types().get(described.type.multiArrayType.dataType, type_.dtype)
        default = tuple(described.type.multiArrayType.shape)
    elif kind == "imageType":
        image = described.type.imageType
        dtype, default = "float32", (*type_.shape[:2], image.height, image.width)
    else:
        dtype, default = _SCALARS.get(kind, (kind or "nothing").removesuffix("Type")), type_.shape
    shape = type_.shape
    if fed and -1 in shape and len(default) == len(shape):
        shape = default
    return TensorSpec(name=described.name, shape=shape, dtype=dtype, image=kind == "imageType")


def _is_dictionary(described: Any) -> bool:  # noqa: ANN401
    return bool(described.type.WhichOneof("Type") == "dictionaryType")


def _input_notes(described: Any, spec: TensorSpec, type_: ValueType) -> Iterator[str]:  # noqa: ANN401
    name, shape = shorten(spec.name), list(spec.shape)
    if described.type.WhichOneof("Type") == "imageType":
        colours = colour_layouts().get(described.type.imageType.colorSpace, "unknown colours")
        yield f"input {name} is an image ({colours}) and is fed as float32 {shape}, 0 to 255"
    if -1 in type_.shape:
        runs = f"is open, {list(type_.shape)}, and runs as {shape}, its default"
        yield f"input {name} {runs}; multiply-accumulates are those of operations with fixed shapes"


def _output_notes(described: Any) -> Iterator[str]:  # noqa: ANN401
    if _is_dictionary(described):
        yield f"output {shorten(described.name)} is a dictionary of labels, of which the numbers alone are compared"


def _program_notes(function: FunctionRecord) -> Iterator[str]:
    if function.states:
        names = ", ".join(map(shorten, sorted(function.states)))
        yield f"it keeps a state from one inference to the next: {names}"
    inner = {operation.type for operation in function.body.operations}.intersection(_LOOPS)
    if inner:
        yield f"multiply-accumulates are those of the main graph, without the bodies of {' and '.join(sorted(inner))}"
