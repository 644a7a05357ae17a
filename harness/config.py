"""The configuration file: what it may hold, and every problem in it by line and column.

The forms below are the file's schema (docs/config.md; docs/config.schema.json for editors). Paths are relative to the
file. Nothing here reads a model or looks for a device.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, Strict, ValidationError

from harness.config_devices import (
    FORMS_BY_TAG,
    DeviceEntry,
    DeviceForm,
    EdgeTpuDevice,
    LocalDevice,
    SimulatedDevice,
    SshDevice,
    usual_limits,
)
from harness.config_errors import explain
from harness.config_fields import Form, Text, Unit, auto_or_list, taken, unique
from harness.config_limits import LimitsForm
from harness.config_models import (
    FileModel,
    Model,
    ModelEntry,
    ModelFolder,
    PrebuiltVariant,
    SampleModel,
    VariantForm,
    Variants,
    check_models,
)
from harness.core.device import DeviceSpec
from harness.core.errors import ConfigError
from harness.core.judgement import Bands
from harness.core.launch import MeasureSettings
from harness.core.limits import Limits
from harness.core.secrets import withhold
from harness.core.variant import VariantSpec
from harness.sources.reading import format_of
from harness.yaml_source import MAX_BYTES, Key, Place, Tree, decode, parse

PREBUILT = "prebuilt"
_MEASURE = MeasureSettings()
_BANDS = Bands()


class MeasureForm(Form):
    """How each cell is measured; see MeasureSettings."""

    launches: int = Field(default=_MEASURE.launches, ge=1, le=1000)
    inferences: int = Field(default=_MEASURE.inferences, ge=1, le=1_000_000)
    max_launch_s: float = Field(default=_MEASURE.max_launch_s, gt=0, le=3600)
    warmup_inferences: int = Field(default=_MEASURE.warmup_inferences, ge=0, le=100_000)
    warmup_s: float = Field(default=_MEASURE.warmup_s, ge=0, le=600)
    warmup_max_s: float = Field(default=_MEASURE.warmup_max_s, ge=0, le=600)
    cold_starts: int = Field(default=3, ge=0, le=1000)


class BandsForm(Form):
    """Shifts of latency: from `effect` on slower or faster, within `same` the same. 0.01 is 1 %."""

    effect: float = Field(default=_BANDS.effect, ge=0, lt=1)
    same: float = Field(default=_BANDS.same, gt=0, lt=1)


class Config(Form):
    """A whole configuration. variants None: the default set of each model's format. units None: all on offer."""

    name: Text = "bench"
    models: Annotated[tuple[ModelEntry, ...], Strict(False), Field(min_length=1), AfterValidator(check_models)]
    variants: Variants | None = None
    devices: Annotated[
        tuple[DeviceEntry, ...],
        Strict(False),
        Field(min_length=1),
        unique("device", lambda device: str(device.name), "name"),
    ] = (LocalDevice(kind="local"),)
    units: Annotated[
        Annotated[tuple[Unit, ...], Strict(False), Field(min_length=1)] | None,
        BeforeValidator(auto_or_list, json_schema_input_type=Literal["auto"] | list[str]),
        unique("unit", str),
    ] = None
    measure: MeasureForm = MeasureForm()
    compare: BandsForm = BandsForm()
    limits: LimitsForm = LimitsForm()
    seed: int = Field(default=0, ge=0, lt=1 << 32)

    _tree: Tree | None = PrivateAttr(None)

    def model_post_init(self, context: dict[str, object] | None) -> None:
        tree = (context or {}).get("tree")
        self._tree = tree if isinstance(tree, Tree) else None

    @property
    def text(self) -> str:
        """The configuration as it was read."""
        return self._tree.text if self._tree else ""

    @cached_property
    def sources(self) -> tuple[Model, ...]:
        """The models to read, without the variants that somebody else built. Looks into folders, once.

        A file found by a pattern whose name is taken is called by its path; one that is there already is not taken
        again. Raises ConfigError where a pattern finds nothing.
        """
        found: list[Model] = [entry for entry in self.models if isinstance(entry, Model)]
        names = {entry.name for entry in found}
        paths = {entry.path.absolute() for entry in found if isinstance(entry, FileModel)}
        for index, entry in enumerate(self.models):
            if not isinstance(entry, ModelFolder):
                continue
            files = entry.models()
            if not files:
                raise ConfigError(f"{self.place('models', index, 'path')}: {entry.path}: no file fits this pattern")
            for file in files:
                if file.path in paths:
                    continue
                paths.add(file.path)
                free = file.name not in names
                found.append(file if free else file.model_copy(update={"name": str(file.path)}))
                names.add(found[-1].name)
        return tuple(found)

    @property
    def settings(self) -> MeasureSettings:
        return MeasureSettings(**self.measure.model_dump())

    @property
    def bands(self) -> Bands:
        return Bands(**self.compare.model_dump())

    @property
    def device_limits(self) -> tuple[Limits, ...]:
        """The limits of each device: its own, over the common ones, over those of its kind."""
        return tuple(entry.limits.over(self.limits.over(usual_limits(entry))) for entry in self.devices)

    @property
    def password_variables(self) -> tuple[str, ...]:
        """The environment variables that hold passwords of devices."""
        named = (each.password_env for each in self.devices if isinstance(each, SshDevice | EdgeTpuDevice))
        return tuple(name for name in named if name is not None)

    def device_specs(self) -> tuple[DeviceSpec, ...]:
        """The devices to open. Raises ConfigError where a scenario's file cannot be read."""
        return tuple(self._device_spec(index, entry) for index, entry in enumerate(self.devices))

    def _device_spec(self, index: int, entry: DeviceForm) -> DeviceSpec:
        if not isinstance(entry, SimulatedDevice):
            return entry.spec()
        if not isinstance(entry.scenario, Path):
            # As it stands in the file, for errors with line and column.
            given = self._tree.at("devices", index, "scenario") if self._tree else None
            source = self._tree.source if self._tree else ""
            return DeviceSpec(name=entry.name, kind=entry.kind, scenario=given or entry.scenario, source=source)
        source = str(entry.scenario)
        try:
            root = parse(decode(entry.scenario.read_bytes(), source=source), source=source).root
        except OSError as error:
            reason = f"{source}: cannot be read: {error.strerror}; give the path of a scenario"
            raise ConfigError(f"{self.place('devices', index, 'scenario')}: {reason}") from error
        return DeviceSpec(name=entry.name, kind=entry.kind, scenario=root or {}, source=source)

    def specs(self, model: str, format: str, default: Sequence[str]) -> tuple[VariantSpec, ...]:
        """The variants asked for of a model: its own list, else the common one, else `default` (recipes' texts).

        Those that somebody else built come last. Raises ConfigError where one is called as another variant.
        """
        own = next(entry.variants for entry in self.sources if entry.name == model)
        asked = own or self.variants or tuple(VariantForm(recipe=text) for text in default)
        specs = [spec for variant in asked for spec in variant.specs(model, format)]
        self._check_names(model, specs)
        for index, entry in enumerate(self.models):
            if isinstance(entry, PrebuiltVariant) and entry.of == model:
                if any(spec.name == entry.name for spec in specs):
                    raise ConfigError(f"{self.place('models', index, 'name')}: {taken(model, entry.name)}")
                if format_of(entry.path) != format:
                    reason = f"{entry.path.name} is no .{format}, as {model} is; give a variant of its format"
                    raise ConfigError(f"{self.place('models', index, 'path')}: {reason}")
                specs.append(VariantSpec(model=model, name=entry.name, recipe=PREBUILT, prebuilt=entry.path))
        compiler = next(
            (each.compiler for each in self.devices if isinstance(each, EdgeTpuDevice) and each.compiler), None
        )
        return tuple(replace(spec, compiler=compiler) if spec.for_edgetpu else spec for spec in specs)

    def _check_names(self, model: str, specs: Sequence[VariantSpec]) -> None:
        names = [spec.name for spec in specs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"{self.place('variants')}: {taken(model, twice)}")

    def place(self, *keys: Key) -> Place:
        """Where the value at `keys` stands in the file, for problems that only its reader can find."""
        assert self._tree is not None, "a Config comes from load_config or parse_config"
        return self._tree.place(keys)


