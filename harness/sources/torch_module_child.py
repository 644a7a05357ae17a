"""The inside of the process that converts a torch module.

    python -m harness.sources.torch_module_child SOURCE TARGET '[["image", [1, 3, 32, 32]]]'

TARGET ends in `.mlpackage` or `.tflite`; shapes are null where the file has them. What cannot be converted is on stdout
in one line, exit code 1.
"""

import contextlib
import json
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.sources.torch_module_program import Array, TorchProgram, Unconvertible, in_one_line, load
from harness.toolkit import import_coremltools

_LEAST_DB = 40.0  # of float32 against float32, which mostly has 100 and more


def main(source: str, target: str, shapes: str) -> int:
    """Write the converted model; 0, or 1 with the reason on stdout."""
    warnings.simplefilter("ignore")
    asked = json.loads(shapes)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            program = load(Path(source), asked and {name: tuple(sizes) for name, sizes in asked})
            convert(program, Path(target))
    except Unconvertible as problem:
        sys.stdout.write(str(problem))
        return 1
    return 0


def convert(program: TorchProgram, target: Path) -> None:
    """Write the converted program, then run it and compare. Raises Unconvertible, OSError."""
    made = to_ml_program(program)
    if target.suffix == ".mlpackage":
        from harness.sources.mil_package import write_package

        write_package(made, target)
        compare(program, _run_package(target, program.inputs))
    else:
        from harness.sources.mil_tflite.canvas import Untranslatable
        from harness.sources.mil_tflite.translate import translate

        try:
            target.write_bytes(translate(made._mil_program.functions["main"]))
        except Untranslatable as problem:
            raise Unconvertible(f"has no .tflite: {problem}; an .mlpackage may work") from problem
        compare(program, _run_tflite(target, program.inputs))


def to_ml_program(program: TorchProgram, precision: str = "FLOAT32") -> Any:  # noqa: ANN401 (coremltools.models.MLModel)
    """A program of the oldest target that has its operators. Raises Unconvertible."""
    coremltools = import_coremltools(torch=True)
    inputs = [
        coremltools.TensorType(name=name, shape=values.shape, dtype=values.dtype.type)
        for name, values in program.inputs.items()
    ]
    told = {
        "source": "pytorch",
        "inputs": inputs,
        "outputs": [coremltools.TensorType(name=name) for name in program.results],
        "convert_to": "mlprogram",
        "compute_precision": getattr(coremltools.precision, precision),
        "skip_model_load": True,
    }
    with contextlib.suppress(Exception):
        return coremltools.convert(program.traced, minimum_deployment_target=coremltools.target.iOS15, **told)
    try:
        return coremltools.convert(program.traced, minimum_deployment_target=coremltools.target.iOS18, **told)
    except Exception as exc:
        raise Unconvertible(f"coremltools cannot convert it: {in_one_line(exc)}") from exc


def _run_tflite(path: Path, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        found: Mapping[str, Array] = interpreter.get_signature_runner()(**inputs)
    except (RuntimeError, ValueError) as exc:
        raise Unconvertible(f"LiteRT does not run the .tflite: {in_one_line(exc)}") from exc
    return found


def _run_package(path: Path, inputs: Mapping[str, Array]) -> Mapping[str, Array] | None:
    """None where the reference cannot run it: its conversion is the toolkit's and stands."""
    from harness.core.errors import ReferenceUnable
    from harness.fidelity.mil.reference import Program

    try:
        return Program.load(path).predict(inputs)
    except ReferenceUnable:
        return None


def compare(program: TorchProgram, found: Mapping[str, Array] | None) -> None:
    """Raise Unconvertible where what was converted gives something else than torch does; found is None: not known."""
    from harness.fidelity.scores import distance

    if found is None:
        return
    for name, expected in program.results.items():
        apart = distance(expected.astype(float), found[name].astype(float).reshape(expected.shape))
        if apart.not_finite and np.isfinite(expected).all():
            raise Unconvertible(f"what was converted gives {name} that is not finite, and torch's is")
        if apart.snr_db is not None and apart.snr_db < _LEAST_DB:
            raise Unconvertible(
                f"what was converted differs from torch: {name} agrees to {apart.snr_db:.0f} dB, of at least"
                f" {_LEAST_DB:.0f}; what branches on its inputs' values cannot be converted"
            )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
