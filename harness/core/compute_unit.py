"""Where a variant is asked to run: `cpu`, `cpu:4`, `cpu/builtin`, `cpu@big`, `gpu`. See docs/units.md."""

import re
from dataclasses import dataclass

KINDS = ("cpu", "gpu", "npu", "edgetpu", "all", "cpu+gpu", "cpu+npu")
SOFTWARE = "software"  # a GPU's driver that computes on the processor
_DEFAULT_BACKENDS = {"cpu": "xnnpack", "gpu": "webgpu", "npu": "dispatch", "edgetpu": "libedgetpu"}
CLUSTERS = ("little", "middle", "big")
_TEXT = re.compile(
    r"(?P<kind>[a-z+]+)(?:/(?P<backend>[a-z0-9_-]+))?(?:@(?P<cluster>[a-z]+))?(?::(?P<threads>[0-9]{1,4}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeUnit:
    """A compute unit with the backend and thread count asked for.

    backend None: the runtime's own default (XNNPACK for LiteRT's `cpu`); a backend by name is a demand.
    threads None: not a thing of this unit (gpu); written out only where it is not 1. cluster is the kind of cores that
    the work is bound to (`little`, `middle`, `big`), None: not bound.
    """

    kind: str
    backend: str | None = None
    threads: int | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown compute unit {self.kind!r}; one of {', '.join(KINDS)}")
        if self.kind == "cpu" and self.threads is None:
            object.__setattr__(self, "threads", 1)
        if self.threads is not None and (self.kind != "cpu" or self.threads < 1):
            raise ValueError(f"{self.kind}:{self.threads}: a thread count of 1 or more goes with cpu alone")
        if self.cluster is not None and (self.kind != "cpu" or self.cluster not in CLUSTERS):
            raise ValueError(f"{self.kind}@{self.cluster}: cpu alone has clusters; one of {', '.join(CLUSTERS)}")

    @property
    def by_name_only(self) -> bool:
        """Whether it has to be asked for by name: its times say nothing of the hardware it is named after."""
        return self.backend == SOFTWARE

    def is_offered_by(self, offered: "ComputeUnit") -> bool:
        """Whether a device that offers that unit can run this one: with any number of threads, or its default named."""
        if self.kind != offered.kind or self.cluster != offered.cluster:
            return False
        return self.backend == offered.backend or (offered.backend is None and self.backend == self._default)

    @property
    def _default(self) -> str | None:
        return _DEFAULT_BACKENDS.get(self.kind)

    @classmethod
    def parse(cls, text: str) -> "ComputeUnit":
        """Read `unit[/backend][@cluster][:threads]`. Raises ValueError that says what is allowed."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not unit[/backend][@cluster][:threads], for example cpu, cpu:4 or cpu/builtin"
            )
        threads = match["threads"]
        return cls(
            kind=match["kind"],
            backend=match["backend"],
            threads=int(threads) if threads else None,
            cluster=match["cluster"],
        )

    def __str__(self) -> str:
        backend = f"/{self.backend}" if self.backend else ""
        cluster = f"@{self.cluster}" if self.cluster else ""
        threads = f":{self.threads}" if self.threads is not None and self.threads != 1 else ""
        return f"{self.kind}{backend}{cluster}{threads}"
