"""Small ML Programs written with coremltools' builder, kept where a test wants them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.fidelity.array import Array
from harness.toolkit import import_coremltools, quietly

Var = Any
"""A value of the builder; coremltools has no types."""
Body = Callable[..., Any]


def builder() -> Var:
    """coremltools' builder, `mb` in its own documents."""
    import_coremltools()
    from coremltools.converters.mil.mil import Builder

    return Builder


def save(program: Var, path: Path, target: str = "iOS18", precision: str = "float16", **options: object) -> Path:
    """Write a program of the builder as an `.mlpackage` for a target in a precision (`float16`, `float32`); its path.

    coremltools rounds its weights, fuses and folds as it does for a user.
    """
    coremltools = import_coremltools()
    with quietly(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some dimensions in the input shape are unknown", UserWarning)
        coremltools.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=getattr(coremltools.target, target),
            compute_precision=getattr(coremltools.precision, precision.upper()),
            skip_model_load=True,
            **options,
        ).save(str(path))
    return path


def write(
    path: Path,
    shapes: Mapping[str, Sequence[int | None]],
    body: Body,
    target: str = "iOS18",
    precision: str = "float16",
    states: Mapping[str, Sequence[int]] | None = None,
    **options: object,
) -> Path:
    """Write a program of real inputs (name -> shape, None where it is open) whose body takes them by name, then its
    float16 states; its path. options are coremltools' own."""
    opset = getattr(import_coremltools().target, target)
    import coremltools.converters.mil as mil
    from coremltools.converters.mil.mil import get_new_symbol, types

    closed = {name: [get_new_symbol() if size is None else size for size in shape] for name, shape in shapes.items()}
    inputs = {name: builder().placeholder(shape=shape) for name, shape in closed.items()}
    held = {name: builder().state_tensor_placeholder(shape, types.fp16) for name, shape in (states or {}).items()}
    program = mil.Program()
    with mil.Function(inputs | held, opset_version=opset) as function:
        made = body(**{name: function.inputs[name] for name in (*inputs, *held)})
        function.set_outputs(list(made) if isinstance(made, list | tuple) else [made])
    program.add_function("main", function)
    return save(program, path, target, precision, **options)


def single(values: object) -> Array:
    """A float32 array."""
    return np.asarray(values, np.float32)


def snr_db(wanted: Array, found: Array) -> float:
    """Signal over error in decibels, infinite for equal arrays."""
    signal, error = wanted.astype(np.float64), found.astype(np.float64) - wanted
    return float(np.inf if not error.any() else 10 * np.log10(np.square(signal).sum() / np.square(error).sum()))
