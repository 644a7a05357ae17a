"""The cache's entries: what reads back, what is a miss, what pruning takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import pytest

from harness.core import digest
from harness.core.target import Target
from harness.core.variant import OpSetting, Variant
from harness.variants.cache import entry_key, load, prune, store, versions
from harness.variants.job import BuildJob
from tests.unit.harness.variants.builders import a_variant
from tests.unit.harness.variants.models import a_model, a_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stored variant, its cache and its entry."""

    cache: Path
    key: str
    variant: Variant

    @property
    def index(self) -> Path:
        return self.cache / "index" / f"{self.key}.json"

    def load(self, model_directory: Path) -> Variant | None:
        return load(self.cache, self.key, a_model(model_directory), a_spec("int8"))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    model, cache = a_model(tmp_path), tmp_path / "cache"
    scratch = cache / "scratch" / "job"
    scratch.mkdir(parents=True)
    key = entry_key(model, a_spec("int8"), data_digest=None, prebuilt_digest=None)
    made = a_variant(BuildJob(model=model, spec=a_spec("int8"), scratch=scratch), b"content")
    return Kept(cache=cache, key=key, variant=store(cache, key, made))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_settings_have_an_entry_of_their_own(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    settings = [(), (OpSetting(op="logits"),), (OpSetting(op_type="logits"),), (OpSetting(op="logits", recipe="int8"),)]
    specs = [replace(a_spec("int8"), settings=each) for each in settings]
    keys = {entry_key(model, spec, data_digest=None, prebuilt_digest=None) for spec in specs}
    assert len(keys) == 4


def test_signatures_have_an_entry_of_their_own(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    other = replace(model, signature="another")
    keys = {entry_key(each, a_spec("int8"), data_digest=None, prebuilt_digest=None) for each in (model, other)}
    assert len(keys) == 2


def test_an_entry_reads_back_as_it_was(tmp_path: Path, kept: Kept) -> None:
    assert kept.load(tmp_path) == kept.variant


def test_a_moved_cache_still_holds(tmp_path: Path, kept: Kept) -> None:
    moved = kept.cache.rename(tmp_path / "moved")
    found = replace(kept, cache=moved).load(tmp_path)
    assert found == replace(kept.variant, path=moved / "artefacts" / kept.variant.path.name)


SPOILERS: dict[str, Callable[[Kept], object]] = {
    "another content": lambda kept: kept.variant.path.write_bytes(b"comtent"),
    "an empty artefact": lambda kept: kept.variant.path.write_bytes(b""),
    "no artefact": lambda kept: kept.variant.path.unlink(),
    "a cut entry": lambda kept: kept.index.write_bytes(kept.index.read_bytes()[:100]),
    "another JSON": lambda kept: kept.index.write_text("[]"),
    "bytes": lambda kept: kept.index.write_bytes(b"\xff\xfe"),
    "an unknown field": lambda kept: edit(kept.index, "zip_bytes", "zipped"),
    "a path outside": lambda kept: edit(kept.index, kept.variant.path.name, f"../artefacts/{kept.variant.path.name}"),
    "a directory": lambda kept: edit(kept.index, kept.variant.path.name, "."),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_entry_is_a_miss(tmp_path: Path, kept: Kept, spoil: Callable[[Kept], object]) -> None:
    spoil(kept)
    assert kept.load(tmp_path) is None


def test_the_key_holds_all_that_the_variant_depends_on(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    keys = [
        entry_key(model, a_spec("int8"), data_digest=None, prebuilt_digest=None),
        entry_key(model, a_spec("uint8"), data_digest=None, prebuilt_digest=None),
        entry_key(model, a_spec("int8"), data_digest="d", prebuilt_digest=None),
        entry_key(model, a_spec("int8"), data_digest=None, prebuilt_digest="d"),
        entry_key(replace(model, digest="d"), a_spec("int8"), data_digest=None, prebuilt_digest=None),
        entry_key(replace(model, metric="top1"), a_spec("int8"), data_digest=None, prebuilt_digest=None),
        entry_key(replace(model, random_weights=True), a_spec("int8"), data_digest=None, prebuilt_digest=None),
        entry_key(model, replace(a_spec("int8"), target=Target.IOS16), data_digest=None, prebuilt_digest=None),
        entry_key(replace(model, inputs=()), a_spec("int8"), data_digest=None, prebuilt_digest=None),
    ]
    assert len(set(keys)) == len(keys)
    assert entry_key(replace(model, name="other"), a_spec("int8"), data_digest=None, prebuilt_digest=None) == keys[0]


def test_pruning_keeps_what_a_current_entry_names(tmp_path: Path, kept: Kept) -> None:
    gone = prune(kept.cache, now=time.time() + 10_000)
    assert (gone.entries, gone.files) == (0, 0)
    assert kept.load(tmp_path) == kept.variant


def test_pruning_removes_other_versions_and_what_they_named(kept: Kept) -> None:
    edit(kept.index, '"code": "', '"code": "older')
    (kept.cache / "scratch" / "left-behind").write_bytes(b"12345")
    gone = prune(kept.cache, now=time.time() + 10_000)
    assert (gone.entries, gone.files) == (1, 2)
    assert gone.freed_bytes > len(b"content") + 5
    assert not kept.variant.path.exists()


def test_pruning_spares_files_of_a_build_under_way(kept: Kept) -> None:
    kept.index.unlink()
    (kept.cache / "scratch" / "new").write_bytes(b"1")
    assert prune(kept.cache, now=time.time()).files == 0
    assert kept.variant.path.exists()


def test_pruning_nothing_is_fine(tmp_path: Path) -> None:
    assert prune(tmp_path / "none", now=time.time()).freed_bytes == 0


def a_package(scratch: Path) -> Path:
    folder = scratch / "artefact.mlpackage"
    (folder / "Data").mkdir(parents=True)
    (folder / "Manifest.json").write_text("{}")
    (folder / "Data" / "weight.bin").write_bytes(b"12345")
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Kept:
    """A stored variant that is a folder."""
    model, cache = a_model(tmp_path), tmp_path / "cache"
    scratch = cache / "scratch" / "job"
    path = a_package(scratch)
    key = entry_key(model, a_spec("int8"), data_digest=None, prebuilt_digest=None)
    made = a_variant(BuildJob(model=model, spec=a_spec("int8"), scratch=scratch), b"content")
    whole = replace(made, path=path, digest=digest.of_path(path), size_bytes=digest.size_of(path), target=Target.IOS18)
    return Kept(cache=cache, key=key, variant=store(cache, key, whole))


def test_a_package_reads_back_as_it_was(tmp_path: Path, package: Kept) -> None:
    assert package.variant.path.name == f"{package.variant.digest}.mlpackage"
    assert package.load(tmp_path) == package.variant


def test_a_package_that_is_stored_twice_stays(tmp_path: Path, package: Kept) -> None:
    again = replace(package.variant, path=a_package(package.cache / "scratch" / "again"))
    assert store(package.cache, package.key, again) == package.variant
    assert package.load(tmp_path) == package.variant


def test_a_damaged_package_is_a_miss_and_is_replaced(tmp_path: Path, package: Kept) -> None:
    (package.variant.path / "Data" / "weight.bin").write_bytes(b"12346")
    assert package.load(tmp_path) is None
    store(package.cache, package.key, replace(package.variant, path=a_package(package.cache / "scratch" / "again")))
    assert package.load(tmp_path) == package.variant


def test_pruning_removes_packages_whole(package: Kept) -> None:
    package.index.unlink()
    assert prune(package.cache, now=time.time() + 10_000).files >= 2
    assert not package.variant.path.exists()


@pytest.mark.parametrize(
    "tool", ["ai-edge-litert", "coremltools", "onnxruntime", "ai-edge-quantizer", "numpy", "flatbuffers"]
)
def test_whatever_writes_files_is_among_the_versions(tool: str) -> None:
    assert versions()[tool] == metadata.version(tool)
