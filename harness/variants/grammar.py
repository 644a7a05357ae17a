"""The grammar of recipes.

A recipe is steps joined with `+` in order of application: `sparse-50+palette-4+int8`. A step is the name of a row of
the table, with numbers where the name has capital letters: `sparse-P` is written `sparse-75`, `palette-B-group-G`
`palette-4-group-16`. A number that only another format allows is grammar; the plan then refuses it for this one.
`@` after a step names a method other than the plain post-training one; no method is built yet, so it is refused as
unknown.
"""

import difflib
import re
from collections.abc import Mapping, Sequence

from harness.core.errors import RecipeUnknown
from harness.variants.technique import LETTER, Numbers, Recipe, Span, Step, letters
from harness.variants.techniques import AS_STORED, TECHNIQUES

_SHOWN = 60  # characters of a name that is no technique
_WHOLE, _REAL = "[1-9][0-9]{0,3}", r"[0-9]\.[0-9]{1,6}"
_ANY = r"-?[0-9][0-9.e-]*"  # whatever somebody may write for a number
_ROWS = tuple(dict.fromkeys(name for name, _ in TECHNIQUES))
# What stands in an example for each letter.
_USUAL = {"P": "50", "B": "4", "G": "32", "D": "2", "K": "4", "T": "0.01", "N": "2", "M": "4"}
_NUMBERED = re.compile(rf"{_REAL}|{_WHOLE}")


def parse(text: str) -> Recipe:
    """Read a recipe. Raises RecipeUnknown with what is close to it or what is allowed."""
    return Recipe(steps=tuple(_parse_step(text, part) for part in text.split("+")))


def _parse_step(text: str, part: str) -> Step:
    name, at, method = part.partition("@")
    if at:
        plain = _visible(name[:_SHOWN]) or "the technique"
        raise RecipeUnknown(text, f"the method @{_visible(method[:_SHOWN])} is not available; write {plain} without it")
    if name in AS_STORED:
        return Step(row=name)
    read = [step for row in _ROWS if (step := _read(name, row)) is not None]
    for step in read:
        if any(is_allowed(step, format) for format in _formats(step.row)):
            return step
    raise RecipeUnknown(text, f"write {_allowed_text(read[0].row)}" if read else _unnumbered(name) or _unknown(name))


def is_allowed(step: Step, format: str) -> bool:
    """Whether a format has the row, with these numbers. Of N:M the first is less."""
    row = TECHNIQUES.get((step.row, format))
    if row is None:
        return False
    given = [step.real(letter) in row.numbers[letter] for letter in letters(step.row)]
    return all(given) and not ("N:M" in step.row and step.whole("N") >= step.whole("M"))


def allowed_text(row: str, format: str) -> str:
    """What may stand in a row in one format: `sparse-1 to sparse-99`."""
    return _range_text(row, [TECHNIQUES[row, format].numbers])


def _visible(text: str) -> str:
    """On one line whatever it holds."""
    return text if text.isprintable() else repr(text)


def _formats(row: str) -> tuple[str, ...]:
    return tuple(format for name, format in TECHNIQUES if name == row)


def _read(name: str, row: str) -> Step | None:
    """The step that a text is by its form alone, whether its numbers are allowed or not."""
    match = re.fullmatch(_pattern(row), name)
    return None if match is None else Step(row=row, numbers=match.groups())


def _pattern(row: str) -> str:
    parts = LETTER.split(row)
    numbers = [_REAL if _is_real(row, letter) else _WHOLE for letter in letters(row)]
    return "".join(
        [re.escape(parts[0])]
        + [f"({number}){re.escape(part)}" for number, part in zip(numbers, parts[1:], strict=True)]
    )


def _is_real(row: str, letter: str) -> bool:
    return any(isinstance(TECHNIQUES[row, format].numbers[letter], Span) for format in _formats(row))


def _allowed_text(row: str) -> str:
    return _range_text(row, [TECHNIQUES[row, format].numbers for format in _formats(row)])


def _range_text(row: str, allowed: Sequence[Mapping[str, Numbers]]) -> str:
    """The row with its least and its greatest number, or with what each of its letters may be."""
    choices = {letter: _choices([numbers[letter] for numbers in allowed]) for letter in letters(row)}
    if "N:M" in row:
        return f"{row} with N from 1 below M, and M from {choices['M'][0]} to {choices['M'][-1]}"
    if len(choices) != 1:
        return f"{row} with {' and '.join(f'{letter} of {_listed(found)}' for letter, found in choices.items())}"
    (found,) = choices.values()
    if _has_gaps(found):
        return _listed([_with(row, number) for number in found])
    return f"{_with(row, found[0])} to {_with(row, found[-1])}"


def _choices(allowed: Sequence[Numbers]) -> list[str]:
    """Every number that may stand there, or the least and the greatest where they are real."""
    spans = [numbers for numbers in allowed if isinstance(numbers, Span)]
    if spans:
        return [f"{min(span.least for span in spans):f}".rstrip("0"), f"{max(span.most for span in spans):g}"]
    return [str(n) for n in sorted({n for numbers in allowed if not isinstance(numbers, Span) for n in numbers})]


def _has_gaps(found: Sequence[str]) -> bool:
    return found[0].isdigit() and int(found[-1]) - int(found[0]) >= len(found)


def _listed(words: Sequence[str]) -> str:
    if len(words) > 6 and not _has_gaps(words):
        return f"{words[0]} to {words[-1]}"
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _with(row: str, number: str) -> str:
    """A row with one number for each of its letters."""
    return LETTER.sub(number, row)


def _unnumbered(name: str) -> str | None:
    """The answer to a technique whose number is missing or none that it may have: `sparse`, `sparse-0`."""
    meant = [row for row in _ROWS if letters(row) and (name in (row, _bare(row)) or re.fullmatch(_likeness(row), name))]
    return f"write {_allowed_text(meant[0])}" if meant else None


def _likeness(row: str) -> str:
    return _ANY.join(re.escape(part) for part in LETTER.split(row))


def _bare(row: str) -> str:
    return re.sub(r"-?[A-Z](:[A-Z])?(?![A-Za-z0-9])", "", row)


def _unknown(name: str) -> str:
    shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "..."
    close = difflib.get_close_matches(shown.lower(), _candidates(shown), n=3, cutoff=0.5)
    if close:
        return f"{shown!r} is no technique; did you mean {' or '.join(close)}?"
    return f"{shown!r} is no technique; one of {', '.join(_ROWS)}"


def _candidates(name: str) -> list[str]:
    """Every technique as a user writes it, with the numbers of a name where it may have them, else with some."""
    numbers = _NUMBERED.findall(name)
    return [row if not letters(row) else _example(row, numbers) for row in _ROWS]


def _example(row: str, numbers: Sequence[str]) -> str:
    """A row with these numbers as far as they go, else with others that it may have."""
    usual = [_USUAL[letter] for letter in letters(row)]
    for given in ([*numbers, *usual[len(numbers) :]], usual):
        step = Step(row=row, numbers=tuple(given))
        if len(given) == len(usual) and any(is_allowed(step, format) for format in _formats(row)):
            return str(step)
    return row
