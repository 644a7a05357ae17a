"""coremltools as everything here imports it."""

import threading

from tqdm import tqdm  # type: ignore[import-untyped]

from harness.toolkit import import_coremltools


def test_its_bars_hold_no_semaphore_of_the_systems() -> None:
    import_coremltools()
    assert isinstance(tqdm.get_lock(), type(threading.RLock()))
