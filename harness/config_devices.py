"""What a configuration may say of devices."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from harness.config_fields import File, Form, Scenario, Text, as_mapping

LOCAL = "local"
Runtime = Literal["LiteRT", "tflite-runtime"]


def _not_local(name: str) -> str:
    if name == LOCAL:
        raise PydanticCustomError("reserved", "a name other than local, which is this machine")
    return name


def _check_kind(kind: object) -> object:
    if kind not in _DEVICE_KINDS:
        raise PydanticCustomError("kind", "local or simulated")
    return kind


_DEVICE_KINDS = (LOCAL, "simulated")
_Kind = BeforeValidator(_check_kind)


class LocalDevice(Form):
    """This machine, through the agent.

    python is the interpreter that runs the agent and whose packages it measures with, without it the bench's own.
    runtime is the one to measure with, without it the first that is found. With either the device has a name of its
    own. dispatch is the folder of the vendor's dispatch library, which an NPU needs.
    """

    kind: Annotated[Literal["local"], _Kind]
    name: Text = LOCAL
    python: File | None = None
    runtime: Runtime | None = None
    dispatch: File | None = None

    @model_validator(mode="after")
    def _check_name(self) -> "LocalDevice":
        if self.name == LOCAL and (self.python or self.runtime):
            reason = "needs a name other than local, which is this machine with the bench's own runtime"
            raise PydanticCustomError("unnamed", "{reason}", {"reason": reason})
        return self


class SimulatedDevice(Form):
    """A device whose times are made up by a scenario (its keys: docs/simulated-device.md), inline or in a file."""

    kind: Annotated[Literal["simulated"], _Kind]
    name: Annotated[Text, AfterValidator(_not_local)]
    scenario: Scenario = Field(default_factory=dict)


def _kind_of_device(value: object) -> str:
    """By the kind; where that is missing or wrong, by what else is there, so that problems are few."""
    keys = value if isinstance(value, dict) else {}
    if keys.get("kind") in _DEVICE_KINDS:
        return f"<{keys['kind']}>"
    return "<local>" if "name" not in keys or keys.keys() & {"python", "runtime", "dispatch"} else "<simulated>"


DeviceEntry = Annotated[
    Annotated[LocalDevice, Tag("<local>")] | Annotated[SimulatedDevice, Tag("<simulated>")],
    Discriminator(_kind_of_device),
    BeforeValidator(as_mapping("kind"), json_schema_input_type=Literal["local"] | LocalDevice | SimulatedDevice),
]
