"""Operations of ML Programs in torch at float64: what each gives for what it reads, whatever was before it.

Kernels of another library than the reference's, at twice the width. Only the operators of the programs that
`torch_networks.py` becomes are here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Array = NDArray[Any]
Given = Mapping[str, Any]  # tensors for arrays, tuples for variadic inputs, Python's own for strings


def evaluate(operator: str, given: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> tuple[Array, ...]:
    """Outputs in order: floats at float64. given: arrays, floats widened here. shapes are the declared ones.

    Raises KeyError for an operator that is not here.
    """
    widened: dict[str, Any] = {name: _widen(value) for name, value in given.items()}
    with torch.inference_mode():
        found = _OPERATORS[operator](widened, shapes)
    several = found if isinstance(found, tuple | list) else (found,)
    return tuple(each.numpy() for each in several)


def operators() -> list[str]:
    """What can be evaluated."""
    return sorted(_OPERATORS)


def _widen(value: Any) -> Any:  # noqa: ANN401 (an array, a string, a tuple of arrays)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return tuple(_widen(each) for each in value)
    array = np.asarray(value)
    return torch.from_numpy(array.astype(np.float64) if array.dtype.kind == "f" else array.copy())


def _integers(given: Given, name: str) -> list[int]:
    return [int(each) for each in given[name].reshape(-1)]


def _window(given: Given, x: torch.Tensor, filled: float = 0.0) -> torch.Tensor:
    """x with its padding."""
    if given["pad_type"] == "valid":
        return x
    assert given["pad_type"] == "custom"
    amounts = _integers(given, "pad")
    around = [each for pair in zip(amounts[-2::-2], amounts[:0:-2], strict=True) for each in pair]
    return F.pad(x, around, value=filled)


def _conv(given: Given, _: object) -> torch.Tensor:
    x, weight = _window(given, given["x"]), given["weight"]
    function = {3: F.conv1d, 4: F.conv2d}[x.ndim]
    strides, dilations = _integers(given, "strides"), _integers(given, "dilations")
    return function(x, weight, given.get("bias"), strides, 0, dilations, int(given["groups"]))


def _conv_transpose(given: Given, shapes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    whole = F.conv_transpose2d(
        given["x"], given["weight"], given.get("bias"), _integers(given, "strides"), groups=int(given["groups"])
    )
    top, _, left, _ = _integers(given, "pad")
    return whole[:, :, top : top + shapes[0][2], left : left + shapes[0][3]]


def _max_pool(given: Given, _: object) -> torch.Tensor:
    x = _window(given, given["x"], -torch.inf)
    function = {3: F.max_pool1d, 4: F.max_pool2d}[x.ndim]
    return function(x, _integers(given, "kernel_sizes"), _integers(given, "strides"))


def _avg_pool(given: Given, _: object) -> torch.Tensor:
    assert not any(_integers(given, "pad"))
    return F.avg_pool2d(given["x"], _integers(given, "kernel_sizes"), _integers(given, "strides"))


def _layer_norm(given: Given, _: object) -> torch.Tensor:
    x = given["x"]
    shape = [x.shape[axis] for axis in sorted(axis % x.ndim for axis in _integers(given, "axes"))]
    return F.layer_norm(x, shape, given.get("gamma"), given.get("beta"), float(given["epsilon"]))


def _instance_norm(given: Given, _: object) -> torch.Tensor:
    return F.instance_norm(given["x"], None, None, given.get("gamma"), given.get("beta"), eps=float(given["epsilon"]))


def _matmul(given: Given, _: object) -> torch.Tensor:
    x = given["x"].mT if given["transpose_x"] else given["x"]
    return x @ (given["y"].mT if given["transpose_y"] else given["y"])


def _lstm(given: Given, _: object) -> tuple[torch.Tensor, ...]:
    """Gates in the order input, forget, output, cell."""
    assert given["direction"] == "bidirectional"
    assert given["output_sequence"]
    halves = [given[name].chunk(2, 1) for name in ("initial_h", "initial_c")]
    ways = [
        _one_way(given, ending, hidden, cell, back=bool(ending))
        for ending, hidden, cell in zip(("", "_back"), *halves, strict=True)
    ]
    return tuple(torch.cat(parts, -1) for parts in zip(*ways, strict=True))


def _one_way(
    given: Given, ending: str, hidden: torch.Tensor, cell: torch.Tensor, *, back: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    fed = given["x"] @ given[f"weight_ih{ending}"].T + given[f"bias{ending}"]
    steps = range(len(fed))
    found: list[torch.Tensor] = []
    for time in reversed(steps) if back else steps:
        gates = (fed[time] + hidden @ given[f"weight_hh{ending}"].T).chunk(4, 1)
        let_in, kept, shown = (gate.sigmoid() for gate in gates[:3])
        cell = kept * cell + let_in * gates[3].tanh()
        hidden = shown * cell.tanh()
        found.append(hidden)
    return torch.stack(found[::-1] if back else found), hidden, cell


def _slice(given: Given, shapes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    x = given["x"]
    masks = {name: _integers(given, name) for name in ("begin_mask", "end_mask", "squeeze_mask") if name in given}
    none = [0] * x.ndim
    bounds = zip(
        _integers(given, "begin"),
        _integers(given, "end"),
        *(masks.get(name, none) for name in ("begin_mask", "end_mask", "squeeze_mask")),
        strict=True,
    )
    cuts: list[Any] = [
        b if squeeze else slice(None if bm else b, None if em else e) for b, e, bm, em, squeeze in bounds
    ]
    return x[tuple(cuts)].reshape(shapes[0])


def _pad(given: Given, _: object) -> torch.Tensor:
    amounts = _integers(given, "pad")
    pairs = list(zip(amounts[0::2], amounts[1::2], strict=True))
    while pairs[0] == (0, 0):
        pairs.pop(0)
    around = [each for pair in reversed(pairs) for each in pair]
    if given["mode"] == "constant":
        return F.pad(given["x"], around, value=float(given["constant_val"]))
    return F.pad(given["x"], around, mode={"reflect": "reflect", "replicate": "replicate"}[given["mode"]])


def _bilinear(given: Given, shapes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    aligned = bool(given["align_corners"])
    return F.interpolate(given["x"], size=shapes[0][2:], mode="bilinear", align_corners=aligned)


def _nearest(given: Given, shapes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    return F.interpolate(given["x"], size=shapes[0][2:], mode="nearest")


def _cast(given: Given, _: object) -> torch.Tensor:
    kinds = {"fp16": torch.float64, "fp32": torch.float64, "int32": torch.int64, "bool": torch.bool}
    return given["x"].to(kinds[given["dtype"]])


def _to_declared(given: Given, shapes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    return given["x"].reshape(shapes[0])


_OPERATORS: Mapping[str, Callable[[Given, Sequence[tuple[int, ...]]], Any]] = {
    "add": lambda given, _: given["x"] + given["y"],
    "sub": lambda given, _: given["x"] - given["y"],
    "mul": lambda given, _: given["x"] * given["y"],
    "exp": lambda given, _: given["x"].exp(),
    "log": lambda given, _: (given["x"] + float(given["epsilon"])).log(),
    "tanh": lambda given, _: given["x"].tanh(),
    "sigmoid": lambda given, _: given["x"].sigmoid(),
    "silu": lambda given, _: F.silu(given["x"]),
    "relu": lambda given, _: given["x"].relu(),
    "clip": lambda given, _: given["x"].clamp(float(given["alpha"]), float(given["beta"])),
    "elu": lambda given, _: F.elu(given["x"], float(given["alpha"])),
    "leaky_relu": lambda given, _: F.leaky_relu(given["x"], float(given["alpha"])),
    "gelu": lambda given, _: F.gelu(given["x"], approximate={"EXACT": "none"}[given["mode"]]),
    "sigmoid_hard": lambda given, _: (given["x"] * float(given["alpha"]) + float(given["beta"])).clamp(0, 1),
    "thresholded_relu": lambda given, _: given["x"].where(given["x"] >= float(given["alpha"]), 0),
    "softmax": lambda given, _: given["x"].softmax(int(given["axis"])),
    "reduce_mean": lambda given, _: given["x"].mean(_integers(given, "axes"), bool(given["keep_dims"])),
    "linear": lambda given, _: F.linear(given["x"], given["weight"], given.get("bias")),
    "concat": lambda given, _: torch.cat(given["values"], int(given["axis"])),
    "split": lambda given, _: given["x"].split(_integers(given, "split_sizes"), int(given["axis"])),
    "transpose": lambda given, _: given["x"].permute(_integers(given, "perm")),
    "reshape": _to_declared,
    "squeeze": _to_declared,
    "expand_dims": _to_declared,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "layer_norm": _layer_norm,
    "instance_norm": _instance_norm,
    "matmul": _matmul,
    "lstm": _lstm,
    "slice_by_index": _slice,
    "pad": _pad,
    "upsample_bilinear": _bilinear,
    "upsample_nearest_neighbor": _nearest,
    "cast": _cast,
}
