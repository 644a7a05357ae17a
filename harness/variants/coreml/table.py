"""What there is for Core ML programs: each technique, what it does and what a person must know of it."""

from harness.variants.technique import Technique

TECHNIQUES: dict[str, Technique] = {
    "float32": Technique(
        what="the source as it is",
        does=None,
        runs_on="CPU and GPU; the Neural Engine computes in float16",
        size="200 %",
        cost=0.6,
    ),
}

DEFAULTS: tuple[str, ...] = ("float32",)
