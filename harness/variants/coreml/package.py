"""A source on its way to an artefact: opened for a target, cast to float16, written, measured as an app store would."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core import digest
from harness.core.target import Target
from harness.core.units import Bytes
from harness.sources.mlpackage_file import open_package
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.names import uncast
from harness.variants.technique import CoreMLProgram

_CHUNK = 1 << 20


def open_program(path: Path, target: Target, *, cast: bool) -> CoreMLProgram:
    """A model as a program for a target, not older than its own. cast: to float16, operators still under their names.

    Inputs and outputs keep names and types. Raises ModelUnreadable, and what the toolkit raises.
    """
    program = load(path)
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
    from coremltools.models.utils import _apply_graph_pass

    passes = [PASS_REGISTRY["common::add_fp16_cast"]] if cast else []
    if not cast and program.get_spec().specificationVersion == target.specification:
        return program
    with quietly():
        made = _apply_graph_pass(program, passes, spec_version=target.specification, skip_model_load=True)
        return uncast(made) if cast else made


def load(path: Path) -> CoreMLProgram:
    """A model as it is. Raises ModelUnreadable.

    The toolkit writes a package's manifest anew whenever it opens one, so it is given the specification alone.
    """
    coremltools = import_coremltools()
    package = open_package(path)
    specification = coremltools.proto.Model_pb2.Model()
    specification.ParseFromString(package.specification.SerializeToString())
    with quietly(), tempfile.TemporaryDirectory() as empty:
        beside = None if package.folder is None else package.folder / "weights"
        weights = str(beside) if beside is not None and beside.is_dir() else empty
        return coremltools.models.MLModel(specification, weights_dir=weights, skip_model_load=True)


def copy(path: Path, to: Path) -> None:
    """A package or a file as it is. Raises OSError."""
    if path.is_dir():
        shutil.copytree(path, to, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(path, to)


def zip_size(path: Path) -> Bytes:
    """Bytes of a zip archive of a package or file, deflated at level 6, as app stores do. Raises OSError."""
    files = digest.files_in(path) if path.is_dir() else [path]
    with tempfile.TemporaryFile() as archive:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as writer:
            for file in files:
                _add(writer, file, file.relative_to(path.parent).as_posix())
        return archive.tell()


def _add(writer: zipfile.ZipFile, file: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.file_size = file.stat().st_size
    with file.open("rb") as source, writer.open(entry, "w") as target:
        shutil.copyfileobj(source, target, _CHUNK)


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
