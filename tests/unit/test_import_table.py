"""The import table of docs/architecture.md, held against the code."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("harness", "devices", "reports", "tests", "run_bench")

# Longest prefix wins: who may import which of our own packages.
MAY_IMPORT = {
    "harness.core": ("harness.core",),
    "harness": ("harness",),
    "devices.agent": ("devices.agent",),
    "devices": ("devices", "harness.core"),
    "reports": ("reports", "harness.core"),
}
STANDARD_LIBRARY_ONLY = ("harness.core", "devices.agent")
# What the agent imports of the runtimes that it finds on a device, inside functions.
RUNTIMES = ("ai_edge_litert", "tflite_runtime")
HEAVY_AT_START = ("torch", "tensorflow", "coremltools", "pandas", "scipy", "sqlalchemy", "numpy", "ai_edge_quantizer")
FOR_OTHER_DEVICES = ("paramiko", "adbutils")


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("harness", "devices", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Every imported name of a file, also inside functions, relative ones resolved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            prefix = package + "." if node.level else ""
            yield (prefix + (node.module or "")).strip(".")


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def rule(module: str) -> tuple[str, ...]:
    package = max((p for p in MAY_IMPORT if is_inside(module, p)), key=len)
    return MAY_IMPORT[package]


def is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    return any(is_inside(name, package) for package in allowed)


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_module_imports_what_the_table_allows(module: str, path: Path) -> None:
    allowed = rule(module)
    ours = {name for name in imports(module, path) if any(is_inside(name, own) for own in OURS)}
    assert {name for name in ours if not is_allowed(name, allowed)} == set()


@pytest.mark.parametrize("package", STANDARD_LIBRARY_ONLY)
def test_core_and_agent_need_the_standard_library_alone(package: str) -> None:
    found = [(module, path) for module, path in modules() if is_inside(module, package)]
    assert len(found) > 5
    foreign = {name.partition(".")[0] for module, path in found for name in imports(module, path)}
    assert foreign - set(sys.stdlib_module_names) - set(OURS) - set(RUNTIMES) == set()


def test_nothing_heavy_is_imported_for_help() -> None:
    script = "import runpy, sys; sys.argv[1:] = ['--help']\n"
    script += f"try: runpy.run_path({str(ROOT / 'run_bench.py')!r}, run_name='__main__')\n"
    script += "except SystemExit: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split())
    assert "harness.core.errors" in loaded
    assert loaded & {*HEAVY_AT_START, *FOR_OTHER_DEVICES} == set()


def test_nothing_heavy_is_imported_to_read_a_configuration() -> None:
    first = ROOT / "examples" / "first.yaml"
    script = "import sys; from pathlib import Path; from harness.config import load_config\n"
    script += f"load_config(Path({str(first)!r})); print(*sys.modules)"
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "harness.variants.recipes" in loaded
    assert loaded & {*HEAVY_AT_START, *FOR_OTHER_DEVICES} == set()


def test_nothing_for_other_devices_is_imported_to_use_this_machine() -> None:
    script = "import sys; from devices.opening import open_devices; from harness.core.device import DeviceSpec\n"
    script += "open_devices([DeviceSpec(name='local', kind='local')], dry_run=False); print(*sys.modules)"
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "devices.inventory" in loaded
    assert loaded & set(FOR_OTHER_DEVICES) == set()
