"""`sparse-P-encoded`: `sparse-P`, then every weight that shrinks by it in TFLite's sparse tensor encoding.

The file is smaller, not only its zip: what is left of a weight takes five to six bytes instead of four, so P pays from
20 or 34 on, by the number of input channels. DENSIFY unpacks the weights when the model is loaded; inference is as fast
as dense, except where XNNPACK's sparse kernels apply (sparse_kernels.py).
Source: tensorflow.org, "Pruning for on-device inference with XNNPACK", without fine-tuning.
"""

from harness.core.errors import RecipeRefused
from harness.variants.technique import Applies, Step


def encode(content: bytes, step: Step, applies: Applies) -> bytes:
    """The content with P % of each weight at zero, encoded. Raises RecipeRefused where no weight gets smaller."""
    from harness.variants.tflite.edit import edit_weights
    from harness.variants.tflite.sparse import prune
    from harness.variants.tflite.sparse_encoding import NothingSmaller, encode_sparsely
    from harness.variants.tflite.weights import read_weights, unique

    percent = step.whole("P")
    pruned = edit_weights(content, str(step), lambda values, _: prune(values, percent / 100), applies)
    weights = unique(tuple(weight for weight in read_weights(pruned) if weight.editable and applies(weight)))
    if not weights:
        return content
    try:
        return encode_sparsely(pruned, [weight.buffer for weight in weights])
    except NothingSmaller as exc:
        reason = f"at {percent} % the encoding is larger than the dense weights; write sparse-{percent}, or prune more"
        raise RecipeRefused(str(step), reason) from exc
    except ValueError as exc:
        raise RecipeRefused(str(step), str(exc)) from exc


def notes(content: bytes) -> tuple[str, ...]:
    """Whether XNNPACK's sparse kernels can apply to the encoded file, and why not."""
    from harness.variants.tflite.sparse_kernels import verdict

    return (str(verdict(content)),)
