"""Whether an artefact computes on int8 activations where `int8` was asked for: every operator that can reads them."""

from collections.abc import Collection, Sequence

from harness.core.errors import RecipeError
from harness.sources.tflite_file import shorten
from harness.variants.coreml.activation_operators import Operator, chosen, read_operators
from harness.variants.coreml.weights import read_weights
from harness.variants.technique import CoreMLProgram

_SHOWN = 20  # operators that a note names


def check_activations(
    recipe: str, weights: Collection[str], before: CoreMLProgram, built: CoreMLProgram
) -> tuple[str, ...]:
    """A note where operators that read the weights compute on floats, as the toolkit has no int8 for them.

    before is the float16 program, built the artefact read back. Raises RecipeError where an operator that was chosen
    does not read everything it computes with through `quantize` and `dequantize`.
    """
    if not weights:
        return ()
    outputs = [each.name for each in before.get_spec().description.output]
    operators = read_operators(recipe, before)
    wanted = set(chosen(operators, weights, outputs))
    missing = sorted(wanted - _quantised(read_operators(recipe, built)))
    if missing:
        raise RecipeError(recipe, f"{shorten(missing[0])} came out with float activations instead of int8")
    return _note(weights, before, {value for each in operators if each.name in wanted for value in each.outputs})


def _quantised(operators: Sequence[Operator]) -> set[str]:
    """Names of the operators whose every computed operand is dequantised, from what was quantised before."""
    makers = {value: each for each in operators for value in each.outputs}
    return {each.name for each in operators if _is_quantised(each, makers)}


def _is_quantised(operator: Operator, makers: dict[str, Operator]) -> bool:
    read = [makers.get(value) for key in ("x", "y") for value in operator.inputs.get(key, ())]
    computed = [each for each in read if each is None or not each.is_stored]
    return bool(computed) and all(each is not None and _ends_quantised(each, makers) for each in computed)


def _ends_quantised(maker: Operator, makers: dict[str, Operator]) -> bool:
    """A `dequantize` of a `quantize`, what only moves integers between them."""
    if maker.type != "dequantize":
        return False
    before = makers.get(maker.inputs["input"][0])
    return before is not None and not before.is_float


def _note(weights: Collection[str], before: CoreMLProgram, quantised: set[str]) -> tuple[str, ...]:
    readers = {
        reader.name: reader.type for each in read_weights(before) if each.name in weights for reader in each.readers
    }
    left = [f"{kind} {shorten(name)}" for name, kind in readers.items() if name not in quantised]
    if not left:
        return ()
    more = [f"and {len(left) - _SHOWN} more"] if len(left) > _SHOWN else []
    told = f"activations of {len(readers) - len(left)} of {len(readers)} operators quantised"
    return (f"{told}; left in float16: {'; '.join((*left[:_SHOWN], *more))}",)
