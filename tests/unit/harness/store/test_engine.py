"""The connection to a store's file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from harness.core.deadline import Deadline
from harness.store.engine import connect, enter_wal


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "bench.db", timeout=0.0, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def other(tmp_path: Path, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Another process that makes the same store at the same moment."""
    connection.execute("CREATE TABLE made (id INTEGER)")
    with closing(sqlite3.connect(tmp_path / "bench.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_a_connection_is_set_for_concurrent_and_durable_writes(tmp_path: Path) -> None:
    engine = connect(tmp_path / "bench.db")
    with engine.connect() as connection:
        read = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")}
        assert read == {"journal_mode": "wal", "synchronous": 2}
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
    engine.dispose()


def test_a_lock_that_is_given_up_is_waited_for(connection: sqlite3.Connection, other: sqlite3.Connection) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        other.execute("COMMIT")

    enter_wal(connection, Deadline(60.0), sleep)
    assert len(waits) == 1
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.usefixtures("other")
def test_a_lock_that_is_kept_ends_at_the_deadline(connection: sqlite3.Connection) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        enter_wal(connection, Deadline(1.0, clock=lambda: now[0]), sleep)
    assert now[0] >= 1.0


def test_a_database_in_memory_stays_as_it_is() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        enter_wal(connection, Deadline(1.0))
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("memory",)
