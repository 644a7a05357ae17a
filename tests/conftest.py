"""What holds for every test."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.benches import beside

# How long an example takes is the machine's affair, and the machine is shared.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share what it costs to begin, so that one process runs them; those that wait are spread."""
    for item in items:
        if item.get_closest_marker("waits") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


@pytest.fixture(scope="session", autouse=True)
def leases_of_these_tests() -> Iterator[None]:
    """Where this process' tests take the leases of this machine: those of other processes measure at the same time."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-tests-") as folder:
        Path(folder).chmod(0o755)  # other users take part
        os.environ["WEIGHBRIDGE_LEASES"] = str(Path(folder) / "leases")
        yield
        del os.environ["WEIGHBRIDGE_LEASES"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where variants and shipped models lie that some test of this run built: all its processes share them."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"


@pytest.fixture
def bench(tmp_path: Path, built: Path) -> Path:
    """A bench folder where nothing was measured, beside what was built before: for tests that are not of building."""
    return beside(built, tmp_path / "b")
