"""The grammar of recipes.

A recipe is steps joined with `+` in order of application: `sparse-50+palette-4+int8`. A step is a technique's name,
with a number where the technique takes one (`sparse-75`, `sparse-2:4`), and a word behind the number where it has
another way to do it (`sparse-70-encoded`, `palette-4-per-channel`). `@` after a step names a method other than the
plain post-training one; no method is built yet, so it is refused as unknown.
"""

import difflib
import re

from harness.core.errors import RecipeUnknown
from harness.variants.technique import Recipe, Step, Technique
from harness.variants.techniques import AS_STORED, TECHNIQUES

_SHOWN = 60  # characters of a name that is no technique
_WORDS = "[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*"
_STEP = re.compile(
    rf"(?P<stem>{_WORDS})-(?P<number>[1-9][0-9]{{0,2}})(?::(?P<of>[1-9][0-9]?))?(?:-(?P<suffix>{_WORDS}))?"
)
_ROWS = {name: row for (name, _), row in TECHNIQUES.items()}


def parse(text: str) -> Recipe:
    """Read a recipe. Raises RecipeUnknown with what is close to it or what is allowed."""
    return Recipe(steps=tuple(_parse_step(text, part) for part in text.split("+")))


def _parse_step(text: str, part: str) -> Step:
    name, at, method = part.partition("@")
    if at:
        plain = _visible(name[:_SHOWN]) or "the technique"
        raise RecipeUnknown(text, f"the method @{_visible(method[:_SHOWN])} is not available; write {plain} without it")
    if name in AS_STORED or (name in _ROWS and not _takes_number(_ROWS[name])):
        return Step(technique=name)
    step = _numbered(name)
    row = _ROWS.get(step.row) if step else None
    if step is None or row is None or not _takes_number(row):
        raise RecipeUnknown(text, _unnumbered(name) or _unknown(name))
    if not _allowed(step, row):
        raise RecipeUnknown(text, f"write {_allowed_text(step.row, row)}")
    return step


def _visible(text: str) -> str:
    """On one line whatever it holds."""
    return text if text.isprintable() else repr(text)


def _numbered(name: str) -> Step | None:
    """The step that a text is by its form alone, whether there is such a technique or not."""
    match = _STEP.fullmatch(name)
    if match is None:
        return None
    number, of = int(match["number"]), match["of"]
    if of is None:
        return Step(technique=match["stem"], parameter=number, suffix=match["suffix"])
    return Step(technique=match["stem"], pattern=(number, int(of)), suffix=match["suffix"])


def _takes_number(row: Technique) -> bool:
    return row.parameter is not None or row.groups is not None


def _allowed(step: Step, row: Technique) -> bool:
    if step.pattern is not None:
        few, of = step.pattern
        return row.groups is not None and of in row.groups and few < of
    return row.parameter is not None and step.parameter in row.parameter


def _allowed_text(name: str, row: Technique) -> str:
    """What may stand for a technique that takes a number: `sparse-1 to sparse-99`."""
    if row.groups is not None:
        return f"{name} with N from 1 below M, and M from {row.groups[0]} to {row.groups[-1]}"
    numbers = row.parameter or range(1)
    return f"{_with_number(name, str(numbers[0]))} to {_with_number(name, str(numbers[-1]))}"


def _with_number(name: str, number: str) -> str:
    """A row's name with a number where it belongs: `sparse-encoded` and 70 are `sparse-70-encoded`."""
    if "N:M" in name:
        return name
    stem, dash, suffix = name.partition("-")
    return f"{stem}-{number}{dash}{suffix}"


def _unnumbered(name: str) -> str | None:
    """The answer to a technique that lacks its number."""
    row = _ROWS.get(name)
    return f"write {_allowed_text(name, row)}" if row is not None else None


def _unknown(name: str) -> str:
    shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "..."
    number = re.search(r"[0-9]+(:[0-9]+)?", shown)
    close = difflib.get_close_matches(shown.lower(), _candidates(number[0] if number else None), n=3, cutoff=0.5)
    if close:
        return f"{shown!r} is no technique; did you mean {' or '.join(close)}?"
    return f"{shown!r} is no technique; one of {', '.join(_candidates('N'))}"


def _candidates(number: str | None) -> list[str]:
    """Every technique as a user writes it, with this number where it may have it, else with one that it may."""
    plain = [name for name, row in _ROWS.items() if not _takes_number(row)]
    return plain + [_example(name, row, number) for name, row in _ROWS.items() if _takes_number(row)]


def _example(name: str, row: Technique, number: str | None) -> str:
    if row.groups is not None:
        meant = name.replace("N:M", number or "N:M")
        step = _numbered(meant)
        return meant if step is not None and step.pattern and _allowed(step, row) else name
    numbers = row.parameter or range(1)
    fits = number == "N" or (number is not None and number.isdigit() and int(number) in numbers)
    return _with_number(name, str(number if fits else numbers[len(numbers) // 2]))
