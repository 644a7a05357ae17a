"""Cases of one builder call each, and values for them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.target import Target
from tests.support.mil_oracle import Array, Case

Real = type[np.generic]


def case(
    op: str,
    expect: Callable[..., Any],
    target: Target = Target.IOS15,
    given: Mapping[str, Any] | None = None,
    /,
    **inputs: Array,
) -> Case:
    """mb.op(**inputs, **given): inputs are the program's own, given are constants. expect takes the inputs."""
    fixed = given or {}

    def build(mb: Any, **read: Any) -> Any:  # noqa: ANN401 (of coremltools)
        return getattr(mb, op)(**read, **fixed)

    return with_scalars(Case(op=op, inputs=inputs, build=build, expect=expect, target=target))


def with_scalars(case: Case) -> Case:
    """Inputs of no axes go into the program with one, as programs have no others, and are squeezed there."""
    scalars = {name for name, value in case.inputs.items() if np.ndim(value) == 0}
    inputs = {name: np.reshape(value, (1,)) if name in scalars else value for name, value in case.inputs.items()}

    def build(mb: Any, **read: Any) -> Any:  # noqa: ANN401 (of coremltools)
        squeezed = {name: mb.squeeze(x=each, axes=[0]) if name in scalars else each for name, each in read.items()}
        return case.build(mb, **squeezed)

    def expect(**read: Array) -> Any:  # noqa: ANN401 (one array or several)
        return case.expect(**{name: each.reshape(()) if name in scalars else each for name, each in read.items()})

    return replace(case, inputs=inputs, build=build, expect=expect) if scalars else case


def counted(*shape: int, real: Real = np.float32) -> Array:
    """0, 1, 2, ...: each element says where it came from. float16 holds 2049 of them."""
    return np.arange(np.prod(shape)).reshape(shape).astype(real)


def normal(random: np.random.Generator, *shape: int, real: Real = np.float32) -> Array:
    return random.normal(size=shape).astype(real)


def whole(*values: Any) -> Array:  # noqa: ANN401 (numbers, or lists of them)
    return np.array(values, np.int32)
