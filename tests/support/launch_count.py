"""How far a run has come, seen from another process."""

import contextlib
import sqlite3
from pathlib import Path


def saved_launches(database: Path) -> int:
    """Launches on disk so far; 0 while there is no database yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM launch").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
