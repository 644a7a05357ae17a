"""A model as an NPU's compiler leaves it: one DISPATCH_OP with a program behind the file. And a library to run it."""

import shutil
import subprocess
from pathlib import Path

from flatbuffers import flexbuffers  # type: ignore[import-untyped]

from harness.sources.tflite_writer import ModelWriter

_PROGRAM = b"a program that the double does not read"
_SHAPE = (1, 8)


def build_fake_dispatch(folder: Path) -> Path:
    """The library of fake_dispatch.c, under a name that LiteRT looks for. It has no NPU: it doubles numbers."""
    source, library = Path(__file__).with_name("fake_dispatch.c"), folder / "libLiteRtDispatch_Fake.so"
    compile_library(source, library)
    return library


def compile_library(source: Path, library: Path) -> None:
    """A shared library by the system's C compiler."""
    compiler = shutil.which("cc")
    assert compiler is not None, "tests need a C compiler: sh tests/install_system_packages.sh"
    subprocess.run((compiler, "-shared", "-fPIC", "-o", library, source), check=True)


def dispatched(*after: str) -> bytes:
    """float32 through the program, then through TFLite's own operators of these names.

    The operator says where the program is in the file (litert/core/dispatch_op_schema.cc), in numbers of one width.
    """
    size = len(_graph(1, after))
    return _graph(size, after) + _PROGRAM


def _graph(offset: int, after: tuple[str, ...]) -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    x, y = graph.input("x", _SHAPE), graph.tensor("y", _SHAPE)
    graph.op("DISPATCH_OP", (x,), (y,), custom=True)
    graph.table.operators[-1].customOptions = list(_options(offset))
    for code in after:
        before, y = y, graph.tensor(code, _SHAPE)
        graph.op(code, (before,), (y,))
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def _options(offset: int) -> bytes:
    builder = flexbuffers.Builder(force_min_bit_width=flexbuffers.BitWidth.W64)
    with builder.Map():
        for key, number in (("bytecode_size", len(_PROGRAM)), ("bytecode_offset", offset)):
            builder.Key(key)
            builder.UInt(number)
        builder.Key("name")
        builder.String("main")
    return bytes(builder.Finish())
