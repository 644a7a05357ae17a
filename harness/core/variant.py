"""What a recipe made of a model."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.model import TensorSpec
from harness.core.target import Target
from harness.core.units import Bytes, Decibels, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSetting:
    """What one operator, or all of a type, get instead of the variant's recipe.

    op is a name or a shell pattern of names (an operator goes by its first output); op_type a type (`SOFTMAX`).
    One of the two is given. recipe None: left as in the source.
    """

    op: str | None = None
    op_type: str | None = None
    recipe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSpec:
    """A variant that was asked for: a recipe of a model, or a file somebody else built (`prebuilt`).

    name is unique within the model; it is the recipe's text where the user gave none. prebuilt_digest is the
    content's, None where the file could not be read. settings stand in order of precedence, types before names: the
    last one that fits an operator holds. target is what to build a Core ML program for, None for the bench's choice.
    compiler is the vendor's compiler that the configuration names, None for the one on PATH.
    """

    model: str
    name: str
    recipe: str
    prebuilt: Path | None = None
    prebuilt_digest: str | None = None
    settings: tuple[OpSetting, ...] = ()
    target: Target | None = None
    compiler: Path | None = None

    @property
    def for_edgetpu(self) -> bool:
        """Whether its recipe ends with the Edge TPU's compiler."""
        return self.recipe.split("+")[-1] == "edgetpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightTensor:
    """One weight tensor of a built variant.

    compressed: stored in another dtype than the source's, or with zeros or clusters the source did not have.
    zeros and distinct count elements; distinct is over the whole tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: Bytes
    elements: int
    zeros: int
    distinct: int
    compressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Distance of a variant's outputs from the source's, run on the host.

    snr_db is None where the outputs are identical (max_abs_error 0) or not comparable. max_abs_error is None where
    outputs are NaN or infinite; reference then says in how many samples.
    top1_agreement is None where no output has classes. worst_output names the output with the lowest SNR.
    meaningful is False for random weights. reference says what ran the two and on what inputs.
    """

    snr_db: Decibels | None
    top1_agreement: float | None
    max_abs_error: float | None
    worst_output: str
    samples: int
    reference: str
    meaningful: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A task metric over n labelled samples, in [0, 1] for `top1`."""

    metric: str
    value: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledOperators:
    """Operators of one type that edgetpu_compiler says the same of; status None: they are on the Edge TPU."""

    type: str
    count: int
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """Tensors that cross between the processor and an accelerator in one inference, by the file's own graph."""

    to_count: int
    to_bytes: Bytes
    from_count: int
    from_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTpuCompilation:
    """What edgetpu_compiler says of a model, or of one segment of it. None: it does not say.

    on_tpu and on_cpu count the source's operators, subgraphs the programs that the first have become. on_chip_bytes of
    parameters are kept on the Edge TPU, off_chip_bytes are sent to it in every inference. operators may be incomplete
    where the log leaves out those that were taken. transfers are read from the compiled file.
    """

    compiler: str | None = None
    on_tpu: int | None = None
    on_cpu: int | None = None
    subgraphs: int | None = None
    on_chip_bytes: Bytes | None = None
    on_chip_remaining_bytes: Bytes | None = None
    off_chip_bytes: Bytes | None = None
    operators: tuple[CompiledOperators, ...] = ()
    transfers: Transfers | None = None

    @property
    def on_cpu_because(self) -> tuple[CompiledOperators, ...]:
        return tuple(each for each in self.operators if each.status is not None)

    @property
    def inside(self) -> tuple[CompiledOperators, ...]:
        """What the programs are made of."""
        return tuple(each for each in self.operators if each.status is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The built artefact of a model and a recipe; path is a content-addressed file.

    weights_compressed of weights_total tensors were changed by the recipe.
    calibration says what activations were calibrated on, None where the recipe needs none.
    notes are sentences the user must see ("calibrated on random inputs", a chain that lost sparsity).
    target is what a Core ML program was built for, None for other formats. path of an `.mlpackage` is a folder, digest
    and sizes are of all its files. compiled is what is known of a file for the Edge TPU, None for any other.
    """

    model: str
    name: str
    recipe: str
    format: str
    digest: str
    path: Path
    size_bytes: Bytes
    zip_bytes: Bytes
    weights_compressed: int
    weights_total: int
    parameters: int
    tensors: tuple[WeightTensor, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    build_s: Seconds
    calibration: str | None = None
    fidelity: Fidelity | None = None
    accuracy: Accuracy | None = None
    notes: tuple[str, ...] = ()
    target: Target | None = None
    compiled: EdgeTpuCompilation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailed:
    """A variant that could not be built, with the error's own words. refused: it cannot work, by plan."""

    model: str
    name: str
    recipe: str
    error: str
    refused: bool = False


BuildOutcome = Variant | BuildFailed
