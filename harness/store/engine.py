"""The connection to a store's file."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection

from harness.core.deadline import Deadline
from harness.core.units import Seconds

# A writer holds the lock for milliseconds; whoever waits this long waits for something that hangs.
BUSY_S = 30.0
_MEET_S = 0.01


def connect(
    location: Path, *, busy_s: Seconds = BUSY_S, max_pages: int | None = None, foreign_keys: bool = True
) -> Engine:
    """An engine on a SQLite file: WAL, each commit on the disk before it returns.

    busy_s: how long to wait for a lock. max_pages bounds the size of the file, in pages of 4 KiB.
    """
    url = URL.create("sqlite+pysqlite", database=str(location))
    engine = create_engine(url, connect_args={"timeout": busy_s, "check_same_thread": False})

    def prepare(connection: DBAPIConnection, _: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
        enter_wal(connection, Deadline(busy_s))
        # FULL, not NORMAL: a launch that was reported as saved outlives a power cut. It costs one sync a launch.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys:d}")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count = {max_pages:d}")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


def reading(connection: Connection) -> Connection:
    """The same connection with transactions that see one state of the store and keep no writer waiting."""
    return connection.execution_options(reading=True)


def enter_wal(connection: sqlite3.Connection, deadline: Deadline, sleep: Callable[[float], None] = time.sleep) -> None:
    """Once in the life of a file. SQLite does not wait for its lock here, and processes that make a store meet.

    A file system that cannot do it keeps its rollback journal: slower, as safe.
    """
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or deadline.expired:
                raise
            sleep(_MEET_S)


def _begin(connection: Connection) -> None:
    # IMMEDIATE: two writers queue up at the start instead of failing in the middle.
    kind = "DEFERRED" if connection.get_execution_options().get("reading") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {kind}")
