"""Models as edgetpu_compiler leaves them, and FakeEdgeTpu, the double that runs them."""

import shlex
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.schema_names import operator_name
from harness.sources.tflite_writer import pack, unpack
from harness.variants.technique import Calibration
from harness.variants.tflite import int8_edgetpu
from harness.variants.tflite.quantizer import quantize
from tests.support import models
from tests.support.dispatched import compile_library

PROGRAM = "edgetpu-custom-op"
MAPPED = "Mapped to Edge TPU"
_BEHIND, _UNSUPPORTED = "More than one subgraph is not supported", "Operation not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """content has one program in the place of the operators that were taken. rows are (operator, count, status)."""

    content: bytes
    rows: tuple[tuple[str, int, str], ...]


def build_fake_edgetpu(folder: Path) -> Path:
    """The library of fake_edgetpu.c. There is no Edge TPU in it."""
    library = folder / "libfake_edgetpu.so.1"
    compile_library(Path(__file__).with_name("fake_edgetpu.c"), library)
    return library


def quantised_cnn() -> bytes:
    """`models.tiny_cnn` as int8 for the Edge TPU."""
    sample = {0: np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)}
    calibration = Calibration(samples={None: (sample,)}, described="one sample")
    return quantize(models.tiny_cnn(), int8_edgetpu.QUANTIZATION, calibration)


def compile_like(content: bytes, unsupported: Collection[str] = ()) -> Compiled:
    """The operators up to the first unsupported one become one program, whose content is no program at all.

    The shape of the file is the real compiler's; what runs it may be FakeEdgeTpu alone.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    names = [operator_name(model.operatorCodes[operator.opcodeIndex]) for operator in graph.operators]
    count = next((place for place, name in enumerate(names) if name in unsupported), len(names))
    rows = Counter((name, _status(place, count, name, unsupported)) for place, name in enumerate(names))
    if count:
        model.operatorCodes.append(_code())
        graph.operators = [_program(model, graph.operators[:count], graph), *graph.operators[count:]]
    return Compiled(content=pack(model), rows=tuple((name, n, status) for (name, status), n in rows.items()))


def _status(place: int, count: int, name: str, unsupported: Collection[str]) -> str:
    if place < count:
        return MAPPED
    return _UNSUPPORTED if name in unsupported else _BEHIND


def _code() -> schema.OperatorCodeT:
    code = schema.BuiltinOperator.CUSTOM
    return schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, customCode=PROGRAM, version=1)


def _program(model: schema.ModelT, taken: list[schema.OperatorT], graph: schema.SubGraphT) -> schema.OperatorT:
    """One operator over what crosses the border of those; constants are inside it."""
    made = {tensor for operator in taken for tensor in operator.outputs}
    used = dict.fromkeys(int(tensor) for operator in taken for tensor in operator.inputs if tensor >= 0)
    later = [operator for operator in graph.operators if operator not in taken]
    wanted = {int(tensor) for operator in later for tensor in operator.inputs} | {int(t) for t in graph.outputs}
    constant = {t for t in used if model.buffers[graph.tensors[t].buffer].data is not None}
    return schema.OperatorT(
        opcodeIndex=len(model.operatorCodes) - 1,
        inputs=[tensor for tensor in used if tensor not in made and tensor not in constant],
        outputs=sorted(int(tensor) for tensor in made if int(tensor) in wanted),
        customOptions=list(b"no program: a double's"),
    )


def install_fake_compiler(folder: Path, **environment: str) -> Path:
    """An executable `edgetpu_compiler` in the folder, which is FakeEdgeTpuCompiler."""
    script = folder / "edgetpu_compiler"
    settings = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in environment.items())
    run = f"exec {shlex.quote(sys.executable)} -m tests.support.fake_edgetpu_compiler"
    root = Path(__file__).parents[2]
    script.write_text(f'#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(root))}\n{settings}{run} "$@"\n')
    script.chmod(0o755)
    return script
