"""What a configuration may say of models and their variants."""

from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Strict, Tag
from pydantic_core import PydanticCustomError

from harness.config_fields import File, Form, Pattern, Problem, RecipeText, Text, as_mapping, refuse, taken, unique
from harness.core.target import Target
from harness.core.variant import OpSetting, VariantSpec
from harness.sources.reading import format_of, is_torch


def _as_list(value: object) -> object:
    if value is not None and not isinstance(value, str | list | tuple):
        raise PydanticCustomError("target", "a target such as iOS18, or a list of them")
    return [value] if isinstance(value, str) else value


TargetName = Annotated[Target, Strict(False)]
Targets = Annotated[
    tuple[TargetName, ...],
    Strict(False),
    BeforeValidator(_as_list, json_schema_input_type=Target | list[Target]),
    Field(min_length=1),
    unique("target", str),
]


class VariantForm(Form):
    """A recipe to build, under a name of its own; without one it is called by the recipe.

    ops and op_types hold other recipes for single operators, by name or pattern, and for all of a type; null leaves
    them as they are. target is what a Core ML program is built for; several make as many variants, called by the name
    with each target behind it.
    """

    recipe: RecipeText
    name: Text = Field(default_factory=lambda given: str(given["recipe"]))
    target: Targets | None = None
    ops: dict[Text, RecipeText | None] = Field(default_factory=dict)
    op_types: dict[Text, RecipeText | None] = Field(default_factory=dict)

    @property
    def settings(self) -> tuple[OpSetting, ...]:
        """In order of precedence: a name goes before a type."""
        types = (OpSetting(op_type=name, recipe=recipe) for name, recipe in self.op_types.items())
        return (*types, *(OpSetting(op=name, recipe=recipe) for name, recipe in self.ops.items()))

    def specs(self, model: str, format: str) -> tuple[VariantSpec, ...]:
        """What is asked for of a model of a format; targets are Core ML's alone."""
        spec = VariantSpec(model=model, name=self.name, recipe=self.recipe, settings=self.settings)
        if format != "mlpackage" or not self.target:
            return (spec,)
        if len(self.target) == 1:
            return (replace(spec, target=self.target[0]),)
        return tuple(replace(spec, name=f"{self.name}-{target}", target=target) for target in self.target)


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
Sample = Literal["digits", "mobilenet_v1", "mobilenet_v2", "inception_v3", "resnet_v2_101", "resnet50", "ssd_resnet18"]
Metric = Literal["top1"]
Format = Literal["tflite", "mlpackage"]


class SampleModel(Form):
    """A model that ships with the bench. In another format beside the first it needs a name of its own."""

    sample: Sample
    format: Format = "tflite"
    name: Text = Field(default_factory=lambda given: str(given["sample"]))
    variants: Variants | None = None


Shape = Annotated[tuple[Annotated[int, Field(ge=1, lt=1 << 31)], ...], Strict(False)]


class FileModel(Form):
    """A model of the user's, called by its file's name without the ending where no name is given.

    signature is the key of the one to run, without it the file's first. input_shapes fix what the file leaves open.
    format is what a file of torch is converted to.
    """

    path: File
    name: Text = Field(default_factory=lambda given: given["path"].stem)
    data: File | None = None
    metric: Metric | None = None
    signature: Text | None = None
    input_shapes: dict[Text, Shape] | None = Field(default=None, min_length=1)
    format: Format | None = None
    variants: Variants | None = None


class ModelFolder(Form):
    """Every file that a pattern finds (`folder/*.tflite`), each called by its name without the ending."""

    path: Pattern
    variants: Variants | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def models(self) -> tuple[FileModel, ...]:
        """The files there are now, in order of their names."""
        named = (Path(file).absolute() for file in glob(str(self.path), recursive=True))
        found = sorted(path for path in named if _is_model(path) and not _is_inside_package(path))
        return tuple(
            FileModel.model_validate({"path": str(file), "name": _readable(file), "variants": self.variants})
            for file in found
        )


def _is_model(path: Path) -> bool:
    """A file, a package, or a broken link, which fails as a model."""
    return path.is_file() or path.is_symlink() or format_of(path) == "mlpackage"


def _is_inside_package(path: Path) -> bool:
    """Whether a pattern over all folders walked into a package."""
    return any(format_of(parent) == "mlpackage" for parent in path.parents)


def _readable(file: Path) -> str:
    """A file's name as text that shows something: bytes that are not UTF-8 are written out."""
    name = file.stem if file.stem.strip() else file.name
    return name.encode(errors="backslashreplace").decode()


class PrebuiltVariant(Form):
    """A variant of model `of` that somebody else built."""

    path: File
    of: Text
    name: Text = Field(default_factory=lambda given: given["path"].stem)


_OF_FOLDERS = {"path", "variants"}


def _kind_of_model(value: object) -> str:
    keys = value if isinstance(value, dict) else {}
    if "sample" in keys:
        return "<sample>"
    if "of" in keys:
        return "<prebuilt>"
    return "<folder>" if _is_pattern(keys.get("path"), own=bool(keys.keys() - _OF_FOLDERS)) else "<file>"


def _is_pattern(path: object, *, own: bool) -> bool:
    """Whether a path stands for many files. With keys that only one file has (own), brackets are a file's name."""
    return isinstance(path, str) and has_magic(path) and ("*" in path or not own)


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


TORCH_ONLY = "allowed: for a .pt2, .pt or .pth, which is converted to it"


def check_models(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Every model has its own name; every prebuilt variant names a model, and is not called as another variant."""
    models: dict[str, set[str]] = {}
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, PrebuiltVariant | ModelFolder):
            continue
        if isinstance(entry, FileModel) and entry.format and not is_torch(entry.path):
            problems.append(((index, "format"), f"{entry.format} for a file that has a format, {TORCH_ONLY}"))
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
