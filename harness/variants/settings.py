"""Settings of single operators: which recipe every operator of a model gets.

The variant's own recipe holds for all, a setting of an operator type goes before it, one of a name before that. An
operator goes by its first output, as in reports; operators of every graph of the file count, those of loops too.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.core.units import Bytes
from harness.core.variant import OpSetting
from harness.sources import tflite_file
from harness.sources.tflite_file import GraphRecord, OperatorRecord, shorten
from harness.variants.grammar import parse
from harness.variants.technique import Recipe

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of a file. place is its graph and its index there; weight_bytes are of all its constants."""

    place: Place
    type: str
    name: str
    weight_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Operators that get the same recipe. recipe None: they stay as they are."""

    recipe: Recipe | None
    operators: frozenset[Place]

    def __str__(self) -> str:
        return "null" if self.recipe is None else str(self.recipe)


@lru_cache(maxsize=32)
def read_operators(model: Model) -> tuple[Operator, ...]:
    """Every operator of the model's file, read once for each model. Raises ModelUnreadable."""
    try:
        return operators_in(model.path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ModelUnreadable(model.path, f"cannot be read: {exc}") from exc


def operators_in(content: bytes) -> tuple[Operator, ...]:
    """Every operator of a file. Raises FlatbufferDamaged, a ValueError."""
    return tuple(
        _operator(graph, operator, (number, index))
        for number, graph in enumerate(tflite_file.parse(content).graphs)
        for index, operator in enumerate(graph.operators)
    )


def _operator(graph: GraphRecord, operator: OperatorRecord, place: Place) -> Operator:
    present = [graph.tensors[i] for i in operator.inputs if i >= 0]
    return Operator(
        place=place,
        type=operator.type,
        name=graph.tensors[operator.outputs[0]].name if operator.outputs else "",
        weight_bytes=sum(tensor.buffer_bytes for tensor in present),
    )


def assign(recipe: Recipe | None, settings: Sequence[OpSetting], operators: Sequence[Operator]) -> tuple[Part, ...]:
    """Operators by what they get: first those of the variant's own recipe, possibly none, then every other recipe.

    Raises RecipeUnknown.
    """
    given = {operator.place: recipe for operator in operators}
    for setting in settings:
        given |= dict.fromkeys(meant(setting, operators), _recipe(setting))
    places: dict[Recipe | None, set[Place]] = {recipe: set()}
    for place, its in given.items():
        places.setdefault(its, set()).add(place)
    return tuple(Part(recipe=each, operators=frozenset(there)) for each, there in places.items())


def meant(setting: OpSetting, operators: Sequence[Operator]) -> frozenset[Place]:
    """The operators that a setting is about. A name that some operator has is no pattern, brackets or not."""
    if setting.op_type is not None:
        return frozenset(operator.place for operator in operators if operator.type == setting.op_type)
    pattern = setting.op or ""
    named = frozenset(operator.place for operator in operators if operator.name == pattern)
    return named or frozenset(operator.place for operator in operators if fnmatchcase(operator.name, pattern))


def unknown(setting: OpSetting, operators: Sequence[Operator]) -> str | None:
    """Why a setting is about no operator at all, with what is close to it; None where it is about some."""
    if meant(setting, operators):
        return None
    asked, kind = (setting.op_type, "type") if setting.op_type is not None else (setting.op or "", "name")
    known = sorted({operator.type if kind == "type" else operator.name for operator in operators})
    close = difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
    lower = [name for name in known if name.lower() == asked.lower()]
    shown = " or ".join(map(shorten, lower or close)) or f"one of {', '.join(map(shorten, known[:8]))}"
    return f"no operator has the {kind} {shorten(asked)}; did you mean {shown}?"


def _recipe(setting: OpSetting) -> Recipe | None:
    return None if setting.recipe is None else parse(setting.recipe)
