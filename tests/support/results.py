"""Typed factories for results: a test names what matters to it and gets a realistic rest.

Everything is a function of its arguments: the same call gives the same numbers. The times are invented, for tests of
what comes after measuring.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.core.campaign import Campaign, CampaignResult, CellResult, ModelFailed
from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts, Exclusion
from harness.core.judgement import ColdStart, Comparison, Grade, GradeLetter, LoadSummary, StartFigures, Verdict
from harness.core.launch import Api, Delegation, FailureKind, OpTable
from harness.core.model import Model
from harness.core.outcome import Failed, Invalid, Measured, Outcome, Skipped
from harness.core.target import Target
from harness.core.variant import BuildFailed, OpSetting, Variant
from harness.statistics.summaries import summarise_latency, summarise_launch
from tests.support.measurements import (
    EPOCH,
    MS,
    a_cell,
    a_launch,
    a_measurement,
    some_conditions,
    some_memory,
    some_ops,
)
from tests.support.variants import TRAITS, a_model, a_variant

__all__ = [
    "EPOCH",
    "LINUX",
    "MS",
    "NO_DEVICE",
    "TRAITS",
    "a_bare_result",
    "a_campaign",
    "a_campaign_result",
    "a_cell",
    "a_cell_result",
    "a_comparison",
    "a_device",
    "a_huge_campaign_result",
    "a_launch",
    "a_measurement",
    "a_model",
    "a_rich_campaign_result",
    "a_told_cell_result",
    "a_variant",
    "some_cells",
    "some_conditions",
    "some_memory",
    "some_ops",
    "some_unmeasured_cells",
]


NO_DEVICE = "no Apple device attached: local runs .tflite"
LINUX = "reference (Linux): onnxruntime 1.31.1, 360 samples"


def a_comparison(ratio: float = 0.41, *, half: float = 0.008, verdict: Verdict | None = None) -> Comparison:
    """A comparison with the interval ratio +-half (relative); the verdict follows where none is given."""
    if verdict is None:
        small = abs(ratio - 1) < 0.02
        verdict = Verdict.SAME if small else Verdict.FASTER if ratio < 1 else Verdict.SLOWER
    return Comparison(
        ratio=ratio,
        ci95=(ratio * (1 - half), ratio * (1 + half)),
        ci99=(ratio * (1 - 1.4 * half), ratio * (1 + 1.4 * half)),
        detectable=0.014,
        pairs=10,
        verdict=verdict,
    )


def a_device(name: str = "local", *, simulated: bool = False, family: str = "linux") -> DeviceFacts:
    return DeviceFacts(
        name=name,
        family="simulated" if simulated else family,
        simulated=simulated,
        os="Debian GNU/Linux 12, kernel 6.1",
        arch="x86_64",
        processor="Example Processor 9",
        cores=2,
        memory_bytes=8_000_000_000,
        runtimes={"ai-edge-litert": "2.3.0"},
        units=(ComputeUnit(kind="cpu"), ComputeUnit(kind="cpu", threads=2)),
        exclusions=(Exclusion(what="gpu", reason="LiteRT found no GPU accelerator on this machine"),),
    )


def a_cell_result(
    variant: str = "int8",
    *,
    model: str = "digits",
    recipe: str | None = None,
    device: str = "local",
    unit: str = "cpu",
    base_ns: float = MS,
    ratio: float | None = None,
    launches: int = 10,
    inferences: int = 50,
    ops: OpTable | None = None,
    op_count: int = 8,
    grade: str = "A",
    grade_reasons: tuple[str, ...] = (),
    comparison: Comparison | None = None,
    built: Variant | None = None,
    outcome: Outcome | None = None,
    seed: int = 0,
) -> CellResult:
    """A cell with a whole measurement, or with the outcome given. The source has no comparison."""
    cell = a_cell(variant, model=model, recipe=recipe, device=device, unit=unit)
    usual = TRAITS.get(cell.recipe, (1.0, 1.0, None, 0.97))
    ratio = ratio if ratio is not None else usual[0]
    table = ops or some_ops(op_count, total_ns=0.95 * base_ns * ratio, placed_on=_placed_on(cell.unit), seed=seed)
    measurement = a_measurement(
        median_ns=base_ns * ratio, launches=launches, inferences=inferences, ops=table, unit=cell.unit, seed=seed
    )
    outcome = outcome or Measured(measurement=measurement)
    if isinstance(outcome, Skipped | Failed):
        return a_bare_result(cell, outcome, built)
    timed = outcome.measurement.launches
    return CellResult(
        cell=cell,
        outcome=outcome,
        variant=built or a_variant(variant, model=model, recipe=recipe),
        latency=summarise_latency([launch.record.samples_ns for launch in timed]),
        load=LoadSummary(compile=5 * MS, cold=9 * MS, warm=7 * MS, first=2.4 * base_ns),
        grade=Grade(letter=GradeLetter(grade), reasons=grade_reasons),
        comparison=None if cell.is_source else comparison or a_comparison(ratio),
        size_ratio=usual[1],
        launches=tuple(map(summarise_launch, timed)),
    )


def a_told_cell_result(
    variant: str = "int8",
    *,
    model: str = "digits",
    api: Api | None = Api.INTERPRETER,
    delegation: Delegation | None = None,
    text: str = "Variable tensors not yet supported",
) -> CellResult:
    """A cell of which all is known that most cells lack; text stands wherever somebody else's words may."""
    made = a_cell_result(variant, model=model, recipe="int8", built=a_variant(variant, model=model, notes=(text,)))
    assert isinstance(made.outcome, Measured)
    measurement = replace(
        made.outcome.measurement,
        api=api,
        fallback=text,
        delegation=delegation or Delegation(delegate="xnnpack", full=False, taken=48, total=65, partitions=18),
        adapter=text,
    )
    start = StartFigures(environment=2 * MS, compile=14 * MS, first=4 * MS, total=21 * MS, warm=MS, launches=3)
    return replace(
        made,
        cell=replace(made.cell, signature=text, op_settings=(OpSetting(op_type="SOFTMAX"), OpSetting(op=text))),
        outcome=Measured(measurement=measurement),
        cold=ColdStart(off=start, filled=None, used=replace(start, compile=4 * MS, total=10.5 * MS), unavailable=text),
        explanation=(text, "CONV_2D accounts for 91 %."),
    )


