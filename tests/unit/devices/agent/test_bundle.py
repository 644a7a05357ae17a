"""The agent as one file: always the same bytes, whole, and in Python 3.7."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from devices.transport.bundle import bundle, bundle_file

AGENT = Path(__file__).parents[4] / "devices" / "agent"
SOURCES = sorted(str(path) for path in AGENT.glob("*.py"))


def vermin(*files: str) -> subprocess.CompletedProcess[str]:
    start = "import vermin; vermin.main()"
    argv = (sys.executable, "-c", start, "--target=3.7-", "--no-tips", "--violations", *files)
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def test_the_agent_is_python_3_7() -> None:
    done = vermin(*SOURCES)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_check_for_python_3_7_sees_what_is_newer(tmp_path: Path) -> None:
    newer = tmp_path / "newer.py"
    newer.write_text("if (n := 3) > 2:\n    print(n)\n")
    done = vermin(str(newer))
    assert done.returncode != 0
    assert "3.8" in done.stdout


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    first = bundle(tmp_path)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 1_700_000_000))
        path.chmod(0o600)
    assert bundle(tmp_path) == first


def test_every_module_of_the_agent_is_in_the_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle_file(tmp_path)) as archive:
        names = set(archive.namelist())
    assert names == {"__main__.py", *(f"agent/{Path(path).name}" for path in SOURCES)}


def test_the_bundle_is_written_once(tmp_path: Path) -> None:
    first = bundle_file(tmp_path)
    written = first.stat().st_mtime_ns
    assert bundle_file(tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_a_bundle_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    file = bundle_file(tmp_path)
    file.write_bytes(b"damaged")
    assert bundle_file(tmp_path).read_bytes() == bundle()


def test_other_sources_have_another_name(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "a.py").write_text("")
    before = bundle_file(tmp_path / "out", source)
    (source / "a.py").write_text("# changed\n")
    assert bundle_file(tmp_path / "out", source) != before


@pytest.mark.parametrize("words", [(), ("dance",)])
def test_an_unknown_mode_is_refused_with_the_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        (sys.executable, str(bundle_file(tmp_path)), *words), capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: agent.pyz supervise")
