"""Operations whose results are random: no two runs of any runtime agree on them, so none can be a reference."""

from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable


def _refuse(emitter: Emitter, operation: Operation) -> str:  # noqa: ARG001 (as every translation)
    raise Untranslatable(f"{operation.type}, whose values are random: nothing can be compared with them")


TRANSLATIONS: dict[str, Translate] = {
    name: _refuse for name in ("random_bernoulli", "random_categorical", "random_normal", "random_uniform")
}
