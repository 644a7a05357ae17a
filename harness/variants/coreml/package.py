"""A source on its way to an artefact: opened for a target, cast to float16, written."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.target import Target
from harness.sources.mlpackage_file import open_package
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.names import uncast
from harness.variants.technique import CoreMLProgram


def open_program(path: Path, target: Target, *, cast: bool) -> CoreMLProgram:
    """A model as a program for a target, not older than its own. cast: to float16, operators still under their names.

    Inputs and outputs keep names and types. Constants that operations only reorder are reordered once and for all, as
    the toolkit does in every pass. Raises ModelUnreadable, and what the toolkit raises.
    """
    program = load(path)
    from coremltools.converters.mil.mil.passes.defs.quantization import add_fp16_cast
    from coremltools.models.utils import _apply_graph_pass

    to_float16 = add_fp16_cast()
    to_float16.skip_ops_by_type = "classify"  # its labels are a list, which the pass stumbles over
    passes = [to_float16] if cast else []
    with quietly():
        made = _apply_graph_pass(program, passes, spec_version=target.specification, skip_model_load=True)
        return uncast(made) if cast else made


def load(path: Path) -> CoreMLProgram:
    """A model as it is. Raises ModelUnreadable.

    The toolkit writes a package's manifest anew whenever it opens one, so it is given the specification alone.
    """
    coremltools = import_coremltools()
    package = open_package(path)
    with quietly(), tempfile.TemporaryDirectory() as empty:
        beside = None if package.folder is None else package.folder / "weights"
        weights = str(beside) if beside is not None and beside.is_dir() else empty
        return coremltools.models.MLModel(package.specification, weights_dir=weights, skip_model_load=True)


def copy(path: Path, to: Path) -> None:
    """A package or a file as it is. Raises OSError."""
    if path.is_dir():
        shutil.copytree(path, to, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(path, to)


@contextmanager
def temporaries_in(folder: Path) -> Iterator[None]:
    """Have the toolkit put its temporary packages here, so that they go with the build even if it is killed."""
    before = tempfile.tempdir
    folder.mkdir(exist_ok=True)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
