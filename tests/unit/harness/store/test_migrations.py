"""The versions of the tables."""

import lzma
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from harness.core.errors import StoreError
from harness.results import assemble
from harness.store import Store, migrations
from harness.store.engine import connect
from harness.store.schema import METADATA
from tests.unit.harness.store.nouns import begin

STORES = Path(__file__).parents[3] / "data" / "stores"
LATEST = migrations.VERSIONS[-1]
LATER = '''
"""A column more, and a constraint that SQLite can only add by copying the table."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "LATEST"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("campaign") as table:
        table.add_column(sa.Column("note", sa.Text(), nullable=False, server_default="none"))
        table.create_unique_constraint("uq_campaign_note_id", ["note", "id"])
'''.replace("LATEST", LATEST)


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a weighbridge that is one version ahead."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "v9999_note.py").write_text(LATER, encoding="utf-8")
    return scripts


def migrate(location: Path, scripts: Path) -> None:
    migrations.migrate(location, scripts=scripts, versions=(*migrations.VERSIONS, "9999"))


def migrated_from_nothing(location: Path) -> Path:
    """A store that went through every version, as those of earlier weighbridges did."""
    config = Config()
    config.set_main_option("script_location", str(migrations.SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = connect(location, foreign_keys=False)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    return location


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    engine = connect(migrated_from_nothing(tmp_path / "bench.db"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_new_store_is_what_the_migrations_make(tmp_path: Path) -> None:
    Store.open(tmp_path / "new.db").close()
    made, migrated = (definitions(path) for path in (tmp_path / "new.db", migrated_from_nothing(tmp_path / "old.db")))
    assert "launch" in made
    assert made == migrated


def definitions(location: Path) -> dict[str, list[str]]:
    """What defines each table and index, in words; constraints that were added later stand elsewhere in a table."""
    connection = sqlite3.connect(location)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    parts = {name: sorted(part.strip() for part in sql.removesuffix(")").split(",")) for name, sql in found}
    return {**parts, "version": [number for (number,) in versions]}


def test_the_known_versions_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migrations.VERSIONS


def test_an_older_store_is_migrated_and_keeps_what_it_holds(tmp_path: Path, later: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
    migrate(tmp_path / "bench.db", later)
    engine = connect(tmp_path / "bench.db")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, note FROM campaign")).all() == [("c1", "none")]
        assert migrations.version(connection) == "9999"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()


@pytest.mark.parametrize("stored", sorted(STORES.iterdir()), ids=lambda path: path.stem)
def test_a_campaign_of_every_earlier_version_reads_as_it_was(tmp_path: Path, stored: Path) -> None:
    (tmp_path / "bench.db").write_bytes(lzma.decompress(stored.read_bytes()))
    with Store.open(tmp_path / "bench.db") as store:
        result = assemble(store.load(store.campaigns()[0].id))
    medians = {cell.cell.variant: cell.latency.median for cell in result.cells if cell.latency}
    assert medians == {"float32": 640195, "int8": 323704}


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path, later: Path) -> None:
    migrate(tmp_path / "bench.db", later)
    before = (tmp_path / "bench.db").read_bytes()
    with pytest.raises(
        StoreError, match=rf"bench\.db: written by a newer weighbridge \(tables 9999, this one knows {LATEST}\); update"
    ):
        Store.open(tmp_path / "bench.db")
    assert (tmp_path / "bench.db").read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"other\.db: a database of something else"):
        Store.open(tmp_path / "other.db")
    connection = sqlite3.connect(tmp_path / "other.db")
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, later: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
    script = later / "versions" / "v9999_note.py"
    script.write_text(LATER + '    op.execute("SELECT * FROM nowhere")\n', encoding="utf-8")
    with pytest.raises(OperationalError, match="no such table: nowhere"):
        migrate(tmp_path / "bench.db", later)
    with Store.open(tmp_path / "bench.db") as store:
        assert [campaign.id for campaign in store.campaigns()] == ["c1"]


def test_a_migration_that_loses_rows_is_undone(tmp_path: Path, later: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
    script = later / "versions" / "v9999_note.py"
    script.write_text(LATER + '    op.execute("DELETE FROM campaign")\n', encoding="utf-8")
    with pytest.raises(StoreError, match="the migration to tables 9999 lost rows of cell; nothing was changed"):
        migrate(tmp_path / "bench.db", later)
    with Store.open(tmp_path / "bench.db") as store:
        assert [campaign.id for campaign in store.campaigns()] == ["c1"]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "bench.db").touch()
    with Store.open(tmp_path / "bench.db") as store:
        assert store.campaigns() == ()
