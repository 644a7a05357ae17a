"""The configuration file: what it may hold, and every problem in it by line and column.

The forms below are the file's schema (docs/config.md; docs/config.schema.json for editors). Paths are relative to the
file. Nothing here reads a model or looks for a device.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from glob import glob, has_magic
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Strict,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from harness.config_errors import explain
from harness.config_fields import (
    File,
    Pattern,
    Problem,
    RecipeText,
    Scenario,
    Text,
    Unit,
    as_mapping,
    auto_or_list,
    refuse,
    taken,
    unique,
)
from harness.core.device import DeviceSpec
from harness.core.errors import ConfigError
from harness.core.judgement import Bands
from harness.core.launch import MeasureSettings
from harness.core.variant import OpSetting, VariantSpec
from harness.yaml_source import MAX_BYTES, Key, Place, Tree, decode, parse

LOCAL = "local"
PREBUILT = "prebuilt"
_MEASURE = MeasureSettings()
_BANDS = Bands()


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class VariantForm(_Form):
    """A recipe to build, under a name of its own; without one it is called by the recipe.

    ops and op_types hold other recipes for single operators, by name or pattern, and for all of a type; null leaves
    them as they are.
    """

    recipe: RecipeText
    name: Text = Field(default_factory=lambda given: str(given["recipe"]))
    ops: dict[Text, RecipeText | None] = Field(default_factory=dict)
    op_types: dict[Text, RecipeText | None] = Field(default_factory=dict)

    @property
    def settings(self) -> tuple[OpSetting, ...]:
        """In order of precedence: a name goes before a type."""
        types = (OpSetting(op_type=name, recipe=recipe) for name, recipe in self.op_types.items())
        return (*types, *(OpSetting(op=name, recipe=recipe) for name, recipe in self.ops.items()))


Variants = Annotated[
    tuple[
        Annotated[VariantForm, BeforeValidator(as_mapping("recipe"), json_schema_input_type=str | VariantForm)],
        ...,
    ],
    Strict(False),
    Field(min_length=1),
    unique("variant", lambda variant: str(variant.name), "name"),
]


# Held equal to harness.sources.samples and harness.fidelity.metrics by a test; written out for editors.
Sample = Literal["digits", "mobilenet_v1", "mobilenet_v2", "inception_v3", "resnet_v2_101", "resnet50"]
Metric = Literal["top1"]
Runtime = Literal["LiteRT", "tflite-runtime"]


class SampleModel(_Form):
    """A model that ships with the bench."""

    sample: Sample
    variants: Variants | None = None

    @property
    def name(self) -> str:
        return self.sample


Shape = Annotated[tuple[Annotated[int, Field(ge=1, lt=1 << 31)], ...], Strict(False)]


class FileModel(_Form):
    """A model of the user's, called by its file's name without the ending where no name is given.

    signature is the key of the one to run, without it the file's first. input_shapes fix what the file leaves open.
    """

    path: File
    name: Text = Field(default_factory=lambda given: given["path"].stem)
    data: File | None = None
    metric: Metric | None = None
    signature: Text | None = None
    input_shapes: dict[Text, Shape] | None = Field(default=None, min_length=1)
    variants: Variants | None = None


class ModelFolder(_Form):
    """Every file that a pattern finds (`folder/*.tflite`), each called by its name without the ending."""

    path: Pattern
    variants: Variants | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def models(self) -> tuple[FileModel, ...]:
        """The files there are now, in order of their names."""
        found = sorted(Path(file).absolute() for file in glob(str(self.path), recursive=True) if Path(file).is_file())
        return tuple(
            FileModel.model_validate({"path": str(file), "name": _readable(file.stem), "variants": self.variants})
            for file in found
        )


def _readable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 are written out."""
    return name.encode(errors="backslashreplace").decode()


class PrebuiltVariant(_Form):
    """A variant of model `of` that somebody else built."""

    path: File
    of: Text
    name: Text = Field(default_factory=lambda given: given["path"].stem)


def _kind_of_model(value: object) -> str:
    keys = value if isinstance(value, dict) else {}
    if "sample" in keys:
        return "<sample>"
    if "of" in keys:
        return "<prebuilt>"
    path = keys.get("path")
    return "<folder>" if isinstance(path, str) and has_magic(path) and not Path(path).exists() else "<file>"


Model = SampleModel | FileModel
Entry = Model | ModelFolder | PrebuiltVariant
ModelEntry = Annotated[
    Annotated[SampleModel, Tag("<sample>")]
    | Annotated[FileModel, Tag("<file>")]
    | Annotated[ModelFolder, Tag("<folder>")]
    | Annotated[PrebuiltVariant, Tag("<prebuilt>")],
    Discriminator(_kind_of_model),
    BeforeValidator(
        as_mapping("sample"), json_schema_input_type=Sample | SampleModel | FileModel | ModelFolder | PrebuiltVariant
    ),
]


