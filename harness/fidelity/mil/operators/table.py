"""The one table of operators that the reference can run: MIL's name -> its translation, from the families' tables."""

from harness.fidelity.mil.emitter import Translate

TRANSLATIONS: dict[str, Translate] = {}
