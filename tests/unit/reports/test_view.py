"""The document: the contract that scripts lean on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.campaign import CellResult, ModelFailed
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import FailureKind
from harness.core.model import Model
from harness.core.outcome import Failed, Invalid, Measured, Skipped
from harness.core.variant import BuildFailed
from reports.view import as_json, document
from tests.support.hostile import HOSTILE_NAMES
from tests.support.results import (
    a_campaign,
    a_campaign_result,
    a_cell_result,
    a_device,
    a_measurement,
    a_model,
    a_rich_campaign_result,
    a_told_cell_result,
    a_variant,
    some_unmeasured_cells,
)

CELL_KEYS = """
    model format variant technique device family compute_unit planned_unit observed_unit backend threads outcome reason
    grade grade_reasons latency_ns load_ns memory_bytes size_bytes zip_bytes weights_compressed weights_total fidelity
    accuracy vs_float conditions ops
""".split()  # noqa: SIM905 as the design writes them
PART_KEYS = {
    "latency_ns": "median p10 p90 p99 min ci95 launches samples cv raw resolution",
    "load_ns": "compile cold warm first",
    "memory_bytes": "after_load after_run peak anonymous file_backed method",
    "fidelity": "snr_db top1_agreement max_abs_error reference worst_output samples meaningful",
    "accuracy": "metric value n",
    "vs_float": "latency_ratio ci95 verdict size_ratio ci99 detectable pairs unit",
    "conditions": "before after",
}
OP_KEYS = ["index", "name", "type", "shape", "kernels", "placed_on", "latency_ns", "label", "share", "macs", "bytes"]


Json = dict[str, Any]


def only_cell(result: CellResult, models: Sequence[Model] | None = None) -> Json:
    cell: Json = document(a_campaign_result([result], models=models))["cells"][0]
    return cell


def test_the_top_holds_what_the_contract_names() -> None:
    assert list(document(a_campaign_result()))[:3] == ["schema_version", "campaign", "environment"]
    assert "cells" in document(a_campaign_result())


def test_a_cell_says_how_it_was_run() -> None:
    cell = only_cell(a_told_cell_result())
    told = {key: cell[key] for key in ("api", "fallback", "delegation", "adapter", "signature", "op_settings")}
    words = "Variable tensors not yet supported"
    assert told == {
        "api": "interpreter",
        "fallback": words,
        "delegation": {"delegate": "xnnpack", "full": False, "taken": 48, "total": 65, "partitions": 18},
        "adapter": words,
        "signature": words,
        "op_settings": [
            {"op": None, "op_type": "SOFTMAX", "recipe": None},
            {"op": words, "op_type": None, "recipe": None},
        ],
    }


def test_a_cell_says_what_each_step_of_a_cold_start_took() -> None:
    start = {
        "environment_ns": 2e6,
        "compile_ns": 14e6,
        "first_ns": 4e6,
        "total_ns": 21e6,
        "warm_ns": 1e6,
        "launches": 3,
    }
    assert only_cell(a_told_cell_result())["cold_start"] == {
        "off": start,
        "filled": None,
        "used": start | {"compile_ns": 4e6, "total_ns": 10.5e6},
        "unavailable": "Variable tensors not yet supported",
        "idle": None,
    }


def test_a_cell_without_cold_starts_has_none() -> None:
    assert only_cell(a_cell_result())["cold_start"] is None


def test_a_cell_is_explained_in_sentences() -> None:
    assert only_cell(a_told_cell_result())["explanation"][-1] == "CONV_2D accounts for 91 %."


def test_the_answer_has_the_explanation_of_its_cell() -> None:
    made = document(a_campaign_result([a_cell_result("float32"), a_told_cell_result()]))
    assert made["headlines"][0]["explanation"] == made["cells"][1]["explanation"]


def test_a_model_says_which_signature_runs_and_what_to_know_of_it() -> None:
    model = replace(a_model(), signature="encode", signatures=("encode", "decode"), notes=("shapes fixed",))
    made = document(a_campaign_result(models=[model]))["models"][0]
    assert (made["signature"], made["signatures"], made["notes"]) == ("encode", ["encode", "decode"], ["shapes fixed"])


def test_the_campaign_has_the_keys_of_the_contract_and_no_other() -> None:
    campaign = document(a_campaign_result())["campaign"]
    assert " ".join(campaign) == "id name started_at ended_at duration_s config command seed version bands"
    assert campaign["bands"] == {"effect": 0.01, "same": 0.02}


def test_the_keys_of_the_campaign_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")
    campaign = document(a_campaign_result())["campaign"]
    keys = ", ".join("bands{effect, same}" if key == "bands" else key for key in campaign)
    assert f"`campaign{{{keys}}}`" in " ".join(text.split())


def test_what_every_cell_of_a_device_doubts_stands_with_the_device() -> None:
    shared, own = "no sensor for temperature", "launch CV 3 %"
    cells = [
        a_cell_result("float32", grade="B", grade_reasons=(shared,)),
        a_cell_result("int8", grade="B", grade_reasons=(own, shared)),
    ]
    made = document(a_campaign_result(cells))
    assert made["devices"][0]["doubts"] == [shared]
    assert made["cells"][1]["grade_reasons"] == [own, shared]
    assert made["headlines"][0]["caveats"] == [f"grade B: {own}"]


def test_every_cell_has_the_keys_of_the_contract_first() -> None:
    for cell in document(a_rich_campaign_result())["cells"]:
        assert list(cell)[: len(CELL_KEYS)] == CELL_KEYS


@pytest.mark.parametrize("part", PART_KEYS)
def test_the_parts_of_a_measured_cell_have_the_keys_of_the_contract(part: str) -> None:
    assert set(PART_KEYS[part].split()) == set(only_cell(a_cell_result("int8"))[part])


def test_an_operator_has_the_keys_of_the_contract() -> None:
    assert list(only_cell(a_cell_result("int8"))["ops"][0]) == OP_KEYS


def test_the_document_is_strict_json() -> None:
    made = document(a_rich_campaign_result())
    assert json.loads(json.dumps(made, allow_nan=False)) == made


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_what_is_no_number_is_null(value: float | None) -> None:
    assert as_json({"x": [value]}) == {"x": [None]}


def test_a_lone_surrogate_cannot_break_the_encoding() -> None:
    assert as_json("a\ud800b") == "a?b"


def test_a_path_is_its_text() -> None:
    assert as_json(Path("a/b")) == "a/b"


def test_what_is_no_json_value_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no place"):
        as_json({"x": 1j})


def test_a_runtime_that_plans_nothing_has_no_planned_unit() -> None:
    cell = only_cell(a_cell_result("int8", unit="cpu:2"))
    assert (cell["compute_unit"], cell["planned_unit"]) == ("cpu:2", None)


def test_units_asked_for_and_observed_stand_apart() -> None:
    strayed = a_measurement(observed=ComputeUnit.parse("cpu/builtin"))
    outcome = Invalid(measurement=strayed, reasons=("ran on cpu/builtin, cpu:2 was asked for",))
    cell = only_cell(a_cell_result("int8", unit="cpu:2", outcome=outcome))
    assert (cell["compute_unit"], cell["observed_unit"], cell["backend"], cell["threads"]) == (
        "cpu:2",
        "cpu/builtin",
        "builtin",
        2,
    )


def test_an_observed_unit_that_nobody_knows_is_null() -> None:
    measurement = replace(a_measurement(), observed=None, backend=None)
    cell = only_cell(a_cell_result("int8", outcome=Measured(measurement=measurement)))
    assert (cell["observed_unit"], cell["backend"]) == (None, None)


def test_an_invalid_cell_keeps_its_numbers_and_its_reasons() -> None:
    cell = only_cell(a_cell_result("int8", outcome=Invalid(measurement=a_measurement(), reasons=("one", "two"))))
    assert (cell["outcome"], cell["reason"], cell["latency_ns"] is None) == ("invalid", "one; two", False)


def test_a_skipped_cell_is_a_row_with_its_reason() -> None:
    cell = only_cell(a_cell_result("int8", outcome=Skipped(reason="--only int4")))
    assert (cell["outcome"], cell["reason"], cell["latency_ns"], cell["ops"]) == ("skipped", "--only int4", None, [])


def test_a_failed_cell_tells_how_it_died() -> None:
    died = Failed(error="signal 11", kind=FailureKind.CRASH, exit_code=139, stderr_tail="Segmentation fault")
    cell = only_cell(a_cell_result("int8", outcome=died))
    assert (cell["outcome"], cell["reason"]) == ("failed", "signal 11")
    assert cell["failure"] == {"kind": "crash", "exit_code": 139, "stderr_tail": "Segmentation fault"}


def test_a_measured_cell_has_no_reason() -> None:
    assert only_cell(a_cell_result("int8"))["reason"] is None


def test_the_source_stands_at_one_without_a_verdict() -> None:
    against = only_cell(a_cell_result("float32"))["vs_float"]
    assert (against["latency_ratio"], against["verdict"], against["size_ratio"]) == (1.0, None, 1.0)


def test_a_ratio_that_was_not_measured_is_null() -> None:
    lone = replace(a_cell_result("int8"), comparison=None)
    assert only_cell(lone)["vs_float"]["latency_ratio"] is None


def test_identical_outputs_have_no_snr_and_no_error() -> None:
    fidelity = only_cell(a_cell_result("float32"))["fidelity"]
    assert (fidelity["snr_db"], fidelity["max_abs_error"]) == (None, 0)


def test_memory_that_the_system_does_not_tell_is_null() -> None:
    silent = replace(a_measurement(), memory=None)
    assert only_cell(a_cell_result("int8", outcome=Measured(measurement=silent)))["memory_bytes"] is None


def test_operators_that_are_missing_say_why() -> None:
    cell = only_cell(a_cell_result("int8", outcome=Measured(measurement=a_measurement())))
    assert (cell["ops"], cell["ops_unavailable"]) == ([], "this LiteRT is not known to the profiler")


def test_conditions_are_of_the_first_and_the_last_launch() -> None:
    conditions = only_cell(a_cell_result("int8"))["conditions"]
    assert (conditions["before"]["load"], conditions["after"]["load"]) == (0.4, 0.6)


def test_launches_are_figures_without_raw_samples() -> None:
    launches = only_cell(a_cell_result("int8", launches=4))["launches"]
    assert len(launches) == 4
    assert not any(isinstance(value, list) for launch in launches for value in launch.values())


def test_a_launch_shows_the_percentiles_of_its_summary() -> None:
    result = a_cell_result("int8", launches=1, inferences=10)
    launch, summary = only_cell(result)["launches"][0], result.launches[0]
    assert (launch["p10_ns"], launch["median_ns"], launch["p90_ns"]) == (summary.p10, summary.median, summary.p90)


def test_the_median_is_the_one_of_the_summary() -> None:
    result = a_cell_result("int8")
    assert result.latency is not None
    assert only_cell(result)["latency_ns"]["median"] == result.latency.median


def test_a_variant_built_under_a_name_of_its_own_keeps_its_recipe() -> None:
    cell = only_cell(a_cell_result("ours", recipe="int8"))
    assert (cell["variant"], cell["technique"]) == ("ours", "int8")


def test_headlines_answer_for_each_unit() -> None:
    answers = [(h["compute_unit"], h["variant"]) for h in document(a_campaign_result())["headlines"]]
    assert answers == [("cpu", "int8"), ("cpu/builtin", "int8")]


def test_a_simulated_device_marks_its_headlines() -> None:
    made = document(a_campaign_result(devices=[a_device(simulated=True)]))
    assert [h["simulated"] for h in made["headlines"]] == [True, True]
    assert made["headlines"][0]["caveats"][0] == "simulated device: the times are made up"


def test_random_weights_leave_fidelity_without_meaning() -> None:
    cell = only_cell(
        a_cell_result("int8", built=a_variant("int8", random_weights=True)), models=[a_model(random_weights=True)]
    )
    assert (cell["quality"], cell["fidelity"]["meaningful"]) == ("not meaningful", False)


def test_failures_stand_beside_the_cells() -> None:
    torn = ModelFailed(name="torn", path="torn.tflite", error="torn.tflite: truncated")
    refused = BuildFailed(model="digits", name="palette-9", recipe="palette-9", error="1 to 8 bits", refused=True)
    made = document(a_campaign_result(models_failed=[torn], builds_failed=[refused]))
    assert (made["models_failed"][0]["error"], made["builds_failed"][0]["refused"]) == ("torn.tflite: truncated", True)


def test_variants_are_listed_once_with_their_tensors() -> None:
    variants = document(a_campaign_result())["variants"]
    assert [v["variant"] for v in variants] == ["float32", "float16", "int8"]
    assert {"zeros", "distinct", "sparsity", "compressed"} <= set(variants[0]["tensors"][0])


def test_an_unfinished_campaign_has_no_duration() -> None:
    open_ended = replace(a_campaign(), ended_at=None)
    campaign = document(a_campaign_result(campaign=open_ended))["campaign"]
    assert (campaign["ended_at"], campaign["duration_s"]) == (None, None)


def test_an_empty_campaign_is_a_document() -> None:
    made = document(a_campaign_result([]))
    assert (made["cells"], made["headlines"]) == ([], [])


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_carried_as_it_is(name: str) -> None:
    cell = only_cell(a_cell_result(name, recipe="int8"))
    assert cell["variant"] == name.encode("utf-8", "replace").decode()


def test_keys_are_texts_at_every_depth() -> None:
    def keys(value: object) -> list[object]:
        if isinstance(value, Mapping):
            return [*value, *(key for item in value.values() for key in keys(item))]
        return [key for item in value for key in keys(item)] if isinstance(value, list) else []

    assert all(isinstance(key, str) for key in keys(document(a_rich_campaign_result())))


def test_an_unmeasured_headline_has_the_keys_of_every_other() -> None:
    measured = document(a_campaign_result())["headlines"][0]
    unmeasured = document(a_campaign_result(some_unmeasured_cells()))["headlines"][0]
    assert list(unmeasured) == list(measured)


def test_an_unmeasured_headline_answers_nothing_and_names_the_smallest() -> None:
    made = document(a_campaign_result(some_unmeasured_cells()))["headlines"][0]
    assert (made["state"], made["variant"], made["cell"]) == ("unmeasured", None, None)
    assert made["smallest"] == {
        "variant": "int8",
        "size_ratio": 0.28,
        "latency_ratio": None,
        "ci95": None,
        "quality": "kept",
    }
