"""Multiply-accumulates of ML Programs' operations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.sources.mlpackage import read_graph
from tests.support import mil, mlpackages


def _real(*shape: int) -> Any:  # noqa: ANN401
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _lstm(x: Any) -> Any:  # noqa: ANN401
    state = np.zeros((1, 16), np.float32)
    ways = {f"{name}{way}": _real(*shape) for way in ("", "_back") for name, shape in _LSTM.items()}
    options = {"direction": "bidirectional", "output_sequence": True}
    return mil.builder().lstm(x=x, initial_h=state, initial_c=state, **ways, **options)[0]


_LSTM = {"weight_ih": (32, 4), "weight_hh": (32, 8), "bias": (32,)}
_CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], int]] = {
    "conv": (
        (1, 4, 8, 8),
        lambda x: mil.builder().conv(x=x, weight=_real(6, 2, 3, 3), groups=2, pad_type="same", strides=[2, 2]),
        4 * 4 * 6 * 2 * 9,
    ),
    "conv_transpose": (
        (1, 3, 4, 4),
        lambda x: mil.builder().conv_transpose(x=x, weight=_real(3, 5, 2, 2), strides=[2, 2]),
        3 * 4 * 4 * 5 * 4,
    ),
    "linear": ((2, 7, 8), lambda x: mil.builder().linear(x=x, weight=_real(5, 8)), 2 * 7 * 5 * 8),
    "matmul": ((2, 8, 7), lambda x: mil.builder().matmul(x=x, y=_real(8, 5), transpose_x=True), 2 * 7 * 5 * 8),
    "einsum": ((3, 4, 5), lambda x: mil.builder().einsum(values=(x, _real(5, 4, 7)), equation="abc,cbd->abd"), 420),
    "scaled_dot_product_attention": (
        (1, 2, 5, 4),
        lambda x: mil.builder().scaled_dot_product_attention(query=x, key=x, value=x),
        2 * 5 * 5 * 8,
    ),
    "lstm": ((5, 1, 4), _lstm, 5 * 2 * (32 * 4 + 32 * 8)),
    "relu": ((1, 4), lambda x: mil.builder().relu(x=x), 0),
}


@pytest.mark.parametrize("kind", _CASES)
def test_formula(kind: str, tmp_path: Path) -> None:
    shape, body, expected = _CASES[kind]
    graph = read_graph(mil.write(tmp_path / "m.mlpackage", {"x": shape}, body))
    (node,) = (node for node in graph.nodes if node.type == kind)
    assert (node.macs or 0) == expected


def test_open_shapes_have_none(tmp_path: Path) -> None:
    graph = read_graph(mlpackages.ranges(tmp_path / "m.mlpackage"))
    assert [node.macs for node in graph.nodes if node.type in ("conv", "linear")] == [None, 32]
