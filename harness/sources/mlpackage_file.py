"""The files of a Core ML model: an `.mlpackage` folder or an `.mlmodel`, and what in it cannot be used.

A package has Manifest.json, which names the file of the specification below Data/; the files that hold the program's
large constants stand beside that one, and the program names them from there (`@model_path/weights/weight.bin`).
Source: ModelPackage.cpp of coremltools, whose checks of the manifest are repeated here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ModelUnreadable
from harness.core.target import Target, target_of
from harness.sources.coreml_blobs import BlobFile, BlobsDamaged
from harness.sources.coreml_schema import SpecificationDamaged, parse_specification
from harness.sources.mlprogram import Constant, Place
from harness.sources.tflite_file import shorten

_MANIFEST = "Manifest.json"
_MANIFEST_BYTES = 1 << 24
_FORMAT = "1.0.0"
_ITEM_KEYS = ("path", "name", "author", "description")
_HERE = "@model_path/"
_AGAIN = "copy or convert it again"
_NEURAL_NETWORKS = {
    "neuralNetwork": "NeuralNetwork",
    "neuralNetworkClassifier": "NeuralNetwork classifier",
    "neuralNetworkRegressor": "NeuralNetwork regressor",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A Core ML model that holds an ML Program. path is the user's, a folder or a file.

    folder is where `@model_path` of the program is, None for a single file. specification is a Model_pb2.Model.
    """

    path: Path
    folder: Path | None
    specification: Any
    target: Target


def open_package(path: Path) -> Package:
    """Read a model's specification. Raises ModelUnreadable."""
    try:
        str(path).encode()
        if not path.exists():
            raise ModelUnreadable(path, "no such file")
        file = _find_specification(path) if path.is_dir() else path
        if not file.is_file():  # a pipe or a device would be read for ever
            raise ModelUnreadable(path, f"{shorten(file.name)} is no regular file; give an .mlpackage")
        content = file.read_bytes()
    except UnicodeEncodeError as exc:
        raise ModelUnreadable(ascii(str(path)), "its name is not UTF-8, which coremltools needs; rename it") from exc
    except (OSError, ValueError) as exc:  # ValueError: a NUL in a path
        raise ModelUnreadable(path, f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    specification = _parse(path, file, content)
    _check_kind(path, specification)
    return Package(
        path=path,
        folder=file.parent if path.is_dir() else None,
        specification=specification,
        target=_target(path, specification.specificationVersion),
    )


def check_constants(package: Package, constants: Iterable[Constant]) -> None:
    """Find every constant that is not in the program itself, as long as it should be. Raises ModelUnreadable."""
    files: dict[str, BlobFile] = {}
    try:
        for constant in constants:
            if constant.place is not None:
                _check_constant(package, constant, constant.place, files)
    except BlobsDamaged as exc:
        raise ModelUnreadable(package.path, f"its weights are damaged or cut short: {exc}; {_AGAIN}") from exc
    finally:
        for file in files.values():
            file.close()


def _check_constant(package: Package, constant: Constant, place: Place, files: dict[str, BlobFile]) -> None:
    if place.file not in files:
        files[place.file] = _open_blobs(package, place.file)
    blob, kind = files[place.file].find(place.offset), constant.type
    if (blob.dtype, blob.size_bytes) != (kind.dtype, kind.size_bytes):
        has = f"{blob.size_bytes} bytes of {blob.dtype}"
        needs = f"{kind.size_bytes} of {kind.dtype}"
        raise BlobsDamaged(f"the constant at {place.offset} has {has} and the program needs {needs}")


def _open_blobs(package: Package, name: str) -> BlobFile:
    if package.folder is None:
        raise ModelUnreadable(package.path, f"its weights are in another file, {shorten(name)}; give the .mlpackage")
    if not name.startswith(_HERE):
        raise ModelUnreadable(package.path, f"its weights are in {shorten(name)}, outside the package; {_AGAIN}")
    try:
        file = _inside(package.path, package.folder, name.removeprefix(_HERE))
        if not file.is_file():
            raise ModelUnreadable(package.path, f"has no weights: {shorten(name)} is missing; {_AGAIN}")
        return BlobFile(file)
    except (OSError, ValueError) as exc:
        if isinstance(exc, BlobsDamaged):
            raise
        reason = getattr(exc, "strerror", None) or exc
        raise ModelUnreadable(package.path, f"its weights {shorten(name)} cannot be read: {reason}") from exc


def _find_specification(path: Path) -> Path:
    manifest = _read_manifest(path)
    items, root = manifest.get("itemInfoEntries"), manifest.get("rootModelIdentifier")
    if manifest.get("fileFormatVersion") != _FORMAT:
        told = shorten(str(manifest.get("fileFormatVersion")))
        raise ModelUnreadable(path, f"{_MANIFEST} has the format {told}, and {_FORMAT} is known; {_AGAIN}")
    if not isinstance(items, dict) or not isinstance(root, str) or root not in items:
        raise ModelUnreadable(path, f"{_MANIFEST} names no model; {_AGAIN}")
    files = {key: _item(path, item) for key, item in items.items()}
    return files[root]


def _read_manifest(path: Path) -> Mapping[str, Any]:
    file = path / _MANIFEST
    if path.suffix == ".mlmodelc" or (path / "coremldata.bin").exists():
        raise ModelUnreadable(path, "is a compiled model, which only Apple's systems read; give its .mlpackage")
    if not file.is_file():
        raise ModelUnreadable(path, f"is a folder without {_MANIFEST}, so no Core ML package; give an .mlpackage")
    if file.stat().st_size > _MANIFEST_BYTES:
        raise ModelUnreadable(path, f"{_MANIFEST} has {file.stat().st_size} bytes, which no manifest has; {_AGAIN}")
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise ModelUnreadable(path, f"{_MANIFEST} is no JSON; {_AGAIN}") from exc
    if not isinstance(manifest, dict):
        raise ModelUnreadable(path, f"{_MANIFEST} names no model; {_AGAIN}")
    return manifest


def _item(path: Path, item: object) -> Path:
    """Where an item of the manifest is."""
    if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in _ITEM_KEYS):
        raise ModelUnreadable(path, f"{_MANIFEST} has an item without {', '.join(_ITEM_KEYS)}; {_AGAIN}")
    found = _inside(path, path / "Data", item["path"])
    if not found.exists():
        raise ModelUnreadable(path, f"{_MANIFEST} lists {shorten(item['path'])} and it is missing; {_AGAIN}")
    return found


