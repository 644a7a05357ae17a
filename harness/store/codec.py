"""Dataclasses as JSON and back, exactly, by their type hints.

One rule a type: None, bool, int, float, str; StrEnum by value, Path as text; tuple; Mapping with text keys; a dataclass
as an object of its fields. Where a union leaves more than one dataclass, the object says which under `is`.
Strict both ways: a value that is not of its type is refused when it is written, not met when it is read. A field that
is missing takes its default, so that what an older version wrote can be read.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.core.errors import StoreError

_TAG = "is"
_T = TypeVar("_T")


class CodecError(StoreError):
    """A value that is not of its type: written by another version, damaged, or a fault of the caller's."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one type is written to and read from what the json module knows."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def dumps(value: object, kind: object) -> str:
    """JSON of a value of type `kind`, ASCII. Raises CodecError."""
    return json.dumps(_rule(kind).write(value), separators=(",", ":"))


def loads(text: str | bytes, kind: object) -> Any:  # noqa: ANN401  # it is of type `kind`
    """The value of type `kind` in JSON that `dumps` wrote. Raises CodecError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not the JSON of {_name(kind)}: {error}") from error
    return _rule(kind).read(content)


@cache
def _rule(kind: Any) -> _Rule:  # noqa: ANN401  # type hints have no type
    origin, inner = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return _Rule(_SCALARS[kind], _SCALARS[kind])
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin is tuple:
        return _sequence(_rule(inner[0])) if inner[-1] is Ellipsis else _fixed(tuple(map(_rule, inner)))
    if origin is Mapping and inner[0] is str:
        return _mapping(_rule(inner[1]))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Rule(lambda value: _of_type(value, kind).value, lambda content: _member(content, kind))
    if kind is Path:
        return _Rule(lambda value: str(_of_type(value, Path)), lambda content: Path(_text(content)))
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind)
    raise CodecError(f"{_name(kind)} has no rule here; add one or use another type")


def _none(value: object) -> None:
    if value is not None:
        raise CodecError(f"{value!r} is not None")


def _boolean(value: object) -> bool:
    return _of_type(value, bool)


def _whole(value: object) -> int:
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):  # numpy's are Integral
        raise CodecError(f"{value!r:.80} is not a whole number")
    return int(value)


def _number(value: object) -> float:
    """An int stays one: settings that print alike must stay alike, a cell's id is made of them."""
    return float(value) if isinstance(value, float) else _whole(value)


def _text(value: object) -> str:
    return str(_of_type(value, str))


_SCALARS: Mapping[object, Callable[[object], object]] = {
    types.NoneType: _none,
    bool: _boolean,
    int: _whole,
    float: _number,
    str: _text,
}


def _sequence(item: _Rule) -> _Rule:
    def write(value: object) -> list[object]:
        return [item.write(element) for element in _of_type(value, tuple)]

    def read(content: object) -> tuple[object, ...]:
        return tuple([item.read(element) for element in _of_type(content, list)])

    return _Rule(write, read)


def _fixed(items: tuple[_Rule, ...]) -> _Rule:
    def same_length(value: Any) -> Any:  # noqa: ANN401  # a tuple or a list, as it came
        if len(value) != len(items):
            raise CodecError(f"{len(value)} values where {len(items)} belong")
        return value

    def write(value: object) -> list[object]:
        return [rule.write(v) for rule, v in zip(items, same_length(_of_type(value, tuple)), strict=True)]

    def read(content: object) -> tuple[object, ...]:
        return tuple([rule.read(v) for rule, v in zip(items, same_length(_of_type(content, list)), strict=True)])

    return _Rule(write, read)


def _mapping(item: _Rule) -> _Rule:
    def write(value: object) -> dict[str, object]:
        pairs = _of_type(value, Mapping).items()  # type: ignore[type-abstract]
        return {_text(key): item.write(element) for key, element in pairs}

    def read(content: object) -> dict[str, object]:
        return {key: item.read(element) for key, element in _of_type(content, dict).items()}

    return _Rule(write, read)


def _union(members: tuple[Any, ...]) -> _Rule:
    """An optional type, or one of several dataclasses, or both."""
    choices = [member for member in members if member is not types.NoneType]
    some = _rule(choices[0]) if len(choices) == 1 else _tagged({_name(choice): choice for choice in choices})
    if len(choices) == len(members):
        return some
    return _Rule(
        lambda value: None if value is None else some.write(value),
        lambda content: None if content is None else some.read(content),
    )


def _tagged(choices: Mapping[str, Any]) -> _Rule:
    rules = {name: _record(choice) for name, choice in choices.items()}

    def rule(name: object) -> _Rule:
        if not isinstance(name, str) or name not in rules:
            raise CodecError(f"{name!r:.80} is none of {', '.join(rules)}")
        return rules[name]

    def write(value: object) -> dict[str, object]:
        name = type(value).__name__
        return {_TAG: name, **rule(name).write(value)}

    def read(content: object) -> object:
        given = dict(_of_type(content, dict))
        return rule(given.pop(_TAG, None)).read(given)

    return _Rule(write, read)


def _record(kind: Any) -> _Rule:  # noqa: ANN401  # a dataclass
    hints = get_type_hints(kind)
    rules = {field.name: _rule(hints[field.name]) for field in fields(kind)}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def write(value: object) -> dict[str, object]:
        _of_type(value, kind)
        return {name: _at(kind, name, rule.write, getattr(value, name)) for name, rule in rules.items()}

    def read(content: object) -> object:
        given = _of_type(content, dict)
        if not required <= given.keys() <= rules.keys():
            odd = sorted((required - given.keys()) | (given.keys() - rules.keys()))
            raise CodecError(f"{kind.__name__}: fields missing or unknown: {', '.join(odd)}")
        try:
            return kind(**{name: _at(kind, name, rules[name].read, value) for name, value in given.items()})
        except ValueError as error:
            raise CodecError(f"{kind.__name__}: {error}") from error

    return _Rule(write, read)


def _at(kind: type, name: str, convert: Callable[[Any], Any], value: object) -> object:
    try:
        return convert(value)
    except CodecError as error:
        raise CodecError(f"{kind.__name__}.{name}: {error}") from error


def _of_type(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise CodecError(f"{value!r:.80} is not of type {kind.__name__}")
    return value


def _member(content: object, kind: type[StrEnum]) -> StrEnum:
    try:
        return kind(_text(content))
    except ValueError as error:
        raise CodecError(f"{content!r:.80} is no {kind.__name__}") from error


def _name(kind: object) -> str:
    return getattr(kind, "__name__", None) or str(kind)
