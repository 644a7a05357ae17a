"""What runs a model on this host as a reference, by the model's format: how its variants compute, not how fast."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness.core.units import Seconds
from harness.fidelity.evaluation import Dataset
from harness.fidelity.output import Output
from harness.sources.reading import format_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """run answers the outputs of every sample in the model's order, by a function of that name. It raises
    ModelUnreadable where the file or the samples do not fit, ReferenceUnable where this host cannot run what the model
    has, or not in so many seconds."""

    described: str
    run: Callable[[Path, Dataset, str | None, Seconds], tuple[Output, ...]]


def reference_of(path: Path) -> Reference:
    if format_of(path) == "mlpackage":
        from harness.fidelity.mil.reference import described, run_program

        return Reference(described=described(), run=run_program)
    from harness.fidelity.litert import run_on_host

    return Reference(described=f"LiteRT {metadata.version('ai-edge-litert')} on the host", run=run_on_host)
