"""Deployment targets of Core ML: what a program is written for, and so which operators and compressions it may have."""

from enum import StrEnum


class Target(StrEnum):
    """The system that runs it first; macOS, tvOS and watchOS of the same year are meant too, as in coremltools.

    In order of age.
    """

    IOS15 = "iOS15"
    IOS16 = "iOS16"
    IOS17 = "iOS17"
    IOS18 = "iOS18"
    IOS26 = "iOS26"

    @property
    def specification(self) -> int:
        """The version that Core ML's format has for it: 6 for iOS15."""
        return _FIRST + list(Target).index(self)

    def is_before(self, other: "Target") -> bool:
        return self.specification < other.specification


_FIRST = 6


def target_of(specification: int) -> Target | None:
    """The target of a version of the format, None for one that is not known."""
    return next((target for target in Target if target.specification == specification), None)
