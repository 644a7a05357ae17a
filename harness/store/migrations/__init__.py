"""The versions of the tables, and how a store is brought to the latest.

A new store is made as harness.store.schema has it, without going through the versions: Alembic takes longer to import
than the tables to make. Tests hold the two ways to the same tables.

A new version: a file in versions/ made after the last one, its number appended to VERSIONS. A noun that gains a field
makes a new version too, so that an older weighbridge refuses the store instead of failing on the field; its default
must mean what was so before.
"""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select, text

from harness.core.errors import StoreError
from harness.store.engine import connect
from harness.store.schema import METADATA

SCRIPTS = Path(__file__).parent
# Oldest first. A store at none of them was written by a newer weighbridge.
VERSIONS = ("0001", "0002", "0003", "0004")
# Alembic's own table, where it looks for the version.
_AT = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate(location: Path, *, scripts: Path = SCRIPTS, versions: tuple[str, ...] = VERSIONS) -> None:
    """Create or migrate the tables of a store, all or nothing. Raises StoreError where the store is newer."""
    # A table that is changed is copied and dropped, which foreign keys forbid; they are checked at the end instead.
    engine = connect(location, foreign_keys=False)
    try:
        with engine.begin() as connection:
            _bring_up_to_date(connection, scripts, versions)
    finally:
        engine.dispose()


def _bring_up_to_date(connection: Connection, scripts: Path, versions: tuple[str, ...]) -> None:
    at = version(connection)
    if at == versions[-1]:  # another process was first
        return
    if at is not None and at not in versions:
        raise StoreError(
            f"written by a newer weighbridge (tables {at}, this one knows {versions[-1]}); "
            "update weighbridge, or use another store"
        )
    if at is None and inspect(connection).get_table_names():
        raise StoreError("a database of something else; give the path of a store, or of a file that does not exist yet")
    if at is None:
        at = _create(connection)
    if at == versions[-1]:
        return
    _upgrade(connection, scripts)
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        raise StoreError(f"the migration to tables {versions[-1]} lost rows of {broken[0][0]}; nothing was changed")


def version(connection: Connection) -> str | None:
    """The version of the tables, None where there are none yet."""
    if not inspect(connection).has_table(_AT.name):
        return None
    found: str | None = connection.execute(select(_AT.c.version_num)).scalar()
    return found


def _create(connection: Connection) -> str:
    METADATA.create_all(connection)
    _AT.create(connection)
    connection.execute(_AT.insert().values(version_num=VERSIONS[-1]))
    return VERSIONS[-1]


def _upgrade(connection: Connection, scripts: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
