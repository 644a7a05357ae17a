"""The store: one file that campaigns are added to and nothing is taken from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.campaign import Campaign, ModelFailed
from harness.core.cell import Cell
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.errors import StoreError
from harness.core.model import Model
from harness.core.trouble import Trouble
from harness.core.variant import BuildOutcome
from harness.store.records import BlockRecord, StoredCampaign, StoredLaunch

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Store:
    """Campaigns in a SQLite file. Each method is one transaction, on the disk when it returns.

    Safe to use from several threads, and from several processes at once. Every method raises StoreError, naming the
    file, where the file, the disk or the caller is at fault; what was saved before stays readable.
    SQLAlchemy is imported at the first use, not with this module.
    """

    def __init__(self, engine: "Engine", location: Path) -> None:
        self._engine = engine
        self._location = location

    @classmethod
    def open(cls, location: Path, *, create: bool = True) -> "Store":
        """Open the store at `location`, bringing older tables up to date; make it, and its folders, if need be.

        create False: a store that is not there is an error, for whoever only reads.
        """
        from harness.store import migrations
        from harness.store.engine import connect, reading
        from harness.store.faults import translated

        with translated(location):
            _check(location, create)
            engine = connect(location)
            try:
                with engine.connect() as connection, reading(connection).begin():
                    at = migrations.version(connection)
                if at != migrations.VERSIONS[-1]:
                    migrations.migrate(location)
            except BaseException:
                engine.dispose()
                raise
            return cls(engine, location)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def begin_campaign(
        self,
        campaign: Campaign,
        *,
        environment: Mapping[str, str],
        devices: Sequence[DeviceFacts],
        models: Sequence[Model],
        models_failed: Sequence[ModelFailed],
        exclusions: Sequence[Exclusion],
        cells: Sequence[Cell],
        skipped: Mapping[str, str],
    ) -> None:
        """Save the plan. cells are all of the matrix; skipped maps the ids of those that are not tried to reasons."""
        from harness.store import writing

        stored = StoredCampaign(
            campaign=campaign,
            environment=environment,
            devices=tuple(devices),
            models=tuple(models),
            models_failed=tuple(models_failed),
            exclusions=tuple(exclusions),
            cells=tuple(cells),
            skipped=skipped,
        )
        with self._write() as connection:
            writing.insert_campaign(connection, stored)

    def end_campaign(self, campaign: str, ended_at: float) -> None:
        from harness.store import writing

        with self._write() as connection:
            writing.end_campaign(connection, campaign, ended_at)

    def save_build(self, campaign: str, outcome: BuildOutcome) -> None:
        """Save what became of a variant; a later outcome of the same variant, after a resume, replaces it."""
        from harness.store import writing

        with self._write() as connection:
            writing.replace_build(connection, campaign, outcome)

    def begin_block(self, block: BlockRecord) -> None:
        from harness.store import writing

        with self._write() as connection:
            writing.insert_block(connection, block)

    def save_launch(self, launch: StoredLaunch) -> None:
        """Save a launch as it ends. Refused: a block not open, a position or attempt taken, an unknown cell."""
        from harness.store import writing

        with self._write() as connection:
            writing.insert_launch(connection, launch)

    def end_block(self, block: str, canary_after: Canary | None) -> None:
        """From here on the launches of the block count."""
        from harness.store import writing

        with self._write() as connection:
            writing.complete_block(connection, block, canary_after)

    def tear_open_blocks(self, campaign: str) -> int:
        """On a resume: give up the blocks that were begun and never ended. Their launches stay, and never count."""
        from harness.store import writing

        with self._write() as connection:
            return writing.tear_blocks(connection, campaign)

    def tear_block(self, block: str, why: str) -> None:
        """Give up one open block whose launches came to nothing, with the reason."""
        from harness.store import writing

        with self._write() as connection:
            writing.tear_block(connection, block, why)

    def save_trouble(self, trouble: Trouble) -> None:
        """Save what went wrong with a device, or that it was released. Nothing of it is ever removed."""
        from harness.store import writing

        with self._write() as connection:
            writing.insert_trouble(connection, trouble)

    def troubles(self) -> tuple[Trouble, ...]:
        """Of all devices and campaigns, oldest first."""
        from harness.store import reading

        with self._read() as connection:
            return reading.troubles(connection)

    def campaigns_with(self, device: str, limit: int) -> tuple[str, ...]:
        """Ids of the newest campaigns of a device, which is known by its serial, or its name where it has none."""
        from harness.store import reading

        with self._read() as connection:
            return reading.campaigns_with(connection, device, limit)

    def campaigns(self) -> tuple[Campaign, ...]:
        """Newest first."""
        from harness.store import reading

        with self._read() as connection:
            return reading.campaigns(connection)

    def latest(self) -> Campaign | None:
        from harness.store import reading

        with self._read() as connection:
            return next(iter(reading.campaigns(connection, limit=1)), None)

    def load(self, campaign: str) -> StoredCampaign:
        """The campaign with this id, or the one whose id begins so, as of one moment."""
        from harness.store import reading

        with self._read() as connection:
            return reading.load(connection, reading.find(connection, campaign))

    @contextmanager
    def _write(self) -> Iterator["Connection"]:
        from harness.store.faults import translated

        with translated(self._location), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator["Connection"]:
        from harness.store import engine
        from harness.store.faults import translated

        with translated(self._location), self._engine.connect() as plain:
            connection = engine.reading(plain)
            with connection.begin():
                yield connection


def _check(location: Path, create: bool) -> None:
    """Refuses what SQLite would not: a pipe, and a file of one byte, which it takes for empty and writes over.

    The file is not opened here. Closing it again would take away the locks of any other connection in this process
    (sqlite.org/howtocorrupt.html, 2.2).
    """
    if location.is_dir():
        raise StoreError(f"{location}: a folder; give the path of a file, such as {location / 'bench.db'}")
    if location.exists():
        if not location.is_file() or location.stat().st_size == 1:
            raise StoreError(f"{location}: not a database; give the path of a store, or of a file that does not exist")
    elif not create:
        raise StoreError(f"{location}: there is no store; `run_bench.py run` makes one")
    else:
        location.parent.mkdir(parents=True, exist_ok=True)
