"""What is secret in the environment of this process, kept from the processes that it starts."""

import os
from collections.abc import Iterable

_withheld: dict[str, str] = {}


def withhold(names: Iterable[str]) -> None:
    """Take variables out of the environment, which whatever is started from here on inherits. `secret` knows them."""
    for name in names:
        if (value := os.environ.pop(name, None)) is not None:
            _withheld[name] = value


def secret(name: str) -> str | None:
    """What a variable holds, withheld or not; None where it is not set."""
    return os.environ.get(name, _withheld.get(name))
