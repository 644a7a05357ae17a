"""The networks of `torch_networks.py` as ML Programs, with torch's own answers beside them.

    python -m tests.support.torch_packages FOLDER cnn vit

A process of its own: coremltools has its converter from torch only where it was imported with it. Of each network:

    NAME.pt2                   as a user exports it
    NAME-float32.mlpackage     and NAME-float16.mlpackage
    NAME.tflite                of the float32 program
    NAME.npz                   input:NAME (samples, *shape) and output:NUMBER of torch at float32
"""

import subprocess
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SAMPLES = 4
PRECISIONS = ("float32", "float16")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Converted:
    """A network's files, and torch's outputs for its inputs; both (samples, *shape), outputs in order."""

    name: str
    folder: Path
    inputs: dict[str, Array]
    outputs: tuple[Array, ...]

    def package(self, precision: str) -> Path:
        return self.folder / f"{self.name}-{precision}.mlpackage"

    @property
    def tflite(self) -> Path:
        return self.folder / f"{self.name}.tflite"


def convert(names: Iterable[str], folder: Path, deadline_s: float = 900.0) -> dict[str, Converted]:
    """Make the files of networks in a process of its own, which has torch."""
    wanted = tuple(names)
    argv = (sys.executable, "-m", "tests.support.torch_packages", str(folder), *wanted)
    subprocess.run(argv, cwd=_ROOT, check=True, stdout=sys.stderr, timeout=deadline_s)
    return {name: read(name, folder) for name in wanted}


def read(name: str, folder: Path) -> Converted:
    with np.load(folder / f"{name}.npz") as kept:
        inputs = {key.partition(":")[2]: kept[key] for key in kept.files if key.startswith("input:")}
        outputs = tuple(kept[f"output:{number}"] for number in range(len(kept.files) - len(inputs)))
    return Converted(name=name, folder=folder, inputs=inputs, outputs=outputs)


def main(folder: str, *names: str) -> None:
    warnings.simplefilter("ignore")
    from harness.toolkit import import_coremltools

    import_coremltools(torch=True)
    for name in names:
        _write(name, Path(folder))


def _write(name: str, folder: Path) -> None:
    import torch

    from harness.sources.mil_package import write_package
    from harness.sources.mil_tflite.translate import translate
    from harness.sources.torch_module_child import to_ml_program
    from harness.sources.torch_module_program import load
    from tests.support.torch_networks import NETWORKS, RESNET50, build, draw, run

    network = {**NETWORKS, "resnet50": RESNET50}[name]
    module, samples = build(network), [draw(network, seed) for seed in range(SAMPLES)]
    exported = folder / f"{name}.pt2"
    torch.export.save(torch.export.export(module, tuple(samples[0].values())), exported)
    program = load(exported, None)
    for precision in PRECISIONS:
        made = to_ml_program(program, precision.upper())
        write_package(made, folder / f"{name}-{precision}.mlpackage")
        if precision == "float32":
            (folder / f"{name}.tflite").write_bytes(translate(made._mil_program.functions["main"]))
    arrays = {f"input:{key}": np.stack([sample[key].numpy() for sample in samples]) for key in network.shapes}
    results = [np.stack(parts) for parts in zip(*(run(module, sample) for sample in samples), strict=True)]
    arrays |= {f"output:{number}": values for number, values in enumerate(results)}
    np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
