"""Built variants, kept: content-addressed artefacts, and an index entry for each (source, recipe, data, code).

    cache/artefacts/<sha256>.tflite     the file, or the folder (.mlpackage); its name is its content
    cache/index/<key>.json              the Variant that says so
    cache/scratch/                      builds under way, on the same file system so that a rename publishes them

Everything is written to a temporary name, synced and renamed, artefact first: a reader sees a whole entry or none, and
two processes that build the same thing at once leave one. An entry that does not read back is a miss.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.core import digest
from harness.core.files import PART, publish, remove, write_whole
from harness.core.model import Model, TensorSpec
from harness.core.target import Target
from harness.core.units import Bytes, Seconds
from harness.core.variant import (
    Accuracy,
    CompiledOperators,
    EdgeTpuCompilation,
    Fidelity,
    Transfers,
    Variant,
    VariantSpec,
    WeightTensor,
)
from harness.sources.samples import WRITERS

_TOOLS = (*WRITERS, "ai-edge-quantizer", "coremltools", "protobuf", "scikit-learn", "onnx", "onnxruntime")
_CODE = ("variants", "fidelity", "sources")  # packages of harness whose code decides what an entry holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a pruning removed."""

    entries: int
    files: int
    freed_bytes: Bytes


def entry_key(
    model: Model,
    spec: VariantSpec,
    *,
    data_digest: str | None,
    prebuilt_digest: str | None,
    compiler: str | None = None,
) -> str:
    """Name of the index entry: a digest of everything the variant and its scores depend on."""
    return digest.of_content(
        {
            "source": model.digest,
            "inputs": [(spec.name, spec.shape, spec.dtype) for spec in model.inputs],
            "signature": model.signature,
            "recipe": spec.recipe,
            "target": spec.target,
            "settings": [(setting.op, setting.op_type, setting.recipe) for setting in spec.settings],
            "prebuilt": prebuilt_digest,
            "data": data_digest,
            "metric": model.metric,
            "random_weights": model.random_weights,
            "versions": versions(),
            "compiler": compiler,
        }
    )


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the tools, and a digest of the code that builds and scores. Read once per process."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(path for package in _CODE for path in (root / package).rglob("*.py"))
    code = digest.of_content({str(path.relative_to(root)): digest.of_file(path) for path in files})
    return {"code": code} | {tool: metadata.version(tool) for tool in _TOOLS}


def load(cache: Path, key: str, model: Model, spec: VariantSpec) -> Variant | None:
    """The stored variant under this order's names; None where there is none or it does not read back whole."""
    try:
        entry = json.loads(_index_path(cache, key).read_bytes())
        variant = _decode(entry["variant"], cache)
        if digest.size_of(variant.path) != variant.size_bytes or digest.of_path(variant.path) != variant.digest:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return replace(variant, model=model.name, name=spec.name, recipe=spec.recipe)


def scratch_directory(cache: Path) -> Path:
    """Where builds work, made if it is missing. Raises OSError."""
    scratch = cache / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def store(cache: Path, key: str, variant: Variant) -> Variant:
    """Move the artefact at variant.path (in this cache's scratch) to its place, then write the index entry.

    Raises OSError.
    """
    place = cache / "artefacts" / f"{variant.digest}{variant.path.suffix}"
    publish(variant.path, place, lambda path: digest.of_path(path) == variant.digest)
    stored = replace(variant, path=place)
    entry = {"versions": versions(), "variant": _encode(stored)}
    write_whole(_index_path(cache, key), json.dumps(entry, indent=1).encode(), durable=True)
    return stored


def prune(cache: Path, *, now: float, grace_s: Seconds = 3600.0) -> Pruned:
    """Remove entries that no current code can hit or that are damaged, and files that no entry names.

    now is seconds since the epoch. Files younger than grace_s that no entry names stay: somebody may be building.
    """
    live: set[str] = set()
    stale: list[Path] = []
    unfinished: list[Path] = []
    for path in _files(cache / "index"):
        if path.suffix == PART:
            unfinished.append(path)
            continue
        name = _artefact_name(path)
        if name is None:
            stale.append(path)
        else:
            live.add(name)
    orphans = [path for path in _entries(cache / "artefacts") if path.name not in live]
    abandoned = [*orphans, *unfinished, *_entries(cache / "scratch")]
    old = [path for path in abandoned if now - _touched(path) >= grace_s]
    freed = sum(digest.size_of(path) for path in (*stale, *old))
    files = sum(len(digest.files_in(path)) if path.is_dir() else 1 for path in old)
    for path in (*stale, *old):
        remove(path)
    return Pruned(entries=len(stale), files=files, freed_bytes=freed)


def _artefact_name(entry: Path) -> str | None:
    """File name of the artefact that an index entry of the current code names, else None."""
    try:
        content = json.loads(entry.read_bytes())
        current = content["versions"] == versions()
        return str(content["variant"]["file"]) if current and entry.suffix == ".json" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def _entries(directory: Path) -> list[Path]:
    """Files and folders right below a directory."""
    return list(directory.iterdir()) if directory.is_dir() else []


def _touched(path: Path) -> float:
    """When it was last written to, or anything in it. Seconds since the epoch."""
    inside = digest.files_in(path) if path.is_dir() else []
    return max(each.stat().st_mtime for each in (path, *inside))


def _index_path(cache: Path, key: str) -> Path:
    return cache / "index" / f"{key}.json"


def _encode(variant: Variant) -> dict[str, Any]:
    return asdict(variant) | {"path": None, "file": variant.path.name}


def _compilation(fields: dict[str, Any]) -> EdgeTpuCompilation:
    operators = tuple(CompiledOperators(**each) for each in fields["operators"])
    transfers = Transfers(**fields["transfers"]) if fields["transfers"] else None
    return EdgeTpuCompilation(**(fields | {"operators": operators, "transfers": transfers}))


def _decode(fields: dict[str, Any], cache: Path) -> Variant:
    """Back from JSON. Raises KeyError, TypeError or ValueError on anything but what was written."""
    name = fields["file"]
    if Path(name).name != name:
        raise ValueError(f"{name!r} is no file of the cache")
    known = {key: value for key, value in fields.items() if key not in ("file", "path")}
    tuples = {
        "tensors": tuple(WeightTensor(**{**t, "shape": tuple(t["shape"])}) for t in fields["tensors"]),
        "inputs": tuple(TensorSpec(**{**t, "shape": tuple(t["shape"])}) for t in fields["inputs"]),
        "outputs": tuple(TensorSpec(**{**t, "shape": tuple(t["shape"])}) for t in fields["outputs"]),
        "notes": tuple(fields["notes"]),
        "target": Target(fields["target"]) if fields["target"] else None,
        "fidelity": Fidelity(**fields["fidelity"]) if fields["fidelity"] else None,
        "accuracy": Accuracy(**fields["accuracy"]) if fields["accuracy"] else None,
        "compiled": _compilation(fields["compiled"]) if fields["compiled"] else None,
    }
    return Variant(**(known | tuples | {"path": cache / "artefacts" / name}))
