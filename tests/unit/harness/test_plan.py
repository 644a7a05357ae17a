"""What a plan holds, what it refuses, and the order of launches."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster
from harness.core.errors import ConfigError
from harness.core.launch import MeasureSettings, Pass
from harness.core.target import Target
from harness.core.variant import OpSetting, VariantSpec
from harness.plan import Plan, Wishes, estimate, make_plan, schedule, select, weight_cache, why_missing, with_source
from tests.support.plans import BUILTIN, CPU, GPU, a_model, some_facts, some_rules, some_wishes


def a_plan(*recipes: str, **wishes: object) -> Plan:
    return make_plan(some_wishes(*recipes, **wishes), [a_model()], [some_facts()], some_rules())  # type: ignore[arg-type]


def test_plan_crosses_variants_and_units() -> None:
    plan = a_plan("float32", "int8")
    assert [(cell.variant, str(cell.unit)) for cell in plan.cells] == [
        ("float32", "cpu"),
        ("int8", "cpu"),
        ("float32", "cpu/builtin"),
        ("int8", "cpu/builtin"),
    ]


def test_source_is_in_the_matrix_though_nobody_asked() -> None:
    assert [spec.name for spec in a_plan("int8").specs] == ["float32", "int8"]


def test_source_of_an_integer_model_is_its_own_precision() -> None:
    assert [spec.recipe for spec in with_source(a_model(precision="int8"), ())] == ["int8"]


def test_exactly_the_source_cells_are_marked() -> None:
    assert {cell.variant for cell in a_plan("int8").cells if cell.is_source} == {"float32"}


def test_prebuilt_file_is_no_source_whatever_its_name() -> None:
    model = a_model()
    given = VariantSpec(model="m", name="float32-ours", recipe="prebuilt", prebuilt=model.path)
    assert with_source(model, [given])[1] == given


def test_variant_under_the_name_of_the_model_itself_is_refused() -> None:
    given = VariantSpec(model="m", name="float32", recipe="sparse-50")
    with pytest.raises(ConfigError, match="called float32"):
        with_source(a_model(), [given])


def test_source_goes_by_its_precision_whatever_it_is_called() -> None:
    given = VariantSpec(model="m", name="base", recipe="float32")
    assert [spec.name for spec in with_source(a_model(), [given])] == ["float32"]


def test_refused_recipe_is_skipped_with_its_reason_and_not_built() -> None:
    wishes = some_wishes("int8", "float16")
    plan = make_plan(
        wishes, [a_model()], [some_facts()], some_rules(lambda spec, _: "why not" if spec.recipe == "int8" else None)
    )
    assert {plan.skipped[cell.id] for cell in plan.cells if cell.variant == "int8"} == {"why not"}
    assert "int8" not in [spec.name for spec in plan.specs]


def test_missing_unit_is_skipped_with_the_device_own_reason() -> None:
    plan = a_plan("int8", units=(GPU,))
    assert set(plan.skipped.values()) == {"no render node"}


def test_what_the_device_lacks_is_an_exclusion() -> None:
    assert [(e.what, e.reason) for e in a_plan("int8").exclusions] == [("local: gpu", "no render node")]


@pytest.mark.parametrize("unit", ["cpu", "cpu:2", "cpu/xnnpack", "cpu/xnnpack:2", "cpu/builtin", "cpu/builtin:2"])
def test_any_thread_count_up_to_the_cores_can_run(unit: str) -> None:
    assert why_missing(ComputeUnit.parse(unit), some_facts()) is None


def test_more_threads_than_cores_can_run() -> None:
    assert why_missing(ComputeUnit.parse("cpu:64"), some_facts()) is None


def test_a_unit_that_has_to_be_named_is_measured_where_it_is_named_alone() -> None:
    software = ComputeUnit.parse("gpu/software")
    device = dataclasses.replace(some_facts(), units=(CPU, software))

    def units(wished: tuple[ComputeUnit, ...] | None) -> set[str]:
        plan = make_plan(some_wishes("float32", units=wished), [a_model()], [device], some_rules())
        return {str(cell.unit) for cell in plan.runnable()}

    assert units(None) == {"cpu"}
    assert units((CPU, software)) == {"cpu", "gpu/software"}


@pytest.mark.parametrize(
    ("asked", "offered", "runs"),
    [
        ("gpu/webgpu", "gpu", True),
        ("npu/dispatch", "npu", True),
        ("cpu/xnnpack:3", "cpu", True),
        ("gpu/software", "gpu", False),
        ("gpu", "gpu/software", False),
        ("cpu/builtin", "cpu", False),
    ],
)
def test_a_unit_s_default_may_be_named(asked: str, offered: str, *, runs: bool) -> None:
    device = dataclasses.replace(some_facts(), units=(ComputeUnit.parse(offered),))
    assert (why_missing(ComputeUnit.parse(asked), device) is None) is runs


def test_recipe_that_the_runtime_lacks_is_skipped_on_that_device_and_built_for_the_others() -> None:
    rules = dataclasses.replace(
        some_rules(), lacking=lambda _, __, device: "no kernel" if device.name == "old" else None
    )
    plan = make_plan(some_wishes("int8"), [a_model()], [some_facts(), some_facts("old")], rules)
    assert {cell.device for cell in plan.cells if plan.skipped.get(cell.id) == "no kernel"} == {"old"}
    assert "int8" in [spec.name for spec in plan.specs]


def test_warning_is_given_once_for_all_units() -> None:
    rules = dataclasses.replace(some_rules(), warning=lambda spec, *_: "slow" if spec.recipe == "int8" else None)
    plan = make_plan(some_wishes("int8", launches=8), [a_model()], [some_facts()], rules)
    assert [(warning.what, warning.reason) for warning in plan.surprises] == [("m int8", "slow")]


def test_too_few_launches_for_a_verdict_are_told_before_they_are_made() -> None:
    plan = make_plan(some_wishes("int8", launches=7), [a_model()], [some_facts()], some_rules())
    assert [warning.what for warning in plan.surprises] == ["measure.launches is 7"]


def test_more_threads_than_cores_are_told() -> None:
    wishes = some_wishes("int8", units=(ComputeUnit.parse("cpu:64"),), launches=8)
    surprises = make_plan(wishes, [a_model()], [some_facts()], some_rules()).surprises
    assert {warning.reason for warning in surprises} == {
        "cpu:64 on local, which has 2 cores: threads wait for one another"
    }


def test_more_threads_than_a_kind_has_cores_are_told() -> None:
    unit = ComputeUnit.parse("cpu@big:4")
    big = Cluster(name="big", cores=(4, 5))
    device = dataclasses.replace(some_facts(), cores=8, units=(CPU, unit), clusters=(big,))
    wishes = some_wishes("int8", units=(unit,), launches=8)
    surprises = make_plan(wishes, [a_model()], [device], some_rules()).surprises
    assert {warning.reason for warning in surprises} == {
        "cpu@big:4 on local, which has 2 big cores: threads wait for one another"
    }


def test_only_keeps_the_warnings_of_the_units_that_it_keeps() -> None:
    rules = dataclasses.replace(some_rules(), warning=lambda _, __, unit: "slow" if unit == CPU else None)
    plan = make_plan(some_wishes("int8", launches=8), [a_model()], [some_facts()], rules)
    assert select(plan, "*/cpu/builtin").surprises == ()
    assert [warning.what for warning in select(plan, "*/int8/*/cpu").surprises] == ["m float32", "m int8"]


def test_op_settings_make_another_cell() -> None:
    def cell(*settings: OpSetting) -> Cell:
        spec = VariantSpec(model="m", name="x", recipe="int8", settings=settings)
        wishes = Wishes(specs={"m": (spec,)}, units=(CPU,), settings=MeasureSettings())
        return make_plan(wishes, [a_model()], [some_facts()], some_rules()).cells[-1]

    assert cell().id == cell().id
    assert cell(OpSetting(op="logits")).id != cell().id


def test_another_signature_than_the_first_makes_another_cell() -> None:
    def cell(signature: str) -> Cell:
        model = dataclasses.replace(a_model(), signatures=("encode", "decode"), signature=signature)
        return make_plan(some_wishes(), [model], [some_facts()], some_rules()).cells[0]

    assert (cell("encode").signature, cell("decode").signature) == (None, "decode")
    assert cell("encode").id != cell("decode").id


def test_unit_that_nobody_mentions_is_refused_with_what_there_is() -> None:
    assert why_missing(ComputeUnit.parse("npu"), some_facts()) == "local has no unit npu; it offers cpu, cpu/builtin"


def test_cell_id_follows_from_content_alone() -> None:
    first, again = a_plan("int8").cells[0], a_plan("int8").cells[0]
    assert first.id == again.id
    assert dataclasses.replace(first, unit=BUILTIN).id != first.id


def test_only_keeps_matching_cells_and_their_sources() -> None:
    kept = select(a_plan("float32", "float16", "int8"), "*/int8/*/cpu")
    assert [(cell.variant, str(cell.unit)) for cell in kept.cells] == [("float32", "cpu"), ("int8", "cpu")]
    assert [spec.name for spec in kept.specs] == ["float32", "int8"]


def test_only_takes_a_plain_part_of_the_name() -> None:
    assert {str(cell.unit) for cell in select(a_plan("int8"), "builtin").cells} == {"cpu/builtin"}


def test_each_cell_gets_its_launches_then_one_of_each_other_pass() -> None:
    cells = a_plan("int8", "float16", launches=4).cells
    launches = Counter((cell.id, block.pass_) for block in schedule(cells, 0) for cell in block.cells)
    expected = {Pass.LATENCY: 4, Pass.OPS: 1, Pass.MEMORY: 1}
    assert launches == {(cell.id, pass_): count for cell in cells for pass_, count in expected.items()}


def test_cold_starts_fill_the_weight_cache_then_alternate_with_and_without() -> None:
    cells = a_plan("int8", units=(CPU,), cold_starts=2).cells
    block = next(block for block in schedule(cells, 0) if block.pass_ is Pass.COLD)
    assert len(set(block.cells)) == 1
    assert [weight_cache(block, place).value for place in range(5)] == ["fill", "off", "use", "use", "off"]


def test_cold_starts_of_kernels_that_pack_no_weights_know_no_cache() -> None:
    cells = a_plan("int8", units=(BUILTIN,), cold_starts=2).cells
    block = next(block for block in schedule(cells, 0) if block.pass_ is Pass.COLD)
    assert [weight_cache(block, place).value for place in range(len(block.cells))] == ["off", "off"]


def test_every_second_block_mirrors_the_one_before() -> None:
    blocks = [b for b in schedule(a_plan("int8", "float16").cells, 3) if b.pass_ is Pass.LATENCY]
    for first, second in zip(blocks[::2], blocks[1::2], strict=True):
        assert second.cells == tuple(reversed(first.cells))


def test_cells_of_one_block_share_model_and_unit() -> None:
    for block in schedule(a_plan("int8", "float16").cells, 0):
        assert len({(cell.model, str(cell.unit)) for cell in block.cells}) == 1


@given(some.integers(0, 1000))
def test_order_follows_from_the_seed(seed: int) -> None:
    cells = a_plan("int8", "float16", "dynamic-int8").cells
    assert schedule(cells, seed) == schedule(cells, seed)


def test_other_seed_other_order() -> None:
    cells = a_plan("int8", "float16", "dynamic-int8", launches=20).cells
    assert schedule(cells, 1) != schedule(cells, 2)


def test_an_edge_tpu_is_interleaved_with_the_processor_that_it_is_compared_with() -> None:
    unit = ComputeUnit(kind="edgetpu")
    on_cpu = a_plan("int8", units=(CPU,)).cells
    cells = (*on_cpu, *(dataclasses.replace(cell, unit=unit) for cell in on_cpu))
    for block in schedule(cells, 0):
        if block.pass_ is Pass.LATENCY:
            assert {str(cell.unit) for cell in block.cells} == {"cpu", "edgetpu"}


def test_blocks_have_keys_of_their_own() -> None:
    blocks = schedule(a_plan("int8", "float16").cells, 0)
    assert len({block.key for block in blocks}) == len(blocks)


def test_cold_starts_are_in_the_estimate() -> None:
    with_cold, without = (a_plan("int8", cold_starts=count).cells for count in (3, 0))
    assert estimate(with_cold, {}) > estimate(without, {})


def test_heavier_model_is_expected_to_take_longer() -> None:
    cells = a_plan("int8").cells
    assert estimate(cells, {"m": 300_000_000}) > estimate(cells, {"m": 1000}) > 0


def test_estimate_counts_cpu_and_unknown_models_too() -> None:
    assert estimate([a_plan("int8", units=(CPU,)).cells[0]], {"m": None}) > 0


def test_what_a_device_cannot_run_at_all_is_one_skipped_cell_a_variant() -> None:
    rules = dataclasses.replace(some_rules(), unable=lambda *_: "no Apple device attached")
    plan = make_plan(some_wishes("float32", "palette-4"), [a_model()], [some_facts()], rules)
    assert [(cell.variant, str(cell.unit)) for cell in plan.cells] == [("float32", "cpu"), ("palette-4", "cpu")]
    assert set(plan.skipped.values()) == {"no Apple device attached"}
    assert [spec.name for spec in plan.specs] == ["float32", "palette-4"]


def test_targets_are_cells_of_their_own() -> None:
    specs = tuple(
        VariantSpec(model="m", name=f"int8-{target}", recipe="int8", target=target) for target in (None, *Target)
    )
    wishes = dataclasses.replace(some_wishes(), specs={"m": specs})
    plan = make_plan(wishes, [a_model()], [some_facts()], some_rules())
    assert len({cell.id for cell in plan.cells}) == 2 * (len(specs) + 1)
    assert {cell.target for cell in plan.cells} == {None, *Target}


def test_the_source_for_another_target_is_a_variant_of_its_own() -> None:
    model = dataclasses.replace(a_model(), format="mlpackage", target=Target.IOS15)
    specs = tuple(
        VariantSpec(model="m", name=f"float32-{target}", recipe="float32", target=target)
        for target in (Target.IOS15, Target.IOS17)
    )
    assert [spec.name for spec in with_source(model, specs)] == ["float32", "float32-iOS17"]
