"""Whether later steps of a recipe kept what earlier ones made.

Sparsity is kept while a weight has no fewer zeros than the step left it. Clusters are kept while no more than 2^B
different values are stored under any one scale: int8 per channel maps the same cluster to another number in each
channel, so over a whole tensor there may be more, which is said but is not a loss. Clusters of a channel's own are
kept while each channel has no more than 2^B.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.variants.technique import Applies, Step
from harness.variants.tflite.edit import every
from harness.variants.tflite.weights import (
    Weight,
    distinct_count,
    distinct_per_channel,
    distinct_per_scale,
    read_weights,
    zero_count,
)

_PRUNED_ALREADY = 0.1  # from this share of exact zeros on, a source counts as pruned by its owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a step made of one weight: at least so many zeros, or at most so many values; None says nothing.

    of_channels: so many values in each output channel, not in the whole tensor.
    """

    step: str
    slot: tuple[int, int]
    zeros: int | None = None
    distinct: int | None = None
    of_channels: bool = False


def source_promises(content: bytes) -> tuple[Promise, ...]:
    """The zeros of a source that somebody pruned before."""
    weights = ((weight, zero_count(content, weight)) for weight in read_weights(content) if weight.editable)
    return tuple(
        Promise(step="the source's own sparsity", slot=weight.slot, zeros=zeros)
        for weight, zeros in weights
        if zeros >= _PRUNED_ALREADY * weight.elements
    )


def promises(step: Step, content: bytes, applies: Applies = every) -> tuple[Promise, ...]:
    """What an edit step has just made of each weight of content that it was applied to."""
    weights = [weight for weight in read_weights(content) if weight.editable and applies(weight)]
    if step.is_sparse:
        return tuple(Promise(step=str(step), slot=w.slot, zeros=zero_count(content, w)) for w in weights)
    if step.palette_bits is None:
        return ()
    most, own = 1 << step.palette_bits, step.row == "palette-B-per-channel"
    return tuple(Promise(step=str(step), slot=w.slot, distinct=most, of_channels=own) for w in weights)


def losses(made: Sequence[Promise], built: bytes) -> tuple[str, ...]:
    """A sentence for each step whose work was lost in the built file, and for clusters that now differ by scale."""
    weights = {weight.slot: weight for weight in read_weights(built)}
    steps = dict.fromkeys(promise.step for promise in made)
    notes = []
    for step in steps:
        kept = [
            (promise, weights[promise.slot]) for promise in made if promise.step == step and promise.slot in weights
        ]
        notes += [note for note in (_zeros_lost(step, kept, built), _clusters_lost(step, kept, built)) if note]
    return tuple(notes)


def _zeros_lost(step: str, kept: list[tuple[Promise, Weight]], built: bytes) -> str | None:
    now = [(p.zeros, zero_count(built, w), w) for p, w in kept if p.zeros is not None]
    lost = [(had, has, w) for had, has, w in now if has < had]
    if not lost:
        return None
    had, has, worst = max(lost, key=lambda entry: (entry[0] - entry[1]) / entry[2].elements)
    return (
        f"{step} was lost: {len(lost)} of {len(now)} weights have fewer zeros than it left; "
        f"worst {_short(worst.name)}, {has / worst.elements:.0%} instead of {had / worst.elements:.0%}"
    )


def _clusters_lost(step: str, kept: list[tuple[Promise, Weight]], built: bytes) -> str | None:
    of_channels = any(promise.of_channels for promise, _ in kept)
    count = distinct_per_channel if of_channels else distinct_per_scale
    now = [(p.distinct, count(built, w), w) for p, w in kept if p.distinct is not None]
    lost = [(limit, has, w) for limit, has, w in now if has > limit]
    if lost:
        limit, has, worst = max(lost, key=lambda entry: entry[1])
        where = "in one channel" if of_channels else "under one scale"
        return (
            f"{step} was lost: {len(lost)} of {len(now)} weights store more than {limit} values {where}; "
            f"worst {_short(worst.name)}, {has}"
        )
    if of_channels:
        return None
    spread = max((distinct_count(built, w) for _, _, w in now if len(w.scales) > 1), default=0)
    if now and spread > now[0][0]:
        return f"{step} holds under each scale; scales are per channel, so a whole tensor stores up to {spread} values"
    return None


def _short(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:57] + "...")
