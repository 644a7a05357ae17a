"""Shipped networks that take seconds each."""

from collections.abc import Iterable

import pytest

LARGE = ("inception_v3", "resnet50", "resnet_v2_101")


def networks(names: Iterable[str], *more: str) -> list[object]:
    """A parameter set of each name, with more behind it; the large ones are for the thorough tests."""
    return [
        pytest.param(name, *more, marks=[pytest.mark.thorough] if name in LARGE else [], id="-".join((name, *more)))
        for name in names
    ]
