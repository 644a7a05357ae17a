"""What single values of a configuration may be, and how lists refuse an item that is there twice."""

from collections.abc import Callable, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from harness.core.compute_unit import ComputeUnit
from harness.core.errors import RecipeError
from harness.yaml_source import Key

Problem = tuple[tuple[Key, ...], str]


class Form(BaseModel):
    """A mapping of the configuration: its keys and no others, every value of its own type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def refuse(problems: Sequence[Problem]) -> None:
    """Report each problem at its own keys, below the field that is being validated."""
    details = [
        InitErrorDetails(type=PydanticCustomError("given_twice", "{reason}", {"reason": reason}), loc=loc, input=None)
        for loc, reason in problems
    ]
    if details:
        raise ValidationError.from_exception_data("config", details)


def unique(what: str, identity: Callable[[Any], str], *keys: str) -> AfterValidator:
    """Refuses every item that `identity` calls the same as an earlier one."""

    def check(items: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        first: dict[str, int] = {}
        problems: list[Problem] = []
        for index, item in enumerate(items or ()):
            name = identity(item)
            if first.setdefault(name, index) != index:
                reason = f"{what} {name[:80]!r} is there twice (also item {first[name] + 1}), allowed: once"
                problems.append(((index, *keys), reason))
        refuse(problems)
        return items

    return AfterValidator(check)


def taken(model: str, variant: str) -> str:
    """What is said of a variant that is called as another one of the same model."""
    return f"{model[:80]} has a variant {variant[:80]!r} already, allowed: once"


def as_mapping(key: str) -> Callable[[object], object]:
    """The short form of an item: its text alone stands for {key: text}."""
    return lambda value: {key: value} if isinstance(value, str) else value


def _visible(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise PydanticCustomError("invisible", "text that shows something, without zero bytes")
    return value


def _base(info: ValidationInfo) -> Path:
    return Path(info.context["base"]) if info.context else Path()


def _resolve(value: object, info: ValidationInfo) -> Path:
    try:
        if isinstance(value, str):
            return Path(_base(info), Path(_visible(value)).expanduser())
    except RuntimeError as error:
        raise PydanticCustomError("path", "a path; there is no such home directory") from error
    raise PydanticCustomError("path", "the path of a file, as text")


def _pattern(value: object, info: ValidationInfo) -> Path:
    """As a path, for `glob`: the folder of the configuration is no pattern, nor is a file that is there."""
    path = _resolve(value, info)
    if path.exists():
        return Path(escape(str(path)))
    return Path(escape(str(_base(info))), Path(str(value)).expanduser())


def _recipe(text: str) -> str:
    from harness.variants import recipes

    try:
        recipes.parse(text)
    except RecipeError as error:
        raise PydanticCustomError("recipe", "{reason}", {"reason": error.reason}) from error
    return text


def _unit(value: object) -> ComputeUnit:
    if not isinstance(value, str):
        raise PydanticCustomError(
            "unit", "unit[/backend][@cluster][:threads] as text, for example cpu, cpu:4 or cpu/builtin"
        )
    return ComputeUnit.parse(value)


def auto_or_list(value: object) -> object:
    if isinstance(value, str) and value != "auto":
        raise PydanticCustomError("units", "auto, or a list of units such as [cpu, cpu:4]")
    return None if value == "auto" else value


def _scenario(value: object, info: ValidationInfo) -> Path | Mapping[str, object]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    return _resolve(value, info)


Text = Annotated[str, AfterValidator(_visible)]
File = Annotated[Path, PlainValidator(_resolve, json_schema_input_type=str)]
Pattern = Annotated[Path, PlainValidator(_pattern, json_schema_input_type=str)]
Unit = Annotated[ComputeUnit, PlainValidator(_unit, json_schema_input_type=str)]
Scenario = Annotated[
    Path | Mapping[str, object], PlainValidator(_scenario, json_schema_input_type=str | dict[str, Any])
]
RecipeText = Annotated[Text, AfterValidator(_recipe)]
