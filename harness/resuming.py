"""Which campaign a resume means, and the configuration that it began with."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench import unfinished
from harness.config import Config, parse_config, with_secrets_kept
from harness.config_source import config_of
from harness.core.campaign import Campaign
from harness.core.errors import ConfigError
from harness.places import Places
from harness.sources.samples import SAMPLES

if TYPE_CHECKING:
    from harness.store import Store


def campaign_to_resume(store: "Store", source: str | None, first: Path, places: Places) -> Campaign | None:
    """The latest campaign, that of a configuration or model, or the one called so. first is as of `config_of`.

    None: the configuration has none yet. Raises ConfigError where there is nothing of that name.
    """
    if source is not None and source not in SAMPLES and not Path(source).exists():
        return store.load(source).campaign
    found = unfinished(store, config_of(source, first)[0].text if source else None)
    if found is None and source is None:
        raise ConfigError(f"{places.store}: no campaign to resume; `run_bench.py run` starts one")
    return found


def config_begun_with(campaign: Campaign) -> Config:
    """As it was read when the campaign began. Raises ConfigError where this version reads it no longer."""
    return with_secrets_kept(parse_config(campaign.config, source=campaign.config_path or "config"))
