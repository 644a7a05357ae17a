"""Where campaigns are kept: `Store` and the nouns it adds. Importing it loads no database library."""

from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch
from harness.store.store import Store

__all__ = ["BlockRecord", "BlockState", "Store", "StoredCampaign", "StoredLaunch"]
