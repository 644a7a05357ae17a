"""What a file of torch holds, loaded in a process that may import torch: one program with named inputs and outputs.

Both kinds of file end as a traced TorchScript program, which coremltools converts most completely: the one that it has
for exported programs knows no LSTM.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sources.torch_module import EXPORTED

Array = NDArray[Any]
Shapes = Mapping[str, tuple[int, ...]]

_EXPORT = "export the module: torch.export.save(torch.export.export(module.eval(), (example,)), 'model.pt2')"
_SEED = 0


class Unconvertible(Exception):
    """What a file of torch cannot become, in one line that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchProgram:
    """A traced program, one input of each name, and what torch gives for them. All in order.

    inputs are float32 or int32, from the file's examples or drawn from a normal distribution.
    """

    traced: Any
    inputs: Mapping[str, Array]
    results: Mapping[str, Array]


def load(path: Path, shapes: Shapes | None) -> TorchProgram:
    """Read a `.pt2`, or TorchScript of any other ending. Raises Unconvertible."""
    import torch

    _refuse_no_program(path)
    exported = path.suffix.lower() in EXPORTED
    module, examples = _load_exported(path, shapes) if exported else _load_scripted(path, shapes or {})
    with torch.inference_mode(False), torch.no_grad():
        results, is_plain = _run(module, examples)
        # A script would come back as it is, which the toolkit converts less completely than what runs it.
        traced_form = module if exported and is_plain else _flatten(module)
        traced = torch.jit.trace(traced_form, tuple(examples.values()), check_trace=False)
    return TorchProgram(
        traced=traced,
        inputs={name: _array(value) for name, value in examples.items()},
        results={name: _array(value) for name, value in results.items()},
    )


def _refuse_no_program(path: Path) -> None:
    """Say what a file is that is no program, before anything in it is run."""
    if not path.is_file():
        raise Unconvertible("is no file")
    if not zipfile.is_zipfile(path):
        raise Unconvertible(f"is no file of torch.export.save or torch.jit.save; {_EXPORT}")
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    scripted = "constants.pkl" in names
    exported = "archive_format" in names or "archive_version" in names
    if path.suffix.lower() in EXPORTED:
        if not exported:
            raise Unconvertible(f"is no file of torch.export.save; {_EXPORT}")
    elif not scripted:
        raise Unconvertible(_why_no_script(path, exported, names))


def _why_no_script(path: Path, exported: bool, names: Sequence[str]) -> str:
    if exported:
        return "is a file of torch.export.save; name it .pt2"
    if "data.pkl" not in names:
        return f"is no file of torch.jit.save; {_EXPORT}"
    if _holds_weights(path):
        return f"holds weights alone (a state_dict) and no program; load them into their module and {_EXPORT}"
    return f"is a pickled Python object, and loading it would run its code; {_EXPORT}"


def _holds_weights(path: Path) -> bool:
    """Whether a pickle loads as nothing but tensors and containers."""
    import pickle

    import torch

    try:
        return isinstance(torch.load(path, map_location="cpu", weights_only=True), dict)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, AttributeError, KeyError):
        return False


def _load_exported(path: Path, shapes: Shapes | None) -> tuple[Any, dict[str, Any]]:
    import torch

    try:
        program = torch.export.load(str(path))
    except Exception as exc:
        raise Unconvertible(f"torch cannot load it: {in_one_line(exc)}") from exc
    _refuse_training(program)
    wanted = _examples(_examples_of(program), shapes)
    _refuse_types(wanted)
    return _fix_shapes(program, wanted), wanted


def _examples_of(program: Any) -> dict[str, Any]:  # noqa: ANN401 (torch.export.ExportedProgram)
    """An example of every input, by its name."""
    names = list(program.graph_signature.user_inputs)
    if program.example_inputs is None:
        raise Unconvertible("was saved without its example inputs; export it again with this version of torch")
    values, named = program.example_inputs
    if named:
        raise Unconvertible(f"was exported with inputs given by name ({', '.join(named)}); give them by position")
    if len(values) != len(names) or any(not hasattr(value, "dtype") for value in values):
        raise Unconvertible("takes inputs that are no tensors (numbers, lists or dicts); wrap it to take tensors alone")
    return dict(zip(names, values, strict=True))


def _examples(given: Mapping[str, Any], shapes: Shapes | None) -> dict[str, Any]:
    """The file's examples, and new ones where another shape is asked."""
    if unknown := sorted(set(shapes or {}) - set(given)):
        raise Unconvertible(f"input_shapes: no input {', '.join(unknown)}; its inputs: {', '.join(given)}")
    asked = shapes or {}
    return {
        name: value if asked.get(name, tuple(value.shape)) == tuple(value.shape) else _draw(asked[name], value.dtype)
        for name, value in given.items()
    }


