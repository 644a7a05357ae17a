"""How long the reference of ML Programs takes for one image of ResNet50, over what torch takes for it.

Torch's own ResNet50, run as its user runs it (evaluation mode, float32), and the programs that it is converted to, at
float32 and at float16, which rounds after each operation. One thread each, in one process, in alternated rounds; ratios
are of the medians over the rounds. The value is the larger of the two ratios. Detail has torch's compiled form too
(frozen, normalisations folded into convolutions), which the programs have been through.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.line import print_line
from tests.benchmarks.stdout import on_stderr
from tests.support.torch_packages import PRECISIONS, Converted, convert

ROUNDS = 15
IMAGES = 3  # each round
THREADS = 1

Run = Callable[[], object]


def alternate(runs: Mapping[str, Run]) -> dict[str, float]:
    """Median milliseconds of one image of each; the order turns from round to round, so that a drift favours none."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for name in names:
        runs[name]()
    for number in range(ROUNDS):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned:
            times[name].append(time_once(runs[name]))
    return {name: median(each) for name, each in times.items()}


def time_once(run: Run) -> float:
    """Milliseconds of one image, after one that is not timed: another library had the caches before."""
    run()
    began = time.perf_counter()
    for _ in range(IMAGES):
        run()
    return (time.perf_counter() - began) / IMAGES * 1e3


def torch_runs(image: Any) -> dict[str, Run]:  # noqa: ANN401 (a tensor)
    """Torch's ways of running the module."""
    import torch

    from tests.support.torch_networks import RESNET50, build

    module = build(RESNET50)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, (image,))
        compiled = torch.jit.optimize_for_inference(torch.jit.freeze(traced))

    def run(form: Any) -> object:  # noqa: ANN401 (a module)
        with torch.inference_mode():
            return form(image)

    return {"torch": lambda: run(module), "torch_compiled": lambda: run(compiled)}


def reference_runs(network: Converted) -> dict[str, Run]:
    from harness.fidelity.mil.reference import Program

    image = {name: values[0] for name, values in network.inputs.items()}
    programs = {each: Program.load(network.package(each), threads=THREADS) for each in PRECISIONS}
    return {name: lambda program=program: program.predict(image) for name, program in programs.items()}  # type: ignore[misc]


def measure(folder: Path) -> tuple[float, dict[str, object]]:
    """The value and its detail."""
    import torch

    torch.set_num_threads(THREADS)
    network = convert(("resnet50",), folder)["resnet50"]
    (values,) = network.inputs.values()
    found = alternate({**torch_runs(torch.from_numpy(values[0])), **reference_runs(network)})
    ratios = {precision: round(found[precision] / found["torch"], 4) for precision in PRECISIONS}
    return max(ratios.values()), {
        "over_torch": ratios,
        "over_torch_compiled": {each: round(found[each] / found["torch_compiled"], 4) for each in PRECISIONS},
        "ms_per_image": {name: round(each, 2) for name, each in found.items()},
        "threads": THREADS,
        "rounds": ROUNDS,
        "torch": torch.__version__,
    }


def main() -> None:
    with on_stderr(), tempfile.TemporaryDirectory() as scratch:
        value, detail = measure(Path(scratch))
    print_line("reference_speed", value, "of torch's time", detail)


if __name__ == "__main__":
    main()
