"""What builds of Core ML variants share: the fork server imports this once, so that each build starts with it done."""

from harness.toolkit import import_coremltools

import_coremltools()