def _draw(shape: tuple[int, ...], dtype: Any) -> Any:  # noqa: ANN401 (torch.dtype)
    import torch

    source = torch.Generator().manual_seed(_SEED)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=source, dtype=dtype)
    return torch.zeros(shape, dtype=dtype)


def _fix_shapes(program: Any, examples: Mapping[str, Any]) -> Any:  # noqa: ANN401 (torch.export.ExportedProgram)
    """The program's module; one that leaves sizes open is exported again at those of the examples."""
    import torch

    had = {name: tuple(value.shape) for name, value in _declared(program).items()}
    is_open = any(not isinstance(size, int) for shape in had.values() for size in shape)
    if not is_open and all(had[name] == tuple(value.shape) for name, value in examples.items()):
        return program.module(check_guards=False)
    asked = ", ".join(f"{name} {list(value.shape)}" for name, value in examples.items())
    has = ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in had.items())
    try:
        return torch.export.export(program.module(), tuple(examples.values())).module(check_guards=False)
    except Exception as exc:
        raise Unconvertible(f"input_shapes: it was exported for {has}, and does not run with {asked}") from exc


def _declared(program: Any) -> dict[str, Any]:  # noqa: ANN401 (torch.export.ExportedProgram)
    names = set(program.graph_signature.user_inputs)
    return {node.name: node.meta["val"] for node in program.graph.nodes if node.name in names}


def _refuse_training(program: Any) -> None:  # noqa: ANN401 (torch.export.ExportedProgram)
    """Raise where dropout or batch normalisation does what it does while learning."""
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            continue
        given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | dict(node.kwargs)
        if given.get("training") is True or given.get("train") is True:
            name = schema.name.partition("::")[2]
            raise Unconvertible(f"was exported while training ({name}): call module.eval() before torch.export.export")


def _refuse_types(examples: Mapping[str, Any]) -> None:
    import torch

    for name, value in examples.items():
        if value.dtype not in (torch.float32, torch.int32, torch.int64):
            kind = str(value.dtype).removeprefix("torch.")
            raise Unconvertible(f"input {name} is {kind}; float32, int32 and int64 can be converted: module.float()")


def _load_scripted(path: Path, shapes: Shapes) -> tuple[Any, dict[str, Any]]:
    import torch

    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as exc:
        raise Unconvertible(f"torch cannot load it: {in_one_line(exc)}") from exc
    names = [argument.name for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    if len(shapes) != len(names):
        takes = f"forward takes {len(names)} inputs: {', '.join(names)}"
        raise Unconvertible(f"input_shapes: {len(shapes)} given and {takes}; give them in this order")
    return module, {name: _draw(shape, torch.float32) for name, shape in shapes.items()}


def _run(module: Any, examples: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:  # noqa: ANN401 (a torch module)
    """The outputs for the examples by name, and whether tracing takes them as they are."""
    try:
        found = module(*examples.values())
        parts, again = _parts(found), _parts(module(*examples.values()))
    except Exception as exc:
        asked = ", ".join(f"{name} {list(value.shape)}" for name, value in examples.items())
        raise Unconvertible(f"torch does not run it with {asked}: {_last_line(exc)}") from exc
    if not parts or any(not hasattr(value, "dtype") for value in parts.values()):
        raise Unconvertible("gives something other than a tensor, a tuple of tensors or a dict of tensors by name")
    if any(not np.array_equal(_array(parts[name]), _array(again[name]), equal_nan=True) for name in parts):
        raise Unconvertible("gives something else each time: what draws random numbers cannot be converted")
    return parts, hasattr(found, "dtype") or type(found) is tuple


def _parts(found: Any) -> dict[str, Any]:  # noqa: ANN401 (what a module returns)
    """Outputs by name: those of a dict or a named tuple, `output`, or `output_0` and so on."""
    if isinstance(found, Mapping):
        return {str(name): value for name, value in found.items()}
    if isinstance(found, tuple | list):
        names = getattr(found, "_fields", None) or [f"output_{number}" for number in range(len(found))]
        return dict(zip(names, found, strict=True)) if len(found) != 1 else {"output": found[0]}
    return {"output": found}


def _flatten(module: Any) -> Any:  # noqa: ANN401 (a torch module)
    """The module with its outputs as a tuple, which tracing takes; as they are where it is one tensor."""
    import torch

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *inputs: Any) -> Any:  # noqa: ANN401 (tensors)
            found = tuple(_parts(self.inner(*inputs)).values())
            return found if len(found) > 1 else found[0]

    flat = Flat()
    flat.training = False  # an exported module refuses eval()
    return flat


def _array(value: Any) -> Array:  # noqa: ANN401 (a tensor)
    found: Array = value.detach().cpu().numpy()
    return found.astype(np.int32) if found.dtype == np.int64 else found


def in_one_line(exc: BaseException) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".split())[:400]


def _last_line(exc: Exception) -> str:
    """TorchScript puts a traceback of its own before what went wrong."""
    return str(exc).strip().rpartition("\n")[2][:300]
