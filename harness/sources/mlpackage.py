"""Reads a Core ML model as a Model and as a Graph, or says in one sentence why it cannot be used.

Nothing here runs coremltools. A model with several functions has them as signatures, the default one first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import Graph, Model
from harness.sources.coreml_interface import Interface, interfaces
from harness.sources.mlpackage_file import Package, check_constants, open_package
from harness.sources.mlprogram import FunctionRecord, ProgramDamaged, constants_in, parse_program, walk
from harness.sources.mlprogram_graph import graph_of
from harness.sources.mlprogram_names import check_names
from harness.sources.mlprogram_readers import count_parameters, find_weights
from harness.sources.mlprogram_weights import ProgramWeight, precision_of
from harness.sources.tflite_file import elements_of, shorten

_INPUT_DTYPES = ("float16", "float32", "float64", "int8", "int32")
_INPUT_ELEMENTS = 1 << 29  # 2 GiB of float32: several samples of an input are held at once


def read_model(
    path: Path,
    *,
    name: str,
    data: Path | None = None,
    metric: str | None = None,
    random_weights: bool = False,
    signature: str | None = None,
) -> Model:
    """Read a source model, to be run by the function `signature`, by its default one without. Raises ModelUnreadable.

    precision is the dtype of most weights, or the recipe that made them what they are (`palette-4`).
    """
    package, offered = _open(path)
    chosen = _choose(path, offered, signature)
    _check(path, chosen)
    functions = [interface.function for interface in offered]
    identity, size = _identify(path)
    return Model(
        name=name,
        format="mlpackage",
        path=path,
        digest=identity,
        size_bytes=size,
        inputs=chosen.inputs,
        outputs=chosen.outputs,
        precision=_precision(find_weights(functions), chosen.function),
        parameters=count_parameters(functions),
        data=data,
        metric=metric,
        random_weights=random_weights,
        signature=chosen.key,
        signatures=tuple(each.key for each in offered if each.key is not None),
        notes=chosen.notes,
        target=package.target,
    )


def read_graph(path: Path, signature: str | None = None) -> Graph:
    """Read the operations of a function, of the default one without a name. Raises ModelUnreadable."""
    return graph_of(read_interface(path, signature).function)


def read_weights(path: Path) -> tuple[ProgramWeight, ...]:
    """Read what is stored of each weight of all functions, without the numbers. Raises ModelUnreadable."""
    _, offered = _open(path)
    return find_weights(interface.function for interface in offered)


def read_interface(path: Path, signature: str | None = None) -> Interface:
    """Read a function as callers see it, the default one without a name. Raises ModelUnreadable."""
    _, offered = _open(path)
    return _choose(path, offered, signature)


def signature_in(path: Path, model: Model) -> str | None:
    """The function by which a variant of a model runs what the model runs.

    A variant that was built elsewhere may name its functions otherwise; its default one then stands for the model's.
    Raises ModelUnreadable where the model runs another than its default one.
    """
    _, offered = _open(path)
    is_default = model.signature is None or model.signature == model.signatures[0]
    if is_default and all(interface.key != model.signature for interface in offered):
        return offered[0].key
    return _choose(path, offered, model.signature).key


def _open(path: Path) -> tuple[Package, tuple[Interface, ...]]:
    package = open_package(path)
    try:
        functions = parse_program(package.specification.mlProgram)
        check_names(functions)
        offered = interfaces(package.specification, functions)
    except ProgramDamaged as exc:
        raise ModelUnreadable(path, f"the program is damaged: {exc}; convert or copy it again") from exc
    operations = (operation for function in functions for operation in walk(function.body))
    check_constants(package, (constant for operation in operations for constant in constants_in(operation)))
    return package, offered


def _identify(path: Path) -> tuple[str, int]:
    """Digest and bytes of all files."""
    try:
        return digest.of_path(path), digest.size_of(path)
    except OSError as exc:
        raise ModelUnreadable(path, f"{exc.filename or path} cannot be read: {exc.strerror or exc}") from exc


def _choose(path: Path, offered: Sequence[Interface], key: str | None) -> Interface:
    for interface in offered:
        if key is None or key in (interface.key, interface.function.name):
            return interface
    keys = ", ".join(shorten(each.key) for each in offered[:20] if each.key is not None)
    told = f"its functions: {keys}" if keys else "it has one function alone; leave `signature` out"
    raise ModelUnreadable(path, f"has no function {shorten(key or '')}; {told}")


def _check(path: Path, interface: Interface) -> None:
    """Refuse what no bench can feed, and what does nothing."""
    if not interface.outputs:
        raise ModelUnreadable(path, "it has no outputs to compare, so there is nothing to run it for; convert it again")
    if not interface.function.body.operations:
        raise ModelUnreadable(path, "its program has no operations, so there is nothing to run; convert it again")
    for spec in interface.inputs:
        name, shape = shorten(spec.name), list(spec.shape)
        if spec.dtype not in _INPUT_DTYPES:
            raise ModelUnreadable(path, f"input {name} holds {spec.dtype}, which the bench does not feed; use arrays")
        if any(size < 1 for size in spec.shape):
            raise ModelUnreadable(
                path, f"input {name} has an open shape without a default, {shape}; convert it with one"
            )
        if (elements_of(spec.shape) or _INPUT_ELEMENTS + 1) > _INPUT_ELEMENTS:
            raise ModelUnreadable(path, f"input {name} has the shape {shape}, more than 2 GiB; make it smaller")


def _precision(weights: tuple[ProgramWeight, ...], function: FunctionRecord) -> str:
    """That of the weights; without any, the dtype of most of what is computed."""
    stored = precision_of(weights)
    if stored is not None:
        activations = any(operation.type == "quantize" for operation in walk(function.body))
        return stored.replace("weight-int8", "int8") if activations else stored
    dtypes = Counter(_computed_floats(function))
    return dtypes.most_common(1)[0][0] if dtypes else "float32"


def _computed_floats(function: FunctionRecord) -> Iterator[str]:
    for operation in walk(function.body):
        if not operation.is_constant:
            yield from (named.type.dtype for named in operation.outputs if named.type.is_float)
