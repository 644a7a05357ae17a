"""coremltools, imported in one way everywhere: quietly, and without torch unless that is what it is for.

Where its binding to Core ML is missing (everywhere but on macOS), a double stands in for it.

It imports torch and TensorFlow where they are installed, which costs seconds and hundreds of megabytes, and says what
it was not tested with on standard error.
"""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.fidelity import native_bridge

_HEAVY = ("torch", "tensorflow", "transformers", "executorch")


def import_coremltools(*, torch: bool = False) -> Any:  # noqa: ANN401 (it has no types)
    """The package. torch: with its converter from torch; a process that has imported it without cannot have that."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    os.environ.setdefault("TQDM_DISABLE", "1")  # its bars of progress; read when tqdm is imported
    if "coremltools" not in sys.modules:
        _stand_in()
        with _without(() if torch else _HEAVY), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import coremltools
        _lock_within_the_process()
    import coremltools

    return coremltools


def _stand_in() -> None:
    found = find_spec("coremltools")
    for folder in found.submodule_search_locations or () if found else ():
        native_bridge.stand_in(Path(folder))


def _lock_within_the_process() -> None:
    """Its bars' own lock is a semaphore of the system's, which a build that is ended leaves, and Python warns of it."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    tqdm.set_lock(threading.RLock())


@contextmanager
def quietly() -> Iterator[None]:
    """Around conversions and compressions: coremltools leaves temporary folders to be collected; Python warns of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Implicitly cleaning up", ResourceWarning)
        yield


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Have imports of these packages fail, those that are imported already left as they are."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
