"""Everything that a database and a disk can raise is a StoreError that names the store."""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy.exc
from alembic.util import CommandError

from harness.core.errors import StoreError
from harness.store.codec import CodecError
from harness.store.faults import SQLITE, describe, translated

PLACE = Path("/data/bench.db")
# Primary result codes of sqlite.org/rescode.html that are failures; Python has other constants of the same numbers.
CODES = """
    ABORT AUTH BUSY CANTOPEN CONSTRAINT CORRUPT EMPTY ERROR FORMAT FULL INTERNAL INTERRUPT IOERR LOCKED MISMATCH MISUSE
    NOLFS NOMEM NOTADB NOTFOUND NOTICE PERM PROTOCOL RANGE READONLY SCHEMA TOOBIG WARNING
"""


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


OF_SQLALCHEMY = sorted(set(subclasses(sqlalchemy.exc.SQLAlchemyError)), key=str)
OF_THE_DRIVER = [*subclasses(sqlite3.Error), sqlite3.Warning]


def a_driver_error(code: int, message: str = "boom") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def test_the_table_has_every_result_code_of_sqlite() -> None:
    assert set(SQLITE) == {getattr(sqlite3, f"SQLITE_{name}") for name in CODES.split()}


def test_every_result_code_that_python_names_is_one_of_the_tables() -> None:
    errors = {
        value & 0xFF
        for name, value in vars(sqlite3).items()
        if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_BUSY", "SQLITE_READONLY"))
    }
    assert errors <= set(SQLITE)


@pytest.mark.parametrize("code", sorted(SQLITE))
def test_a_result_code_is_told_with_the_store_and_what_to_do(code: int) -> None:
    what, remedy = SQLITE[code]
    assert describe(PLACE, a_driver_error(code)) == f"/data/bench.db: {what} (boom); {remedy}"


def test_an_extended_code_is_told_as_its_primary_one() -> None:
    assert "the disk failed to read or write" in describe(PLACE, a_driver_error(sqlite3.SQLITE_IOERR_WRITE))


@pytest.mark.parametrize("kind", OF_THE_DRIVER, ids=str)
def test_every_error_of_the_driver_is_translated(kind: type[Exception]) -> None:
    with pytest.raises(StoreError, match=r"^/data/bench\.db: .*boom"), translated(PLACE):
        raise kind("boom")


@pytest.mark.parametrize("kind", OF_SQLALCHEMY, ids=str)
def test_every_error_of_sqlalchemy_is_translated(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    if isinstance(error, sqlalchemy.exc.StatementError):
        sqlalchemy.exc.StatementError.__init__(error, "boom", "INSERT", {}, ValueError("boom"))
    else:
        Exception.__init__(error, "boom")
    with pytest.raises(StoreError, match=r"^/data/bench\.db: the database refused: .*boom"), translated(PLACE):
        raise error


def test_the_drivers_own_code_is_found_inside_sqlalchemys_error() -> None:
    wrapped = sqlalchemy.exc.OperationalError("INSERT", {}, a_driver_error(sqlite3.SQLITE_FULL))
    with pytest.raises(StoreError, match="the disk is full"), translated(PLACE):
        raise wrapped


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EDQUOT])
def test_every_error_of_the_system_is_translated(number: int) -> None:
    with pytest.raises(StoreError, match=r"^/data/bench\.db: .*; check the path"), translated(PLACE):
        raise OSError(number, "what the system says")


def test_a_failed_migration_is_translated() -> None:
    with pytest.raises(StoreError, match="cannot be brought up to date: no such revision"), translated(PLACE):
        raise CommandError("no such revision")


def test_text_that_is_no_unicode_is_translated() -> None:
    with pytest.raises(StoreError, match="text that is not Unicode"), translated(PLACE):
        "\ud800".encode()


def test_an_error_of_the_stores_own_gets_the_place_once() -> None:
    with pytest.raises(CodecError) as caught, translated(PLACE), translated(PLACE):
        raise CodecError("damaged")
    assert str(caught.value) == "/data/bench.db: damaged"


def test_a_fault_of_the_callers_passes() -> None:
    with pytest.raises(KeyError), translated(PLACE):
        raise KeyError("mine")