def _inside(package: Path, folder: Path, relative: str) -> Path:
    """A path below folder. Raises ModelUnreadable where it leads out of the package, by itself or by links."""
    found = folder / relative
    if ".." in Path(relative).parts or not found.resolve().is_relative_to(package.resolve()):
        raise ModelUnreadable(package, f"{shorten(relative)} leads out of the package; {_AGAIN}")
    return found


def _parse(path: Path, file: Path, content: bytes) -> Any:  # noqa: ANN401 (Model_pb2.Model)
    if not content:
        raise ModelUnreadable(path, f"{shorten(file.name)} is empty; {_AGAIN}")
    if content.startswith(b"PK\x03\x04"):
        raise ModelUnreadable(path, "is a zip archive; unpack it and give the .mlpackage")
    try:
        return parse_specification(content)
    except SpecificationDamaged as exc:
        raise ModelUnreadable(path, f"{shorten(file.name)} is no Core ML model, or damaged; {_AGAIN}") from exc


def _check_kind(path: Path, specification: Any) -> None:  # noqa: ANN401
    kind = specification.WhichOneof("Type")
    if kind == "mlProgram":
        return
    if kind is None:
        raise ModelUnreadable(path, f"its specification holds no model; {_AGAIN}")
    if kind in _NEURAL_NETWORKS:
        what = f"is a {_NEURAL_NETWORKS[kind]}, the format before ML Programs"
        raise ModelUnreadable(path, f"{what}: convert the original network again with convert_to='mlprogram'")
    if kind.startswith("pipeline"):
        raise ModelUnreadable(path, "is a pipeline of models; give the ML Program in it as a model of its own")
    raise ModelUnreadable(path, f"is a {kind}, and only ML Programs are weighed here; give one")


def _target(path: Path, version: int) -> Target:
    found, newest = target_of(version), list(Target)[-1]
    if found is None and version > newest.specification:
        told = (
            f"is written in version {version} of Core ML's format, and {newest.specification} ({newest}) is the newest"
        )
        raise ModelUnreadable(path, f"{told} known; convert it for {newest} or older")
    if found is None:
        raise ModelUnreadable(path, f"says version {version} of Core ML's format, which has no ML Programs; {_AGAIN}")
    return found
