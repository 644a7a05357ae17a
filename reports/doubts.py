"""What keeps every cell of a device from an A: said once for the device, not again beside each cell."""

from collections.abc import Iterable

from harness.core.campaign import CellResult


def doubts_by_device(cells: Iterable[CellResult]) -> dict[str, tuple[str, ...]]:
    """Grade reasons that all graded cells of a device share, in the order of the first; none for a single cell."""
    reasons: dict[str, list[tuple[str, ...]]] = {}
    for result in cells:
        if result.grade is not None:
            reasons.setdefault(result.cell.device, []).append(result.grade.reasons)
    return {device: _shared(found) for device, found in reasons.items() if len(found) > 1}


def _shared(found: list[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = found
    return tuple(reason for reason in first if all(reason in other for other in others))
