"""Builds for tests: at the top of a module, as a build process needs them, and quick or deadly on purpose."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from harness.core import digest
from harness.core.errors import ChangedNothing, RecipeRefused
from harness.core.variant import Accuracy, Fidelity, Variant, WeightTensor
from harness.variants.job import BuildJob


def a_variant(job: BuildJob, content: bytes) -> Variant:
    """A variant whose file lies in the job's scratch."""
    path = job.scratch / "artefact.tflite"
    path.write_bytes(content)
    model, spec = job.model, job.spec
    return Variant(
        model=model.name,
        name=spec.name,
        recipe=spec.recipe,
        format=model.format,
        digest=digest.of_bytes(content),
        path=path,
        size_bytes=len(content),
        zip_bytes=len(content) // 2,
        weights_compressed=1,
        weights_total=2,
        parameters=model.parameters,
        tensors=(
            WeightTensor(
                name="w\n</script>",
                shape=(2, 3),
                dtype="int8",
                size_bytes=6,
                elements=6,
                zeros=1,
                distinct=5,
                compressed=True,
            ),
        ),
        inputs=model.inputs,
        outputs=model.outputs,
        build_s=0.25,
        calibration="100 samples",
        fidelity=Fidelity(
            snr_db=None, top1_agreement=1.0, max_abs_error=0.0, worst_output="y", samples=4, reference="test"
        ),
        accuracy=Accuracy(metric="top1", value=0.5, n=4),
        notes=("a note",),
    )


def count_build(job: BuildJob) -> Variant:
    """Build at once, leaving a mark beside the model for each time."""
    (job.model.path.parent / f"built-{time.monotonic_ns()}-{os.getpid()}").touch()
    return a_variant(job, job.spec.recipe.encode())


def builds(directory: Path) -> int:
    """How often count_build ran for the model in this directory."""
    return len(list(directory.glob("built-*")))


def act(job: BuildJob) -> Variant:
    """Do what the recipe stands for in these tests: see the table."""
    if job.spec.recipe in ACTS:
        ACTS[job.spec.recipe](job)
    return a_variant(job, job.spec.recipe.encode())


def _segfault(_job: BuildJob) -> None:
    os.write(2, b"INFO: something harmless\nFatal: the model is hostile\n")
    os.kill(os.getpid(), signal.SIGSEGV)


def _out_of_memory(_job: BuildJob) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _leave(_job: BuildJob) -> None:
    os._exit(3)


def _hang(job: BuildJob) -> None:
    """For ever, with a process of its own below it, which a kill of this one alone would leave."""
    if os.fork():
        (job.model.path.parent / f"hung-{os.getpid()}").touch()
    while True:
        threading.Event().wait(3600)


def _chatter(_job: BuildJob) -> None:
    print("said on stdout")
    print("said on stderr", file=sys.stderr)
    os.write(1, b"said below Python\n")


def _change_nothing(job: BuildJob) -> None:
    raise ChangedNothing(job.spec.recipe, "it changed nothing")


def _refuse(job: BuildJob) -> None:
    raise RecipeRefused(job.spec.recipe, "it cannot work")


def _raise(_job: BuildJob) -> None:
    raise KeyError("what the tools raise")


def _vanish(job: BuildJob) -> None:
    """Give an answer about a file that is not there."""
    job.scratch.joinpath("artefact.tflite").mkdir()


ACTS = {
    "sparse-1": _segfault,
    "sparse-2": _out_of_memory,
    "sparse-3": _leave,
    "sparse-4": _hang,
    "sparse-5": _chatter,
    "sparse-6": _change_nothing,
    "sparse-7": _refuse,
    "sparse-8": _raise,
    "sparse-9": _vanish,
}
