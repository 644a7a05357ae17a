"""The store where disks fill, files are damaged, others hold the lock, and writers are killed."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.core.errors import StoreError
from harness.store import BlockState, Store
from harness.store.engine import connect
from tests.support.faults import proves
from tests.unit.harness.store.nouns import a_block, a_launch, a_record, begin

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
# What a process does that writes until it is killed: it says what is saved only after it was saved.
WRITER = """
import itertools, sys
from pathlib import Path
from harness.store import Store
from tests.unit.harness.store.nouns import a_block, a_launch, a_record, begin
name = sys.argv[2]
store = Store.open(Path(sys.argv[1]))
begin(store, name)
print(f"campaign {name}", flush=True)
for number in itertools.count():
    block = f"{name}.{number}"
    store.begin_block(a_block(block, name))
    for position in range(5):
        store.save_launch(a_launch(block, position, a_record(f"{block}.{position}", samples=50, ops=20)))
        print(f"launch {block} {position}", flush=True)
    store.end_block(block, None)
    print(f"block {block}", flush=True)
"""
OPENER = """
import sys
from pathlib import Path
from harness.store import Store
sys.stdin.readline()
Store.open(Path(sys.argv[1])).close()
"""
# Somebody who may not write: root may write anywhere, so it becomes nobody once all that is needed is imported.
NOBODY = """
import os, sys
from pathlib import Path
from harness.core.errors import StoreError
from harness.store import Store
from tests.unit.harness.store.nouns import begin
with Store.open(Path(sys.argv[2])) as store:
    begin(store, "one")
if os.geteuid() == 0:
    os.setuid(65534)
try:
    with Store.open(Path(sys.argv[1])) as store:
        begin(store, "another")
except StoreError as error:
    print(error)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-c", code, *arguments),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def checked(location: Path) -> list[tuple[object, ...]]:
    """What SQLite itself finds wrong with a file."""
    with closing(sqlite3.connect(location)) as connection:
        return [
            *(row for row in connection.execute("PRAGMA integrity_check") if row != ("ok",)),
            *connection.execute("PRAGMA foreign_key_check"),
        ]


def small_store(location: Path, *, max_pages: int | None = None, busy_s: float = 30.0) -> Store:
    """A store whose disk is full after max_pages, or that gives a lock up after busy_s."""
    Store.open(location).close()
    return Store(connect(location, max_pages=max_pages, busy_s=busy_s), location)


def fill(store: Store) -> int:
    """Save launches until the store refuses; the number that was saved."""
    for position in range(10_000):
        try:
            store.save_launch(a_launch("b1", position, a_record(f"a{position}", samples=200, ops=50)))
        except StoreError as full:
            assert "bench.db: the disk is full (" in str(full)  # noqa: PT017  # which launch it is, is not known before
            return position
    raise AssertionError("the disk never got full")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may go through, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.thorough
