"""A source network and its static graph."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.target import Target
from harness.core.units import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output. shape has -1 where the model leaves it open.

    dtype is numpy's name (`float32`, `int8`, `bool`, `string`); scale and zero_point are None
    for tensors that are not quantised per tensor. image: callers hand over an image; its values are pixels, 0 to 255.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None
    image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpNode:
    """One operator of the model's main graph, as written in the file.

    inputs and outputs are tensor indexes; constants and absent ones are left out of inputs.
    name and shape are those of the first output. macs is None where no formula is known.
    weight_bytes and activation_bytes are static: what the operator reads and writes by shape and dtype.
    """

    index: int
    type: str
    name: str
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int | None
    weight_bytes: Bytes
    activation_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The operators of the graph that is run, in file order, with the graph's own input tensors."""

    nodes: tuple[OpNode, ...]
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A source network.

    precision is the dtype most of its weight elements have (`float32`), its own variant's name.
    data is an .npz with one array per input (samples first) and optional `labels`, or None; data_digest is of its
    content.
    random_weights: outputs mean nothing, so fidelity is shown as not meaningful.
    signature is the key of the signature that is run, None where the file has none; signatures are all keys in file
    order. notes are sentences the user must see ("input shapes fixed to ...").
    target is what a Core ML program is written for, None for other formats. path of an `.mlpackage` is a folder.
    """

    name: str
    format: str
    path: Path
    digest: str
    size_bytes: Bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str
    parameters: int
    data: Path | None = None
    data_digest: str | None = None
    metric: str | None = None
    random_weights: bool = False
    signature: str | None = None
    signatures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    target: Target | None = None
