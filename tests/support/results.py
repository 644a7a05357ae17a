"""Typed factories for results: a test names what matters to it and gets a realistic rest.

Everything is a function of its arguments: the same call gives the same numbers. The times are invented, for tests of
what comes after measuring.
"""

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.core import digest
from harness.core.campaign import Campaign, CampaignResult, CellResult, ModelFailed
from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary, Conditions, DeviceFacts, Exclusion
from harness.core.judgement import Comparison, Grade, GradeLetter, LatencySummary, LoadSummary, Verdict
from harness.core.launch import (
    FailureKind,
    LaunchRecord,
    LoadTimes,
    MeasureSettings,
    MemoryReading,
    OpRecord,
    OpTable,
    Pass,
)
from harness.core.model import Model, TensorSpec
from harness.core.outcome import BlockLaunch, Failed, Invalid, Measured, Measurement, Outcome, Skipped
from harness.core.variant import Accuracy, BuildFailed, Fidelity, Variant, WeightTensor

EPOCH = 1_760_000_000.0
MS = 1_000_000.0

# recipe: latency and size over the source's, SNR in dB, accuracy: what compression of a small CNN typically gives
TRAITS: Mapping[str, tuple[float, float, float | None, float]] = {
    "float32": (1.0, 1.0, None, 0.975),
    "float16": (1.003, 0.51, 62.0, 0.975),
    "dynamic-int8": (0.62, 0.28, 34.0, 0.973),
    "weight-int8": (1.04, 0.27, 41.0, 0.975),
    "int8": (0.41, 0.28, 27.0, 0.969),
    "int8-float-io": (0.42, 0.29, 27.0, 0.969),
    "uint8": (0.415, 0.28, 26.0, 0.967),
    "int16x8": (3.2, 0.30, 48.0, 0.975),
    "sparse-50": (0.998, 1.0, 14.0, 0.961),
    "palette-4": (1.001, 1.0, 19.0, 0.964),
    "sparse-50+palette-4": (1.002, 1.0, 12.0, 0.953),
    "sparse-75+int8": (0.412, 0.28, 4.0, 0.41),
}
OP_TYPES = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "CONV_2D", "RELU6", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")


def a_cell(
    variant: str = "int8",
    *,
    model: str = "digits",
    recipe: str | None = None,
    device: str = "local",
    family: str = "linux",
    unit: str = "cpu",
    source: str = "float32",
    settings: MeasureSettings | None = None,
) -> Cell:
    """A cell; it is the source where variant is `source`."""
    return Cell(
        model=model,
        model_digest=digest.of_content({"model": model}),
        format="tflite",
        variant=variant,
        recipe=recipe if recipe is not None else variant,
        device=device,
        family=family,
        unit=ComputeUnit.parse(unit),
        settings=settings or MeasureSettings(),
        is_source=variant == source,
    )


def some_conditions(at: float = EPOCH, *, load: float | None = 0.4, throttled: bool | None = None) -> Conditions:
    return Conditions(
        taken_at=at,
        temperatures={"x86_pkg_temp": 51.0},
        clocks_mhz={"cpu0": 2900.0, "cpu1": 2900.0},
        governor="performance",
        load=load,
        memory_available_bytes=6_000_000_000,
        throttled=throttled,
    )


def some_ops(count: int = 8, *, total_ns: float = 0.4 * MS, placed_on: str = "cpu/xnnpack", seed: int = 0) -> OpTable:
    """count operators in file order that share total_ns; every seventh was folded into its neighbour."""
    rng = random.Random(seed)
    weights = [0.0 if i % 7 == 4 else rng.lognormvariate(0, 1) for i in range(count)]
    scale = 1 / (math.fsum(weights) or 1.0)
    return OpTable(
        ops=tuple(_an_op(i, weight * scale, total_ns, placed_on) for i, weight in enumerate(weights)),
        coverage=0.96,
        mapping_cost=0.0,
        approximate=False,
        partitions=1,
        runs=50,
    )


def _an_op(index: int, share: float, total_ns: float, placed_on: str) -> OpRecord:
    kind = OP_TYPES[index % len(OP_TYPES)]
    folded = share == 0.0
    return OpRecord(
        index=index,
        name=f"model/block_{index // 4}/{kind.lower()}_{index}",
        type=kind,
        shape=(1, 14, 14, 8 * (1 + index % 4)),
        kernels=() if folded else (f"{kind.title()} (NHWC, F32) IGEMM",),
        placed_on=None if folded else placed_on,
        latency_ns=None if folded else share * total_ns,
        label="measured",
        share=None if folded else share,
        macs=None if folded else 10_000 * (index + 1),
        bytes=4_096 * (index + 1),
    )


