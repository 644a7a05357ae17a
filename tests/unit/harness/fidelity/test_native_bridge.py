"""The double of coremltools' binding: the names that the real one has, and what its stand-in leaves as it was."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.fidelity import native_bridge
from harness.toolkit import import_coremltools
from tests.support.record_native_names import classes_in, names_in

RECORDED = Path(__file__).parents[3] / "data" / "coreml" / "libcoremlpython-9.0-names.json"
# What coremltools' Python reads of a proxy; `__proxy__` and `_proxy` hold one, the classes are imported by name.
_HOLDERS = ("__proxy__", "_proxy", "proxy", "_MLModelProxy")


def recorded() -> dict[str, list[str]]:
    classes: dict[str, list[str]] = json.loads(RECORDED.read_text(encoding="utf-8"))["classes"]
    return classes


def classes_of_the_double() -> dict[str, type]:
    import_coremltools()
    names = vars(sys.modules[native_bridge.NAME])
    return {name: each for name, each in names.items() if not name.startswith("__")}


def test_the_double_has_the_classes_of_the_binding() -> None:
    assert sorted(classes_of_the_double()) == sorted(recorded())


@pytest.mark.parametrize("name", recorded())
def test_a_class_of_the_double_has_the_methods_of_the_binding(name: str) -> None:
    assert sorted(n for n in vars(classes_of_the_double()[name]) if not n.startswith("_")) == sorted(recorded()[name])


def sources() -> Iterator[ast.Module]:
    found = find_spec("coremltools")
    assert found is not None
    assert found.submodule_search_locations
    for path in Path(found.submodule_search_locations[0]).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "roxy" in text and "test" not in path.parts:
            yield ast.parse(text)


def reads_of_a_proxy() -> set[str]:
    """Attributes that coremltools' Python reads of what holds a proxy."""
    nodes = (node for tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if _last_name(node.value) in _HOLDERS}


def _last_name(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def imports_of_the_binding() -> set[str]:
    nodes = (node for tree in sources() for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {name.name for node in nodes if (node.module or "").endswith("libcoremlpython") for name in node.names}


def test_the_double_has_everything_that_coremltools_reads_of_a_proxy() -> None:
    methods = {name for each in classes_of_the_double().values() for name in dir(each)}
    assert reads_of_a_proxy() - methods == set()


def test_coremltools_reads_proxies_at_all() -> None:
    assert {"predict", "batchPredict", "maximum_supported_specification_version"} <= reads_of_a_proxy()


def test_the_double_has_every_class_that_coremltools_imports() -> None:
    assert imports_of_the_binding() <= set(classes_of_the_double())


def test_names_are_read_from_a_binding_class_by_class() -> None:
    text = b"x\0CoreML.Framework Python bindings\0_First\0one\0two\0_Second\0three\0not a name\0four\0"
    assert classes_in(names_in(text)) == {"_First": ["one", "two"], "_Second": ["three"]}


@pytest.mark.parametrize(
    "name",
    [
        *("get_model_structure", "get_available_compute_devices", "get_all_compute_devices", "get_compute_plan"),
        *("compileModel", "create_model_asset_from_path", "auto_set_specification_version"),
    ],
)
def test_what_a_mac_would_answer_is_not_made_up(name: str) -> None:
    with pytest.raises(RuntimeError, match="on a Mac"):
        getattr(classes_of_the_double()["_MLModelProxy"], name)("model")


@pytest.fixture
def without_binding() -> Iterator[None]:
    """As before coremltools is imported."""
    known = sys.modules.pop(native_bridge.NAME, None)
    yield
    sys.modules.pop(native_bridge.NAME, None)
    if known is not None:
        sys.modules[native_bridge.NAME] = known


@pytest.mark.usefixtures("without_binding")
def test_the_double_does_not_stand_in_where_the_binding_is_imported(tmp_path: Path) -> None:
    binding = ModuleType(native_bridge.NAME)
    sys.modules[native_bridge.NAME] = binding
    native_bridge.stand_in(tmp_path)
    assert sys.modules[native_bridge.NAME] is binding


@pytest.mark.usefixtures("without_binding")
def test_the_double_does_not_stand_in_where_the_binding_lies_in_the_package(tmp_path: Path) -> None:
    (tmp_path / "libcoremlpython.so").touch()
    native_bridge.stand_in(tmp_path)
    assert native_bridge.NAME not in sys.modules


@pytest.mark.usefixtures("without_binding")
def test_the_double_says_that_it_is_one(tmp_path: Path) -> None:
    native_bridge.stand_in(tmp_path)
    assert "double" in str(sys.modules[native_bridge.NAME].__doc__)


def test_coremltools_is_imported_silently_with_the_double() -> None:
    code = "from harness.toolkit import import_coremltools as i; print(i().libcoremlpython.__name__)"
    done = subprocess.run((sys.executable, "-W", "error", "-c", code), capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("coremltools.libcoremlpython\n", "")


def proxy(path: Path, **arguments: Any) -> Any:  # noqa: ANN401 (a class of the double)
    return native_bridge._MLModelProxy(str(path), arguments.pop("units", "ALL"), **arguments)


def test_compute_units_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="'TPU' are no compute units"):
        proxy(tmp_path, units="TPU")


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No such file"):
        proxy(tmp_path / "missing.mlpackage")


def test_a_compiled_model_is_a_macs() -> None:
    with pytest.raises(RuntimeError, match="on a Mac"):
        proxy(Path("model.mlmodelc"))
