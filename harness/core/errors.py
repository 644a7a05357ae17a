"""What can go wrong, as types.

WeighbridgeError
 +- ConfigError           the file or the command line is wrong (exit 2)
 +- ModelUnreadable       a source model cannot be used
 +- ReferenceUnable       this host cannot run a model as a reference, so its fidelity stays unknown
 +- DataUnreadable        calibration or evaluation data cannot be used
 +- RecipeError           a variant cannot be built
 |   +- RecipeUnknown     no such technique
 |   +- RecipeRefused     the technique cannot work on this model
 |   +- ChangedNothing    it ran, and no weight changed
 +- DeviceError           a device cannot be used
 |   +- DeviceBusy        somebody else measures on it
 |   +- DeviceLost        it stopped answering
 |   +- DeviceRefused     it is there and lets us in not: host key, password, authorisation
 |   +- DeviceFull        no space is left on it
 |   +- DeviceUnfit       it cannot be brought into a state worth measuring in
 +- StoreError            results cannot be read or written
     +- CampaignUnknown   no campaign of that name (a ConfigError too: what was typed is wrong)

Each message says what, on what, and what to do.
"""


class WeighbridgeError(Exception):
    """Root of every error the bench raises on purpose."""


class ConfigError(WeighbridgeError):
    """The configuration or the command line is wrong. `problems` has one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ModelUnreadable(WeighbridgeError):
    """A source model that cannot be used."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


class ReferenceUnable(WeighbridgeError):
    """This host cannot run a model as a reference. reason names what is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DataUnreadable(WeighbridgeError):
    """Calibration or evaluation data that cannot be used."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


class RecipeError(WeighbridgeError):
    """A variant that cannot be built."""

    def __init__(self, recipe: str, reason: str) -> None:
        super().__init__(f"{recipe}: {reason}")
        self.recipe = recipe
        self.reason = reason


class RecipeUnknown(RecipeError):
    """No technique of that name."""


class RecipeRefused(RecipeError):
    """The technique cannot work on this model or after the earlier steps."""


class ChangedNothing(RecipeError):
    """The recipe ran and no weight changed: the artefact would be the source under another name."""


class DeviceError(WeighbridgeError):
    """A device that cannot be used."""

    def __init__(self, device: str, reason: str) -> None:
        self.device = device
        self.reason = _in_one_line(reason)  # a device's own words are in it, and a terminal would obey them
        super().__init__(f"{_in_one_line(device)}: {self.reason}")


class DeviceBusy(DeviceError):
    """Somebody else measures on the device."""


class DeviceLost(DeviceError):
    """The device stopped answering."""


class DeviceRefused(DeviceError):
    """The device is there and does not let us in; trying again does not help."""


class DeviceFull(DeviceError):
    """No space is left on the device."""


class DeviceUnfit(DeviceError):
    """The device could not be brought into a state worth measuring in, within its deadline."""


class StoreError(WeighbridgeError):
    """Results cannot be read or written."""


class CampaignUnknown(ConfigError, StoreError):
    """No campaign, or more than one, answers to what was typed."""


def _in_one_line(words: str) -> str:
    """Without line ends, escape sequences and turns of direction: each such character as Python writes it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in words)
