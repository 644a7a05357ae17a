"""Contents of files with a recipe applied to all of their operators."""

from harness.variants.grammar import parse
from harness.variants.settings import assign, operators_in
from harness.variants.technique import Calibration
from harness.variants.techniques import TECHNIQUES
from harness.variants.tflite.steps import apply_all, work_of


def compressed(content: bytes, recipe: str, calibration: Calibration | None = None) -> bytes:
    """The content after every step of a recipe."""
    works = [work_of(part, TECHNIQUES) for part in assign(parse(recipe), (), operators_in(content))]
    return apply_all(recipe, works, content, calibration)[0]
