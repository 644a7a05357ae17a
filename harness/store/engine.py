"""The connection to a store's file."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection

from harness.core.units import Seconds

# A writer holds the lock for milliseconds; whoever waits this long waits for something that hangs.
BUSY_S = 30.0


def connect(
    location: Path, *, busy_s: Seconds = BUSY_S, max_pages: int | None = None, foreign_keys: bool = True
) -> Engine:
    """An engine on a SQLite file: WAL, foreign keys, each commit on the disk before it returns.

    max_pages bounds the size of the file, in pages of 4 KiB.
    """
    url = URL.create("sqlite+pysqlite", database=str(location))
    engine = create_engine(url, connect_args={"timeout": busy_s, "check_same_thread": False})
    event.listen(engine, "connect", _prepare(max_pages, foreign_keys))
    event.listen(engine, "begin", _begin)
    return engine


def reading(connection: Connection) -> Connection:
    """The same connection with transactions that see one state of the store and keep no writer waiting."""
    return connection.execution_options(reading=True)


def _prepare(max_pages: int | None, foreign_keys: bool) -> Callable[[DBAPIConnection, object], None]:
    def prepare(connection: DBAPIConnection, _: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        # FULL, not NORMAL: a launch that was reported as saved outlives a power cut. It costs one sync a launch.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys:d}")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count = {max_pages:d}")

    return prepare


def _begin(connection: Connection) -> None:
    # IMMEDIATE: two writers queue up at the start instead of failing in the middle.
    kind = "DEFERRED" if connection.get_execution_options().get("reading") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {kind}")
