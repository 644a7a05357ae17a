"""Pydantic's complaints in a user's words: where, which key, what was given, what is allowed."""

import difflib
from collections.abc import Mapping, Sequence
from reprlib import Repr

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.yaml_source import Key, Place, Tree

_NUMBER_TYPES = ("int_type", "int_from_float", "int_parsing", "int_parsing_size")
_ALLOWED = {
    "string_type": "text (put it in quotes)",
    "string_unicode": "text in Unicode",
    **dict.fromkeys(_NUMBER_TYPES, "a whole number"),
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "enum": "{expected}",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "too_short": "{min_length} item or more",
}
# What a key takes besides the values that its type lists.
_ALSO = {"sample": ", or {path: FILE} for a model of your own"}
_SHORT = Repr()
_SHORT.maxstring = 80


def explain(error: ValidationError, tree: Tree, keys: Mapping[Key, Sequence[str]]) -> tuple[str, ...]:
    """One line for each problem, in the order of the file. keys: what may stand below a part of a location."""
    problems = [_problem(item, tree, keys) for item in error.errors() if not _is_consequence(item)]
    problems.sort(key=lambda problem: (problem[0].line, problem[0].column))
    return tuple(dict.fromkeys(f"{place}: {text}" for place, text in problems))


def _problem(item: ErrorDetails, tree: Tree, keys: Mapping[Key, Sequence[str]]) -> tuple[Place, str]:
    loc: tuple[Key, ...] = item["loc"]
    path = _plain(loc)
    known = path[: tree.depth(path)]
    if item["type"] == "missing":
        return tree.place(path), f"{_dotted(path)}: missing, allowed keys: {', '.join(_siblings(loc, keys))}"
    if item["type"] == "extra_forbidden":
        return tree.place(path, of_key=True), f"{_dotted(path)}: unknown key, {_nearest(loc, keys)}"
    return tree.place(path), f"{_dotted(known)}: {_judged(item)}"


def _judged(item: ErrorDetails) -> str:
    context = item.get("ctx") or {}
    if "error" in context:  # a ValueError of ours says it all
        return str(context["error"])
    if "reason" in context:
        return str(context["reason"])
    allowed = _allowed(item["type"], item["msg"], context) + _ALSO.get(str(item["loc"][-1]), "")
    if item["type"].startswith("model_") and isinstance(_plain(item["loc"])[-1], int):
        allowed = f"text, or {allowed}"  # items of models, variants and devices have a short form
    return f"given {_given(item['input'])}, allowed: {allowed}"


def _allowed(kind: str, message: str, context: Mapping[str, object]) -> str:
    return _ALLOWED[kind].format(**context) if kind in _ALLOWED else message


def _is_consequence(item: ErrorDetails) -> bool:
    """Found only because something inside or beside it is wrong, which is reported itself."""
    short = item["type"] == "too_short" and bool(item["input"])
    return short or item["type"] == "default_factory_not_called"


def _given(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list | tuple):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    return _SHORT.repr(value)


def _nearest(loc: Sequence[Key], keys: Mapping[Key, Sequence[str]]) -> str:
    allowed = _siblings(loc, keys)
    close = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}allowed: {', '.join(allowed)}"


def _siblings(loc: Sequence[Key], keys: Mapping[Key, Sequence[str]]) -> Sequence[str]:
    return next((keys[part] for part in reversed(loc[:-1]) if part in keys), keys[""])


def _dotted(path: Sequence[Key]) -> str:
    return ".".join(" ".join(str(part).split())[:80] for part in path)


def _plain(loc: Sequence[Key]) -> tuple[Key, ...]:
    return tuple(part for part in loc if not _is_tag(part))


def _is_tag(part: Key) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")