def _check_models(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Every model has its own name; every prebuilt variant names a model, and is not called as another variant."""
    models: dict[str, set[str]] = {}
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, PrebuiltVariant | ModelFolder):
            continue
        if isinstance(entry, FileModel) and entry.metric and entry.data is None:
            problems.append(((index, "metric"), f"{entry.metric} without data, allowed: beside data that has labels"))
        if entry.name in models:
            problems.append(((index, "name"), f"model {entry.name[:80]!r} is there twice, allowed: once"))
        models.setdefault(entry.name, {variant.name for variant in entry.variants or ()})
    for index, entry in enumerate(entries):
        if not isinstance(entry, PrebuiltVariant):
            continue
        if entry.of not in models:
            problems.append(
                ((index, "of"), f"no model {entry.of[:80]!r}, allowed: {', '.join(models) or 'none is given'}")
            )
        elif entry.name in models[entry.of]:
            problems.append(((index, "name"), taken(entry.of, entry.name)))
        else:
            models[entry.of].add(entry.name)
    refuse(problems)
    return entries


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


class LocalDevice(_Form):
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


class SimulatedDevice(_Form):
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


class MeasureForm(_Form):
    """How each cell is measured; see MeasureSettings."""

    launches: int = Field(default=_MEASURE.launches, ge=1, le=1000)
    inferences: int = Field(default=_MEASURE.inferences, ge=1, le=1_000_000)
    max_launch_s: float = Field(default=_MEASURE.max_launch_s, gt=0, le=3600)
    warmup_inferences: int = Field(default=_MEASURE.warmup_inferences, ge=0, le=100_000)
    warmup_s: float = Field(default=_MEASURE.warmup_s, ge=0, le=600)
    warmup_max_s: float = Field(default=_MEASURE.warmup_max_s, ge=0, le=600)
    cold_starts: int = Field(default=3, ge=0, le=1000)


class BandsForm(_Form):
    """Shifts of latency: from `effect` on slower or faster, within `same` the same. 0.01 is 1 %."""

    effect: float = Field(default=_BANDS.effect, ge=0, lt=1)
    same: float = Field(default=_BANDS.same, gt=0, lt=1)


class Config(_Form):
    """A whole configuration. variants None: the default set of each model's format. units None: all on offer."""

    name: Text = "bench"
    models: Annotated[tuple[ModelEntry, ...], Strict(False), Field(min_length=1), AfterValidator(_check_models)]
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

        A file found by a pattern whose name is taken is called by its path. Raises ConfigError where a pattern finds
        nothing.
        """
        found: list[Model] = [entry for entry in self.models if isinstance(entry, Model)]
        names = {entry.name for entry in found}
        for index, entry in enumerate(self.models):
            if not isinstance(entry, ModelFolder):
                continue
            files = entry.models()
            if not files:
                raise ConfigError(f"{self.place('models', index, 'path')}: {entry.path}: no file fits this pattern")
            for file in files:
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

    def device_specs(self) -> tuple[DeviceSpec, ...]:
        """The devices to open. Raises ConfigError where a scenario's file cannot be read."""
        return tuple(self._device_spec(index, entry) for index, entry in enumerate(self.devices))

    def _device_spec(self, index: int, entry: LocalDevice | SimulatedDevice) -> DeviceSpec:
        if isinstance(entry, LocalDevice):
            return DeviceSpec(
                name=entry.name, kind=entry.kind, python=entry.python, runtime=entry.runtime, dispatch=entry.dispatch
            )
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

    def specs(self, model: str, default: Sequence[str]) -> tuple[VariantSpec, ...]:
        """The variants asked for of a model: its own list, else the common one, else `default` (recipes' texts).

        Those that somebody else built come last. Raises ConfigError where one is called as another variant.
        """
        own = next(entry.variants for entry in self.sources if entry.name == model)
        asked = own or self.variants or tuple(VariantForm(recipe=text) for text in default)
        specs = [VariantSpec(model=model, name=v.name, recipe=v.recipe, settings=v.settings) for v in asked]
        for index, entry in enumerate(self.models):
            if isinstance(entry, PrebuiltVariant) and entry.of == model:
                if any(spec.name == entry.name for spec in specs):
                    raise ConfigError(f"{self.place('models', index, 'name')}: {taken(model, entry.name)}")
                specs.append(VariantSpec(model=model, name=entry.name, recipe=PREBUILT, prebuilt=entry.path))
        return tuple(specs)

    def place(self, *keys: Key) -> Place:
        """Where the value at `keys` stands in the file, for problems that only its reader can find."""
        assert self._tree is not None, "a Config comes from load_config or parse_config"
        return self._tree.place(keys)


_FORMS: Mapping[Key, type[_Form]] = {
    "": Config,
    "<sample>": SampleModel,
    "<file>": FileModel,
    "<prebuilt>": PrebuiltVariant,
    "<folder>": ModelFolder,
    "<local>": LocalDevice,
    "<simulated>": SimulatedDevice,
    "variants": VariantForm,
    "measure": MeasureForm,
    "compare": BandsForm,
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
    return parse_config(decode(content, source=str(path)), source=str(path))


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
