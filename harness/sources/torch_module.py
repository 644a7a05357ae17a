"""Torch modules as source models: a file of `torch.export.save` or `torch.jit.save` made into what is deployed.

The work is done in a process of its own with a deadline: torch and the toolkit are large, a damaged file can end a
process, and no conversion is kept that has not been run and compared with torch. Converted files are kept, named by
what they depend on:

    torch/<key>.mlpackage    a float32 ML Program
    torch/<key>.tflite       a float32 LiteRT model, from the same program
"""

import json
import tempfile
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.files import publish
from harness.core.units import Seconds
from harness.sources.child_process import convert_in_child

Shapes = Mapping[str, tuple[int, ...]]

FORMATS = ("tflite", "mlpackage")
EXPORTED, SCRIPTED = (".pt2",), (".pt", ".pth")
ENDINGS = (*EXPORTED, *SCRIPTED)

_CHILD = "harness.sources.torch_module_child"
_INSTALL = "pip install 'weighbridge[torch]'"
_TOOLS = ("torch", "coremltools", "ai-edge-litert", "onnx", "onnxruntime")
_CODE = ("torch_module*.py", "mil_tflite/*.py", "mil_package.py", "tflite_writer.py")  # what decides a conversion


def convert_torch(
    path: Path, format: str, cache: Path, *, input_shapes: Shapes | None = None, timeout_s: Seconds = 600.0
) -> Path:
    """A `.tflite` or `.mlpackage` of a torch module, below cache; it is made at the first call and read after that.

    format: one of FORMATS. input_shapes: the shape of every input, in the order of forward's arguments; a `.pt2` file
    has shapes and names of its own, and needs them only to fix what it leaves open.
    Raises ModelUnreadable: torch is not installed, a file that holds no program, shapes that are missing or do not fit,
    operators that cannot be converted, a conversion that does not do what torch does. Raises OSError.
    """
    if format not in FORMATS:
        raise ModelUnreadable(path, f"format: a torch module becomes {' or '.join(FORMATS)}, not {format}")
    if util.find_spec("torch") is None:
        raise ModelUnreadable(path, f"torch, which reads it, is not installed: {_INSTALL}")
    if path.suffix.lower() in SCRIPTED and not input_shapes:
        raise ModelUnreadable(path, "a TorchScript file does not say the shapes of its inputs; give input_shapes")
    kept = cache / "torch" / f"{_key(path, format, input_shapes)}.{format}"
    if not kept.exists():
        _make(path, kept, input_shapes, timeout_s)
    return kept


def _key(path: Path, format: str, shapes: Shapes | None) -> str:
    """Name of a conversion: the file, the shapes in their order, the tools and the code."""
    try:
        source = digest.of_file(path)
    except OSError as exc:
        raise ModelUnreadable(path, f"cannot be read: {exc.strerror or exc}") from exc
    here = Path(__file__).parent
    code = {file.name: digest.of_file(file) for pattern in _CODE for file in here.glob(pattern)}
    tools = {tool: metadata.version(tool) for tool in _TOOLS}
    asked = None if shapes is None else [[name, list(shape)] for name, shape in shapes.items()]
    ending = path.suffix.lower()
    content = {"source": source, "ending": ending, "format": format, "shapes": asked, "tools": tools, "code": code}
    return digest.of_content(content)[:32]


def _make(path: Path, kept: Path, shapes: Shapes | None, timeout_s: Seconds) -> None:
    """Convert beside the place, then move there: who reads finds all or nothing."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as scratch:
        made = Path(scratch) / kept.name
        _run(path, made, shapes, timeout_s)
        publish(made, kept, lambda _: True)  # its name says what it is made of; the first to be there stays


def _run(path: Path, made: Path, shapes: Shapes | None, timeout_s: Seconds) -> None:
    asked = json.dumps(None if shapes is None else [[name, list(shape)] for name, shape in shapes.items()])
    failed = convert_in_child(_CHILD, path, made, asked, timeout_s)
    if failed is None:
        return
    if failed.code is None:
        raise ModelUnreadable(path, f"was not converted in {timeout_s:g} s")
    if failed.code < 0:
        raise ModelUnreadable(path, f"the process that converts it died by signal {-failed.code}")
    ended = f"the process that converts it ended: {failed.last[:300] or failed.code}"
    raise ModelUnreadable(path, failed.words[:600] or ended)