def a_bare_result(cell: Cell, outcome: Skipped | Failed, built: Variant | None = None) -> CellResult:
    """A cell without numbers."""
    return CellResult(
        cell=cell, outcome=outcome, variant=built, latency=None, load=None, grade=None, comparison=None, size_ratio=None
    )


def some_unmeasured_cells(
    variants: Sequence[str] = ("float32", "float16", "int8", "sparse-75+int8"),
    *,
    model: str = "program",
    device: str = "local",
    reason: str = NO_DEVICE,
    random_weights: bool = False,
) -> tuple[CellResult, ...]:
    """Core ML programs that were built and computed by the reference, which no device here can run."""
    results = []
    for variant in variants:
        built = a_variant(variant, model=model, random_weights=random_weights)
        assert built.fidelity is not None
        fidelity = replace(built.fidelity, reference=LINUX)
        built = replace(built, format="mlpackage", fidelity=fidelity, target=Target.IOS18)
        bare = a_bare_result(a_cell(variant, model=model, device=device), Skipped(reason=reason), built)
        results.append(replace(bare, size_ratio=built.size_bytes / 250_000))
    return tuple(results)


def _placed_on(unit: ComputeUnit) -> str:
    return f"{unit.kind}/{unit.backend or 'xnnpack'}"


def a_campaign(campaign_id: str = "20251009-first", *, name: str = "first") -> Campaign:
    return Campaign(
        id=campaign_id,
        name=name,
        started_at=EPOCH,
        ended_at=EPOCH + 212,
        config="name: first\nmodels: [digits]\n",
        command="python run_bench.py run examples/first.yaml",
        seed=7,
        version="0.1.0",
    )


def a_campaign_result(
    cells: Sequence[CellResult] | None = None,
    *,
    models: Sequence[Model] | None = None,
    devices: Sequence[DeviceFacts] | None = None,
    models_failed: Sequence[ModelFailed] = (),
    builds_failed: Sequence[BuildFailed] = (),
    exclusions: Sequence[Exclusion] = (),
    campaign: Campaign | None = None,
) -> CampaignResult:
    """A finished campaign; without cells, float32, float16 and int8 of `digits` on two units."""
    if cells is None:
        cells = some_cells(("float32", "float16", "int8"), ("cpu", "cpu/builtin"))
    names = dict.fromkeys(result.cell.model for result in cells)
    return CampaignResult(
        campaign=campaign or a_campaign(),
        environment={"weighbridge": "0.1.0", "python": "3.11.9", "ai-edge-litert": "2.3.0"},
        devices=tuple(devices) if devices is not None else (a_device(),),
        models=tuple(models) if models is not None else tuple(a_model(name) for name in names),
        models_failed=tuple(models_failed),
        builds_failed=tuple(builds_failed),
        exclusions=tuple(exclusions),
        cells=tuple(cells),
    )


