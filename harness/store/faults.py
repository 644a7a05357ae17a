"""The one boundary where what the database and the disk raise becomes a StoreError that says what to do."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import StoreError

_RESTORE = "the file is damaged; move it away and restore a copy, the next run starts a new one"
_FAULT = "this is a fault of weighbridge; report it"
_AGAIN = "try again"

# SQLite's primary result codes (sqlite.org/rescode.html): what happened, what to do.
SQLITE: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_ERROR: ("the database refused a statement", _FAULT),
    sqlite3.SQLITE_INTERNAL: ("SQLite failed inside", _FAULT),
    sqlite3.SQLITE_PERM: ("no permission", "give this user access to the file and its folder"),
    sqlite3.SQLITE_ABORT: ("the transaction was aborted", _AGAIN),
    sqlite3.SQLITE_BUSY: ("locked by another process", "wait until the other run or reader is done, or end it"),
    sqlite3.SQLITE_LOCKED: ("locked by another connection", "wait until the other run or reader is done, or end it"),
    sqlite3.SQLITE_NOMEM: ("out of memory", "free memory and try again"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "make the file and its folder writable, or use another place"),
    sqlite3.SQLITE_INTERRUPT: ("interrupted", _AGAIN),
    sqlite3.SQLITE_IOERR: ("the disk failed to read or write", "check the disk, its free space and its quota"),
    sqlite3.SQLITE_CORRUPT: ("damaged", _RESTORE),
    sqlite3.SQLITE_NOTFOUND: ("SQLite lacks something", _FAULT),
    sqlite3.SQLITE_FULL: ("the disk is full", "free space and run again with --resume; what was saved is safe"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the folder exists and this user may write in it"),
    sqlite3.SQLITE_PROTOCOL: ("the locks of the file system do not work", "put the store on a local disk"),
    sqlite3.SQLITE_EMPTY: ("SQLite failed inside", _FAULT),
    sqlite3.SQLITE_SCHEMA: ("another process changed the tables", _AGAIN),
    sqlite3.SQLITE_TOOBIG: ("a value is larger than SQLite takes", "measure fewer inferences in a launch"),
    sqlite3.SQLITE_CONSTRAINT: ("something is there twice or belongs to nothing", _FAULT),
    sqlite3.SQLITE_MISMATCH: ("a value is of the wrong type", _FAULT),
    sqlite3.SQLITE_MISUSE: ("the database was used wrongly", _FAULT),
    sqlite3.SQLITE_NOLFS: ("the file system takes no file this large", "put the store on another disk"),
    sqlite3.SQLITE_AUTH: ("not authorised", _FAULT),
    sqlite3.SQLITE_FORMAT: ("SQLite failed inside", _FAULT),
    sqlite3.SQLITE_RANGE: ("a parameter does not exist", _FAULT),
    sqlite3.SQLITE_NOTADB: ("not a database", "give the path of a store, or of a file that does not exist yet"),
    sqlite3.SQLITE_NOTICE: ("SQLite failed inside", _FAULT),
    sqlite3.SQLITE_WARNING: ("SQLite failed inside", _FAULT),
}


@contextmanager
def translated(location: Path) -> Iterator[None]:
    """Raises StoreError, naming the store, for whatever the database, its driver or the disk raise inside."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except StoreError as error:
        if str(location) in str(error):
            raise
        raise type(error)(f"{location}: {error}") from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise StoreError(describe(location, error)) from error
    except SQLAlchemyError as error:
        raise StoreError(describe(location, getattr(error, "orig", None) or error)) from error
    except _migration_errors() as error:
        raise StoreError(f"{location}: its tables cannot be brought up to date: {error}; {_FAULT}") from error
    except UnicodeError as error:
        raise StoreError(f"{location}: text that is not Unicode cannot be stored: {error}; {_FAULT}") from error
    except OSError as error:
        raise StoreError(f"{location}: {error.strerror or error}; check the path, its rights and the disk") from error


def _migration_errors() -> type[Exception]:
    """Looked up when something was raised: alembic is slow to import, and rarely needed."""
    from alembic.util import CommandError

    return CommandError


def describe(location: Path, error: BaseException) -> str:
    """One line: which store, what happened in the words of the table and of the driver, what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    own = " ".join(str(error).split())[:300]
    if isinstance(code, int) and code & 0xFF in SQLITE:
        what, remedy = SQLITE[code & 0xFF]
        return f"{location}: {what} ({own}); {remedy}"
    return f"{location}: the database refused: {own or type(error).__name__}; {_FAULT}"
