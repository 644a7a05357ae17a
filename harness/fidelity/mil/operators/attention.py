"""Scaled dot product attention."""

import math

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable


def _attention(emitter: Emitter, operation: Operation) -> str:
    """softmax(query @ key.T / sqrt(size) + mask) @ value; a mask of bools keeps what is True."""
    query, key = operation["query"], operation["key"]
    if (size := query.shape[-1]) is None:
        raise Untranslatable("scaled_dot_product_attention of queries whose size is not known")
    swapped = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    products = emitter.node("MatMul", [query, emitter.node("Transpose", [key], perm=swapped)])
    scores = emitter.node("Div", [products, emitter.real(math.sqrt(size))])
    if (mask := operation.optional("attn_mask")) is not None:
        hidden = emitter.real(-np.inf)
        scores = (
            emitter.node("Where", [mask, scores, hidden])
            if mask.dtype == "bool"
            else emitter.node("Add", [scores, mask])
        )
    return emitter.node("MatMul", [emitter.node("Softmax", [scores], axis=-1), operation["value"]])


TRANSLATIONS: dict[str, Translate] = {"scaled_dot_product_attention": _attention}