def some_cells(
    variants: Sequence[str],
    units: Sequence[str],
    *,
    model: str = "digits",
    base_ns: float = MS,
    op_count: int = 8,
    launches: int = 10,
    random_weights: bool = False,
    source_bytes: int = 250_000,
) -> tuple[CellResult, ...]:
    """Every variant on every unit; builtin kernels take 2.5 times as long, more threads less."""
    results = []
    for u, unit in enumerate(units):
        slow = 2.5 if "builtin" in unit else 0.6 if ":" in unit else 1.0
        for v, variant in enumerate(variants):
            built = a_variant(variant, model=model, random_weights=random_weights, source_bytes=source_bytes)
            results.append(
                a_cell_result(
                    variant,
                    model=model,
                    unit=unit,
                    base_ns=base_ns * slow,
                    op_count=op_count,
                    launches=launches,
                    built=built,
                    seed=100 * u + v,
                )
            )
    return tuple(results)


def a_rich_campaign_result() -> CampaignResult:
    """Two models, three units, every kind of outcome, grade and note: what a view has to cope with on a normal day."""
    digits = list(some_cells(tuple(TRAITS), ("cpu", "cpu:2", "cpu/builtin"), op_count=12))
    mobile = list(
        some_cells(
            ("float32", "float16", "dynamic-int8", "int8", "sparse-50", "palette-4"),
            ("cpu", "cpu:2", "cpu/builtin"),
            model="mobilenet_v2",
            base_ns=14 * MS,
            op_count=66,
            random_weights=True,
            source_bytes=14_000_000,
        )
    )
    digits[1] = replace(digits[1], comparison=a_comparison(0.99, half=0.04, verdict=Verdict.INCONCLUSIVE))
    digits[5] = _graded(digits[5], "D", "launch CV 14 %, limit 10 %", "preemption 12 %, limit 10 %")
    digits[2] = _graded(digits[2], "B", "canary moved 3.1 %, limit 2 %")
    assert isinstance(mobile[9].outcome, Measured)
    mobile[9] = replace(
        mobile[9],
        outcome=Invalid(
            measurement=mobile[9].outcome.measurement, reasons=("ran on cpu/builtin, cpu:2 was asked for",)
        ),
    )
    mobile[14] = a_bare_result(
        mobile[14].cell,
        Failed(
            error="the process died by signal 11",
            kind=FailureKind.CRASH,
            exit_code=139,
            stderr_tail="INFO: Created TensorFlow Lite XNNPACK delegate\nSegmentation fault",
        ),
        mobile[14].variant,
    )
    return a_campaign_result(
        (*digits, *mobile),
        models=(a_model(), a_model("mobilenet_v2", size_bytes=14_000_000, random_weights=True)),
        models_failed=(ModelFailed(name="torn", path="models/torn.tflite", error="models/torn.tflite: truncated"),),
        builds_failed=(
            BuildFailed(model="mobilenet_v2", name="palette-9", recipe="palette-9", error="palette-9: 1 to 8 bits"),
        ),
        exclusions=(Exclusion(what="mobilenet_v2 int16x8", reason="left to digits: reference kernels only"),),
    )


def _graded(result: CellResult, letter: str, *reasons: str) -> CellResult:
    return replace(result, grade=Grade(letter=GradeLetter(letter), reasons=reasons))


def a_huge_campaign_result(*, cells: int = 200, ops: int = 150, launches: int = 10) -> CampaignResult:
    """cells x ops, no two operator tables with the same times: for measuring the views."""
    variants = tuple(TRAITS)[:10]
    models = [f"model-{i}" for i in range(math.ceil(cells / 20))]
    results = [
        result
        for number, model in enumerate(models)
        for result in some_cells(
            variants, ("cpu", "cpu/builtin"), model=model, op_count=ops, launches=launches, base_ns=MS * (number + 1)
        )
    ]
    return a_campaign_result(results[:cells])