def a_launch(
    *,
    attempt: str = "attempt-0",
    median_ns: float = MS,
    inferences: int = 50,
    started_at: float = EPOCH,
    unit: ComputeUnit | None = None,
    noise: float = 0.01,
    preemption: float = 1.005,
    seed: int = 0,
) -> LaunchRecord:
    """A latency launch whose samples scatter around median_ns by `noise`; preemption is wall over CPU time."""
    rng = random.Random(seed)
    samples = tuple(round(median_ns * rng.lognormvariate(0, noise)) for _ in range(inferences))
    return LaunchRecord(
        attempt=attempt,
        pass_=Pass.LATENCY,
        started_at=started_at,
        wall_s=0.9 + sum(samples) / 1e9,
        runtime="ai-edge-litert 2.3.0",
        backend="xnnpack",
        observed=unit or ComputeUnit(kind="cpu"),
        load=LoadTimes(environment_ns=2 * MS, compile_ns=5 * MS, first_ns=2.4 * median_ns),
        samples_ns=samples,
        cpu_ns=tuple(round(sample / preemption) for sample in samples),
        starts_ns=tuple(range(0, inferences * round(1.02 * median_ns), round(1.02 * median_ns)))[:inferences],
        warmup_ns=samples[:3],
        before=some_conditions(started_at),
        after=some_conditions(started_at + 1, load=0.6),
    )


def a_measurement(
    *,
    median_ns: float = MS,
    launches: int = 10,
    inferences: int = 50,
    spread: float = 0.008,
    ops: OpTable | None = None,
    unit: ComputeUnit | None = None,
    observed: ComputeUnit | None = None,
    memory_bytes: int = 9_000_000,
    seed: int = 0,
) -> Measurement:
    """launches whose medians scatter around median_ns by `spread`, one a block."""
    rng = random.Random(seed)
    ran_on = observed or unit or ComputeUnit(kind="cpu")
    canary = Canary(median_ns=2 * MS, samples_ns=(2 * MS, 2.01 * MS, 1.99 * MS))
    blocks = tuple(
        BlockLaunch(
            block=block,
            position=seed % 3,
            record=a_launch(
                attempt=f"attempt-{seed}-{block}",
                median_ns=median_ns * rng.lognormvariate(0, spread),
                inferences=inferences,
                started_at=EPOCH + 20 * block + 1.5 * (seed % 8),
                unit=ran_on,
                seed=1000 * seed + block,
            ),
            canary_before=canary,
            canary_after=replace(canary, median_ns=2.01 * MS),
        )
        for block in range(launches)
    )
    return Measurement(
        launches=blocks,
        ops=ops,
        ops_unavailable=None if ops else "this LiteRT is not known to the profiler",
        memory=some_memory(memory_bytes),
        observed=ran_on,
        backend=ran_on.backend or "xnnpack",
        runtime="ai-edge-litert 2.3.0",
    )


def some_memory(total: int = 9_000_000) -> MemoryReading:
    return MemoryReading(
        after_load=round(0.7 * total),
        after_run=total,
        peak=round(1.2 * total),
        anonymous=round(0.6 * total),
        file_backed=round(0.4 * total),
        method="/proc/self/smaps_rollup and VmHWM after clear_refs",
    )


