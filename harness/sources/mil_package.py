"""ML Programs written as `.mlpackage` folders, the same model as the same bytes each time.

coremltools writes the day of conversion, identifiers drawn at random and maps in any order; here the day is left out,
identifiers come from the content, and maps are in order. Everything else is as the toolkit writes it, the manifest to
the byte, since opening a package writes that anew:

    Manifest.json                               which item is the model
    Data/com.apple.CoreML/model.mlmodel         the specification
    Data/com.apple.CoreML/weights/weight.bin    constants of ten elements and more

Format: coremltools, modelpackage/src/ModelPackage.cpp.
"""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from harness.core import digest

_AUTHOR = "com.apple.CoreML"
_DATE = "com.github.apple.coremltools.conversion_date"
_SPECIFICATION, _WEIGHTS = "model.mlmodel", "weights"
_DESCRIPTIONS = {_SPECIFICATION: "CoreML Model Specification", _WEIGHTS: "CoreML Model Weights"}


def write_package(mlmodel: Any, path: Path) -> None:  # noqa: ANN401 (coremltools has no types)
    """Write an ML Program, a coremltools `MLModel`, as a folder that is not there yet. Raises OSError."""
    inside = path / "Data" / _AUTHOR
    inside.mkdir(parents=True)
    (inside / _SPECIFICATION).write_bytes(_specification(mlmodel))
    items = [_SPECIFICATION]
    constants = None if mlmodel.weights_dir is None else Path(mlmodel.weights_dir)
    if constants is not None and any(constants.iterdir()):
        shutil.copytree(constants, inside / _WEIGHTS, copy_function=shutil.copyfile)
        items.append(_WEIGHTS)
    (path / "Manifest.json").write_text(_text(_manifest(digest.of_path(inside), items)))


def _text(manifest: dict[str, object]) -> str:
    """As the toolkit's own code puts it, which writes a manifest anew whenever it reads a package."""
    return json.dumps(manifest, indent=4, sort_keys=True) + "\n"


def _specification(mlmodel: Any) -> bytes:  # noqa: ANN401 (coremltools has no types)
    """The model's protobuf (Model.proto) without the day on which it was converted."""
    specification = mlmodel.get_spec()
    specification.description.metadata.userDefined.pop(_DATE, None)
    content: bytes = specification.SerializeToString(deterministic=True)
    return content


def _manifest(content: str, items: list[str]) -> dict[str, object]:
    """What is in the package; identifiers from the digest of its content."""
    identifiers = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{content}/{name}")) for name in items}
    entries = {
        identifier: {
            "author": _AUTHOR,
            "description": _DESCRIPTIONS[name],
            "name": name,
            "path": f"{_AUTHOR}/{name}",
        }
        for name, identifier in identifiers.items()
    }
    return {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": identifiers[_SPECIFICATION],
    }
