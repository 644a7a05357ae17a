"""Operations of a program that together are one operator of .tflite."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardSwish:
    """x clip(x + 3, 0, 6) / 6: what the operation `product` gives is that of `x`; `parts` are not needed then."""

    product: Any
    x: Any
    parts: tuple[Any, ...]


def hard_swishes(operations: Iterable[Any]) -> list[HardSwish]:
    """The toolkit writes torch's as thresholded_relu(x, -3) sigmoid_hard(thresholded_relu(x, -3), 1/6, 1/2)."""
    found = (_hard_swish(operation) for operation in operations if operation.op_type == "mul")
    return [each for each in found if each is not None]


def _hard_swish(product: Any) -> HardSwish | None:  # noqa: ANN401 (coremltools has no types)
    for factor, gate in ((product.x, product.y), (product.y, product.x)):
        made = gate.op
        if made is None or made.op_type != "sigmoid_hard" or made.x is not factor or not _only(gate, product):
            continue
        if not (_is(made.alpha, 1 / 6) and _is(made.beta, 0.5)):
            continue
        ahead = factor.op
        if ahead is not None and ahead.op_type == "thresholded_relu" and _is(ahead.alpha, -3.0):
            if all(reader in (product, made) for reader in factor.child_ops):
                return HardSwish(product=product, x=ahead.x, parts=(made, ahead))
            return None
        return HardSwish(product=product, x=factor, parts=(made,))
    return None


def _only(value: Any, reader: Any) -> bool:  # noqa: ANN401 (coremltools has no types)
    return list(value.child_ops) == [reader] and not value.consuming_blocks


def _is(value: Any, number: float) -> bool:  # noqa: ANN401 (coremltools has no types)
    return value.val is not None and bool(np.isclose(float(value.val), number, rtol=1e-4))