_FORMS: Mapping[Key, type[Form]] = {
    "": Config,
    "<sample>": SampleModel,
    "<file>": FileModel,
    "<prebuilt>": PrebuiltVariant,
    "<folder>": ModelFolder,
    **FORMS_BY_TAG,
    "variants": VariantForm,
    "measure": MeasureForm,
    "compare": BandsForm,
    "limits": LimitsForm,
}
_KEYS = {part: tuple(form.model_fields) for part, form in _FORMS.items()}


def load_config(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError with one line for each problem."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}; give the path of a configuration file") from error
    return with_secrets_kept(parse_config(decode(content, source=str(path)), source=str(path)))


def with_secrets_kept(config: Config) -> Config:
    """The same. The passwords that it names are this process's alone from here on: none that it starts has them."""
    withhold(config.password_variables)
    return config


def parse_config(text: str, *, source: str) -> Config:
    """Read a configuration's text. Paths in it are relative to the folder of `source`. Raises ConfigError."""
    tree = parse(text, source=source)
    content = tree.plain()
    if not isinstance(content, dict):
        given = "nothing" if content is None else "no mapping"
        raise ConfigError(f"{source}:1:1: {given} given, allowed: keys with values; the least is `models: [digits]`")
    try:
        return Config.model_validate(content, context={"base": Path(source).parent, "tree": tree})
    except ValidationError as error:
        raise ConfigError(*explain(error, tree, _KEYS)) from None


def schema_text() -> str:
    """The JSON Schema for editors, as docs/config.schema.json holds it."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Weighbridge configuration"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
