"""What a configuration may say of devices. One form a kind; what it means stands in `spec`."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from harness.config_fields import File, Form, Scenario, Text, as_mapping
from harness.config_limits import LimitsForm
from harness.core.device import AdbAddress, DeviceSpec, EdgeTpuChoice, PhoneTools, SshAddress
from harness.core.limits import OWN_EDGETPU, Limits, limits_of
from harness.yaml_source import Key

LOCAL = "local"
Runtime = Literal["LiteRT", "tflite-runtime"]
Port = Annotated[int, Field(ge=1, le=65535)]
# Keys that say how a board is reached; the host is theirs too, and a matter of each kind.
_REACHED_BY = tuple(field.name for field in fields(SshAddress) if field.name != "host")


def _not_local(name: str) -> str:
    if name == LOCAL:
        raise PydanticCustomError("reserved", "a name other than local, which is this machine")
    return name


def _check_kind(kind: object) -> object:
    if kind not in _KINDS:
        raise PydanticCustomError("kind", "{kinds}", {"kinds": _either(_KINDS)})
    return kind


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


_Kind = BeforeValidator(_check_kind)
OwnName = Annotated[Text, AfterValidator(_not_local)]


class LocalDevice(Form):
    """This machine, through the agent.

    python is the interpreter that runs the agent and whose packages it measures with, without it the bench's own.
    runtime is the one to measure with, without it the first that is found. With either the device has a name of its
    own. dispatch is the folder of the vendor's dispatch library, which an NPU needs. prepare: the
    clock governor is set for measuring and restored; not by default, since this is somebody's own machine.
    """

    kind: Annotated[Literal["local"], _Kind]
    name: Text = LOCAL
    python: File | None = None
    runtime: Runtime | None = None
    dispatch: File | None = None
    limits: LimitsForm = LimitsForm()
    prepare: bool = False

    @model_validator(mode="after")
    def _check_name(self) -> "LocalDevice":
        if self.name == LOCAL and (self.python or self.runtime):
            reason = "needs a name other than local, which is this machine with the bench's own runtime"
            raise PydanticCustomError("unnamed", "{reason}", {"reason": reason})
        return self

    def spec(self) -> DeviceSpec:
        return DeviceSpec(
            name=self.name,
            kind=self.kind,
            python=self.python,
            runtime=self.runtime,
            dispatch=self.dispatch,
            prepare=self.prepare,
        )


class SimulatedDevice(Form):
    """A device whose times are made up by a scenario (its keys: docs/simulated-device.md), inline or in a file."""

    kind: Annotated[Literal["simulated"], _Kind]
    name: OwnName
    scenario: Scenario = Field(default_factory=dict)
    limits: LimitsForm = LimitsForm()


class _Reached(Form):
    """How a board is reached by SSH; what is not given is as OpenSSH's own configuration has it.

    host is a name, an address or an alias of ssh_config; jump is `[user@]host[:port]`. A password stands in no
    configuration: password_env names the environment variable that holds it. python is a path on the board. prepare:
    the clock governor is set for measuring, where the user may, and restored; without it so on every board.
    """

    port: Port | None = None
    user: Text | None = None
    key: File | None = None
    jump: Text | None = None
    password_env: Text | None = None
    known_hosts: File | None = None
    ssh_config: File | None = None
    python: Text | None = None
    limits: LimitsForm = LimitsForm()
    prepare: bool | None = None

    def _address(self, host: str) -> SshAddress:
        return SshAddress(host=host, **{key: getattr(self, key) for key in _REACHED_BY})

    @property
    def _python(self) -> Path | None:
        return Path(self.python) if self.python else None


class SshDevice(_Reached):
    """A Linux board, through an agent that is brought to it. runtime and dispatch are as for `local`, on the board."""

    kind: Annotated[Literal["ssh"], _Kind]
    name: OwnName
    host: Text
    runtime: Runtime | None = None
    dispatch: Text | None = None

    def spec(self) -> DeviceSpec:
        return DeviceSpec(
            name=self.name,
            kind=self.kind,
            python=self._python,
            runtime=self.runtime,
            dispatch=Path(self.dispatch) if self.dispatch else None,
            ssh=self._address(self.host),
            prepare=self.prepare is not False,
        )


class EdgeTpuDevice(_Reached):
    """An Edge TPU on a board, or without host on this machine.

    accelerator is `usb`, `pci` or one of them with a number (`usb:0`), library is libedgetpu's name or path on the
    device, options are passed to it; compiler is the path of edgetpu_compiler on this machine.
    """

    kind: Annotated[Literal["edgetpu"], _Kind]
    name: OwnName
    host: Text | None = None
    runtime: Runtime | None = None
    accelerator: Annotated[str, Field(pattern=r"^(usb|pci)(:[0-9]{1,2})?$")] | None = None
    library: Text | None = None
    compiler: File | None = None
    options: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_host(self) -> "EdgeTpuDevice":
        given = [key for key in _REACHED_BY if getattr(self, key) is not None]
        if self.host is None and given:
            reason = f"{given[0]} goes with host; without host the Edge TPU is one of this machine"
            raise PydanticCustomError("hostless", "{reason}", {"reason": reason})
        return self

    def spec(self) -> DeviceSpec:
        choice = EdgeTpuChoice(
            accelerator=self.accelerator, library=self.library, compiler=self.compiler, options=self.options
        )
        return DeviceSpec(
            name=self.name,
            kind=self.kind,
            python=self._python,
            runtime=self.runtime,
            ssh=self._address(self.host) if self.host else None,
            edgetpu=choice,
            prepare=self.host is not None if self.prepare is None else self.prepare,
        )


class AndroidDevice(Form):
    """An Android phone, by adb.

    serial is as `adb devices` shows it, without it the only one attached; address is `host:port` of a phone that adb
    connects to first. tools is the folder of benchmark_model and its like, delegate the library of an external
    delegate for the unit npu with its options; both are files of this machine. nnapi_accelerator is NNAPI's name of a
    driver, for npu/nnapi.
    """

    kind: Annotated[Literal["android"], _Kind]
    name: OwnName
    serial: Text | None = None
    address: Annotated[str, Field(pattern=r"^[^\s:]+:[0-9]{1,5}$")] | None = None
    adb: File | None = None
    server_port: Port | None = None
    tools: File | None = None
    delegate: File | None = None
    delegate_options: Mapping[str, str] = Field(default_factory=dict)
    nnapi_accelerator: Text | None = None
    limits: LimitsForm = LimitsForm()

    def spec(self) -> DeviceSpec:
        return DeviceSpec(
            name=self.name,
            kind=self.kind,
            adb=AdbAddress(serial=self.serial, address=self.address, adb=self.adb, server_port=self.server_port),
            tools=PhoneTools(
                folder=self.tools,
                delegate=self.delegate,
                delegate_options=self.delegate_options,
                nnapi_accelerator=self.nnapi_accelerator,
            ),
        )


DeviceForm = LocalDevice | SimulatedDevice | SshDevice | EdgeTpuDevice | AndroidDevice
_FORMS: Mapping[str, type[DeviceForm]] = {
    LOCAL: LocalDevice,
    "simulated": SimulatedDevice,
    "ssh": SshDevice,
    "edgetpu": EdgeTpuDevice,
    "android": AndroidDevice,
}
_KINDS = tuple(_FORMS)  # what is compared to anything at all, also to what cannot be hashed
FORMS_BY_TAG: Mapping[Key, type[Form]] = {f"<{kind}>": form for kind, form in _FORMS.items()}


def usual_limits(entry: DeviceForm) -> Limits:
    """What a device must keep to where nothing is said of it."""
    own = isinstance(entry, EdgeTpuDevice) and entry.host is None
    return limits_of(OWN_EDGETPU if own else entry.kind)


def _kind_of_device(value: object) -> str:
    """By the kind; where that is missing or wrong, by what else is there, so that problems are few."""
    keys = value if isinstance(value, dict) else {}
    if keys.get("kind") in _KINDS:
        return f"<{keys['kind']}>"
    if "host" in keys:
        return "<ssh>"
    if keys.keys() & {"serial", "address", "tools"}:
        return "<android>"
    return "<local>" if "name" not in keys or keys.keys() & {"python", "runtime", "dispatch"} else "<simulated>"


DeviceEntry = Annotated[
    Annotated[LocalDevice, Tag("<local>")]
    | Annotated[SimulatedDevice, Tag("<simulated>")]
    | Annotated[SshDevice, Tag("<ssh>")]
    | Annotated[EdgeTpuDevice, Tag("<edgetpu>")]
    | Annotated[AndroidDevice, Tag("<android>")],
    Discriminator(_kind_of_device),
    BeforeValidator(as_mapping("kind"), json_schema_input_type=Literal["local"] | DeviceForm),
]