def a_latency_summary(measurement: Measurement) -> LatencySummary:
    """What the statistics would make of the launches, near enough for a view."""
    medians = [statistics.median(launch.record.samples_ns) for launch in measurement.launches]
    pooled = sorted(sample for launch in measurement.launches for sample in launch.record.samples_ns)
    centre = statistics.median(medians)
    spread = statistics.stdev(medians) if len(medians) > 1 else None
    half = 2.26 * spread / math.sqrt(len(medians)) if spread is not None and len(medians) > 5 else None
    return LatencySummary(
        median=centre,
        p10=pooled[len(pooled) // 10],
        p90=pooled[9 * len(pooled) // 10],
        p99=pooled[99 * len(pooled) // 100],
        min=pooled[0],
        ci95=None if half is None else (centre - half, centre + half),
        launches=len(medians),
        samples=len(pooled),
        cv=None if spread is None else spread / centre,
    )


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


def a_variant(
    name: str = "int8",
    *,
    model: str = "digits",
    recipe: str | None = None,
    source_bytes: int = 250_000,
    random_weights: bool = False,
    accuracy: float | None = None,
    snr_db: float | None = None,
    notes: tuple[str, ...] = (),
) -> Variant:
    """A built variant with the traits its recipe usually has. accuracy and snr_db override them."""
    recipe = recipe if recipe is not None else name
    _, size, usual_snr, usual_accuracy = TRAITS.get(recipe, (1.0, 1.0, 30.0, 0.97))
    snr = snr_db if snr_db is not None else usual_snr
    changed = recipe != "float32"
    return Variant(
        model=model,
        name=name,
        recipe=recipe,
        format="tflite",
        digest=digest.of_content({"variant": name, "model": model}),
        path=Path(f"/cache/{model}/{digest.of_content({'name': name})[:12]}.tflite"),
        size_bytes=round(size * source_bytes),
        zip_bytes=round(0.93 * size * source_bytes * (0.5 if "sparse" in recipe or "palette" in recipe else 1)),
        weights_compressed=4 if changed else 0,
        weights_total=4,
        parameters=source_bytes // 4,
        tensors=tuple(_a_weight(i, recipe) for i in range(4)),
        inputs=(TensorSpec(name="image", shape=(1, 8, 8, 1), dtype="float32"),),
        outputs=(TensorSpec(name="probabilities", shape=(1, 10), dtype="float32"),),
        build_s=0.8,
        calibration="100 samples of the model's own data" if "int8" in recipe or recipe == "uint8" else None,
        fidelity=Fidelity(
            snr_db=snr,
            top1_agreement=None if random_weights else accuracy if accuracy is not None else usual_accuracy,
            max_abs_error=0.0 if snr is None else 0.013,
            worst_output="probabilities",
            samples=360,
            reference="LiteRT on the host, 360 samples",
            meaningful=not random_weights,
        ),
        accuracy=None
        if random_weights
        else Accuracy(metric="top1", value=accuracy if accuracy is not None else usual_accuracy, n=360),
        notes=notes,
    )


def _a_weight(index: int, recipe: str) -> WeightTensor:
    elements = 1152 * (index + 1)
    sparse = next((int(step[7:]) for step in recipe.split("+") if step.startswith("sparse-")), 0)
    palette = next((int(step[8:]) for step in recipe.split("+") if step.startswith("palette-")), None)
    narrow = recipe.endswith("int8")
    return WeightTensor(
        name=f"model/conv_{index}/kernel",
        shape=(3, 3, 8, 16 * (index + 1)),
        dtype="int8" if narrow else "float32",
        size_bytes=elements * (1 if narrow else 4),
        elements=elements,
        zeros=elements * sparse // 100,
        distinct=2**palette if palette else 255 if narrow else elements,
        compressed=recipe != "float32",
    )


def a_model(name: str = "digits", *, size_bytes: int = 250_000, random_weights: bool = False) -> Model:
    return Model(
        name=name,
        format="tflite",
        path=Path(f"/models/{name}.tflite"),
        digest=digest.of_content({"model": name}),
        size_bytes=size_bytes,
        inputs=(TensorSpec(name="image", shape=(1, 8, 8, 1), dtype="float32"),),
        outputs=(TensorSpec(name="probabilities", shape=(1, 10), dtype="float32"),),
        precision="float32",
        parameters=size_bytes // 4,
        metric=None if random_weights else "top1",
        random_weights=random_weights,
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
    latency = a_latency_summary(outcome.measurement)
    return CellResult(
        cell=cell,
        outcome=outcome,
        variant=built or a_variant(variant, model=model, recipe=recipe),
        latency=latency,
        load=LoadSummary(compile=5 * MS, cold=9 * MS, warm=7 * MS, first=2.4 * base_ns),
        grade=Grade(letter=GradeLetter(grade), reasons=grade_reasons),
        comparison=None if cell.is_source else comparison or a_comparison(ratio),
        size_ratio=usual[1],
    )


def a_bare_result(cell: Cell, outcome: Skipped | Failed, built: Variant | None = None) -> CellResult:
    """A cell without numbers."""
    return CellResult(
        cell=cell, outcome=outcome, variant=built, latency=None, load=None, grade=None, comparison=None, size_ratio=None
    )


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