def test_a_writer_killed_at_any_moment_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    chance = random.Random(7)
    said: list[str] = []
    for number in range(8):
        process = start(WRITER, str(location), f"c{number}")
        assert process.stdout is not None
        said.append(process.stdout.readline())
        time.sleep(chance.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        # Not communicate: it would lose what readline has buffered.
        said.extend(process.stdout.read().splitlines())
        _, fault = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == -signal.SIGKILL, fault

    assert checked(location) == []
    words = [line.split() for line in said if line.strip()]
    launches = {(word[1], int(word[2])) for word in words if word[0] == "launch" and len(word) == 3}
    blocks = {word[1] for word in words if word[0] == "block" and len(word) == 2}
    with closing(sqlite3.connect(location)) as connection:
        stored = set(connection.execute("SELECT block, position FROM launch"))
        complete = {row[0] for row in connection.execute("SELECT id FROM block WHERE state = 'complete'")}
    assert launches
    # A kill may come after the commit and before the words, never between the words and the commit.
    assert launches <= stored
    assert len(stored - launches) <= 8
    assert blocks <= complete


def test_after_a_kill_the_torn_block_is_given_up_and_the_rest_read(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    process = start(WRITER, str(location), "c")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("launch c.2 2"):
            break
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    with Store.open(location) as store:
        assert store.tear_open_blocks("c") <= 1
        read = store.load("c")
    complete = [block.id for block in read.blocks if block.state is BlockState.COMPLETE]
    assert complete[:2] == ["c.0", "c.1"]
    assert len(read.launches) == 5 * len(complete)


@proves("store_full")
def test_a_full_disk_is_one_clear_error_and_keeps_what_was_saved(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with small_store(location, max_pages=60) as store:
        begin(store)
        store.begin_block(a_block())
        saved = fill(store)
    assert saved > 0
    assert checked(location) == []
    with Store.open(location) as store:
        store.end_block("b1", None)
        assert len(store.load("c1").launches) == saved


def test_a_disk_that_refuses_to_write_is_one_clear_error(tmp_path: Path) -> None:
    code = f"""
import resource, sys
from pathlib import Path
from harness.core.errors import StoreError
from harness.store import Store
from tests.unit.harness.store.nouns import begin
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    Store.open(Path({str(tmp_path / "bench.db")!r}))
except StoreError as error:
    print(error)
"""
    process = start(code)
    said, fault = process.communicate(timeout=PATIENCE_S)
    assert fault == ""
    assert said.startswith(f"{tmp_path / 'bench.db'}: the disk failed to read or write (")
    assert "check the disk, its free space and its quota" in said


def test_a_store_that_others_hold_is_one_clear_error_after_the_wait(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with small_store(location, busy_s=0.2) as store, closing(sqlite3.connect(location)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"bench\.db: locked by another process \(database is locked\); wait"):
            begin(store)
        other.rollback()
        begin(store)
        assert [campaign.id for campaign in store.campaigns()] == ["c1"]


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with small_store(location, busy_s=0.2) as store, closing(sqlite3.connect(location)) as other:
        begin(store)
        other.execute("BEGIN IMMEDIATE")
        assert store.load("c1").campaign.id == "c1"


@pytest.mark.parametrize(
    "content",
    [b"name: first\nmodels: [digits]\n" * 100, b"\x00" * 4096, b"SQLite format 3\x00" + b"\xff" * 4096, b"x"],
    ids=["text", "zeros", "header", "one byte"],
)
def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    location = tmp_path / "bench.db"
    location.write_bytes(content)
    with pytest.raises(StoreError, match=r"bench\.db: not a database.*; give the path of a store, or"):
        Store.open(location)
    assert location.read_bytes() == content


def test_a_damaged_store_is_one_clear_error(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with Store.open(location) as store:
        begin(store)
        store.begin_block(a_block())
        for position in range(50):
            store.save_launch(a_launch("b1", position, a_record(f"a{position}", samples=200, ops=50)))
        store.end_block("b1", None)
    content = bytearray(location.read_bytes())
    content[4096 : len(content)] = b"\xa5" * (len(content) - 4096)
    location.write_bytes(content)
    with pytest.raises(StoreError, match=r"bench\.db: damaged \(database disk image is malformed\); the file is"):
        Store.open(location).load("c1")


def test_a_store_opened_twice_in_a_process_keeps_its_locks(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with Store.open(location) as store:
        begin(store)
        Store.open(location).close()
        # Another process that closes last would drop the log that `store` writes to.
        process = start(OPENER, str(location))
        assert process.communicate("go\n", timeout=PATIENCE_S)[1] == ""
        store.begin_block(a_block())
        store.save_launch(a_launch())
        store.end_block("b1", None)
    assert checked(location) == []
    with Store.open(location) as store:
        assert len(store.load("c1").launches) == 1


def test_every_truncation_of_a_store_is_a_store_or_one_clear_error(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with Store.open(location) as store:
        begin(store)
    content = location.read_bytes()
    outcomes = set()
    for size in range(0, len(content), 4096 + 512):
        cut = tmp_path / f"cut{size}.db"
        cut.write_bytes(content[:size])
        outcomes.add(answer(cut))
    assert outcomes <= {"a store", "an error with its path"}
    assert "an error with its path" in outcomes


def test_every_flipped_byte_of_a_blob_is_noticed(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    with Store.open(location) as store:
        begin(store)
        store.begin_block(a_block())
        store.save_launch(a_launch())
        store.end_block("b1", None)
        with closing(sqlite3.connect(location)) as connection:
            (blob,) = connection.execute("SELECT samples FROM launch").fetchone()
            for index in range(len(blob)):
                damaged = bytes(byte ^ (0x10 if place == index else 0) for place, byte in enumerate(blob))
                connection.execute("UPDATE launch SET samples = ?", (damaged,))
                connection.commit()
                with pytest.raises(StoreError, match=r"bench\.db: damaged"):
                    store.load("c1")


def answer(location: Path) -> str:
    try:
        with Store.open(location) as store:
            store.campaigns()
    except StoreError as error:
        return "an error with its path" if str(location) in str(error) else str(error)
    return "a store"


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a folder; give the path of a file, such as .*bench\.db"):
        Store.open(tmp_path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="pipe: not a database; give the path"):
        Store.open(tmp_path / "pipe")


def test_a_file_in_the_way_of_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / ".bench").touch()
    with pytest.raises(StoreError, match=r"\.bench/bench\.db: (File exists|Not a directory); check the path"):
        Store.open(tmp_path / ".bench" / "bench.db")


def test_whoever_only_reads_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"bench\.db: there is no store; `run_bench\.py run` makes one"):
        Store.open(tmp_path / ".bench" / "bench.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_read_only_folder_is_one_clear_error(open_folder: Path, tmp_path: Path, existing: bool) -> None:
    location = open_folder / "bench.db"
    if existing:
        Store.open(location).close()
        os.chmod(location, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    os.chmod(open_folder, 0o555)
    process = start(NOBODY, str(location), str(tmp_path / "other.db"))
    said, fault = process.communicate(timeout=PATIENCE_S)
    os.chmod(open_folder, 0o755)
    assert fault == ""
    assert len(said.splitlines()) == 1
    assert said.startswith(f"{location}: cannot be ")


def test_processes_that_open_a_new_store_at_once_make_one(tmp_path: Path) -> None:
    location = tmp_path / ".bench" / "bench.db"
    processes = [start(OPENER, str(location)) for _ in range(6)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=PATIENCE_S)[1] for process in processes]
    assert said == [""] * len(processes)
    assert checked(location) == []
    with Store.open(location) as store:
        assert store.campaigns() == ()


def test_two_runs_at_once_both_save_everything(tmp_path: Path) -> None:
    location = tmp_path / "bench.db"
    code = WRITER.replace("itertools.count()", "range(10)")
    processes = [start(code, str(location), name) for name in ("left", "right")]
    said = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [fault for _, fault in said] == ["", ""]
    with Store.open(location) as store:
        assert [len(store.load(name).launches) for name in ("left", "right")] == [50, 50]
