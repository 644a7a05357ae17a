"""Short lists for the terminal."""

from dataclasses import replace

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Exclusion
from harness.core.target import Target
from harness.core.units import Seconds
from harness.core.variant import BuildFailed, Fidelity
from harness.plan import make_plan
from reports.listings import by_reason, devices_text, duration, plan_fields, plan_text, table_text, variants_text
from tests.support.plans import GPU, a_model, some_facts, some_rules, some_wishes
from tests.support.results import a_variant


def test_columns_are_as_wide_as_their_widest_entry() -> None:
    assert table_text(("a", "b"), [("long", "x"), ("y", "")]) == "a     b\nlong  x\ny"


def test_entry_of_several_lines_stays_one() -> None:
    assert table_text(("a",), [("one\ntwo",)]).splitlines() == ["a", "one two"]


def test_plan_gives_each_reason_once_and_whole() -> None:
    plan = make_plan(some_wishes("int8", units=(GPU,)), [a_model()], [some_facts()], some_rules())
    reason = "no render node" + " anywhere" * 20
    text = plan_text(plan.cells, {cell.id: reason for cell in plan.cells}, (), 0.0)
    assert text.count(reason) == 1
    assert f"skipped: m float32 gpu, m int8 gpu: {reason}" in text
    assert "0 cells to measure, 2 skipped" in text


def test_skipped_cells_name_their_device_where_there_are_several() -> None:
    plan = make_plan(some_wishes(units=(GPU,)), [a_model()], [some_facts("new"), some_facts("old")], some_rules())
    text = plan_text(plan.cells, {cell.id: "no render node" for cell in plan.cells}, (), 0.0)
    assert "skipped: m float32 new gpu, m float32 old gpu: no render node" in text


def test_many_that_share_a_reason_are_counted() -> None:
    assert by_reason([(str(i), "why") for i in range(5)]) == ["0, 1 and 3 more: why"]


def test_what_was_left_out_is_a_short_line() -> None:
    text = plan_text((), {}, [Exclusion(what="local: gpu", reason="not found " * 40)], 5.0)
    assert len(text.splitlines()[2]) < 120


def test_a_device_that_is_gone_is_said_once_and_whole() -> None:
    reason = "nothing listens there; is sshd on, and the port right?" * 3
    gone = [Exclusion(what=f"pi5: {kind}", reason=reason) for kind in ("cpu", "gpu", "npu")]
    assert plan_text((), {}, gone, 5.0).splitlines()[2] == f"left out: pi5: cpu, pi5: gpu and 1 more: {reason}"


def test_plan_warns_once_for_each_reason() -> None:
    warning = Exclusion(what="m int16x8", reason="reference kernels")
    assert "warning: m int16x8: reference kernels" in plan_text((), {}, (), 5.0, warnings=[warning]).splitlines()
    assert plan_fields((), {}, (), 5.0, warnings=[warning])["warnings"] == [
        {"what": "m int16x8", "reason": "reference kernels"}
    ]


def test_notes_on_a_variant_stand_below_the_table() -> None:
    noted = replace(a_variant("sparse-50"), notes=("sparse kernels cannot apply: x86-64",))
    assert variants_text([noted]).splitlines()[-1] == "digits sparse-50: sparse kernels cannot apply: x86-64"


def test_failed_build_is_explained_in_full_below_the_table() -> None:
    error = "Encountered unresolved custom op: NoSuchOperator. " * 3
    text = variants_text([a_variant("float32"), BuildFailed(model="m", name="int8", recipe="int8", error=error)])
    assert text.splitlines()[-1] == f"m int8: {error}"


def test_agreement_of_random_weights_is_not_shown() -> None:
    fidelity = Fidelity(
        snr_db=3.0,
        top1_agreement=0.0,
        max_abs_error=1.0,
        worst_output="y",
        samples=16,
        reference="LiteRT",
        meaningful=False,
    )
    text = variants_text([replace(a_variant("int8"), fidelity=fidelity, accuracy=None)])
    assert "not meaningful" in text
    assert "0.0 %" not in text


def test_device_says_what_it_has_and_lacks() -> None:
    text = devices_text([some_facts()])
    assert "units     cpu, cpu/builtin" in text
    assert "not       gpu: no render node" in text
    assert "unknown processor" in text


def test_a_unit_that_has_to_be_named_and_the_adapters_stand_in_a_device() -> None:
    units = (ComputeUnit.parse("cpu"), ComputeUnit.parse("gpu/software"))
    text = devices_text([replace(some_facts(), units=units, adapters=("Pipe (software)",))])
    assert "units     cpu, gpu/software (by name only)" in text
    assert "adapters  Pipe (software)" in text


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (200, "3 min"), (9000, "2.5 h")])
def test_time_to_wait_is_rounded_to_what_it_is_worth(seconds: Seconds, words: str) -> None:
    assert duration(seconds) == words


def test_a_model_says_its_parameters_and_what_its_variants_were_compared_by() -> None:
    first = variants_text([replace(a_variant("float32"), parameters=25_557_032)]).splitlines()[0]
    assert first == "digits: .tflite, 25.6 M parameters; fidelity by LiteRT on the host, 360 samples"


def test_a_build_says_how_long_it_took() -> None:
    row = variants_text([replace(a_variant("int8"), build_s=2.5)]).splitlines()[3]
    assert row.endswith("  2.5 s")


def test_variants_with_one_remark_share_its_line() -> None:
    noted = [replace(a_variant(name), notes=("`conv1` was left alone: 288 elements",)) for name in ("int8", "int4")]
    assert variants_text(noted).splitlines()[-1] == "digits int8, digits int4: `conv1` was left alone: 288 elements"


def test_targets_stand_in_the_table_where_there_are_some() -> None:
    built = [replace(a_variant("palette-4"), target=Target.IOS18), a_variant("float16")]
    assert variants_text(built).splitlines()[2].split()[:3] == ["model", "variant", "target"]
    assert "target" not in variants_text([a_variant("float16")])


def test_random_weights_are_said_once_for_a_model() -> None:
    fidelity = Fidelity(
        snr_db=3.0, top1_agreement=None, max_abs_error=1.0, worst_output="y", samples=1, reference="r", meaningful=False
    )
    first = variants_text([replace(a_variant("float16"), fidelity=fidelity)]).splitlines()[0]
    assert first.endswith("random weights: no fidelity to speak of")
