"""What benchmark_model prints, read: real outputs, and what is refused."""

from pathlib import Path

import pytest

from devices.runtimes.benchmark_model import observed_unit
from devices.runtimes.benchmark_model_output import OutputUnknown, read, summary_of
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation

FOLDER = Path(__file__).parents[3] / "data/android"


def real(name: str) -> str:
    return (FOLDER / f"benchmark_model_{name}.txt").read_text()


def test_a_real_run_has_its_summary() -> None:
    timed = read(real("xnnpack")).timed
    assert (timed.count, timed.median_ns, timed.min_ns, timed.max_ns) == (50, 576856e3, 502355e3, 2270688e3)
    assert (timed.mean_ns, timed.std_ns, timed.p5_ns, timed.p95_ns) == (699438e3, 325425e3, 502674e3, 1373207e3)
    assert timed.resolution_ns == 1000.0


def test_a_real_run_has_its_load_times() -> None:
    report = read(real("xnnpack"))
    assert (report.init_ns, report.first_ns) == (102320e3, 670083e3)


def test_a_summary_of_one_sample_has_that_sample_throughout() -> None:
    warmup = read(real("xnnpack")).warmup
    assert (warmup.count, warmup.median_ns, warmup.min_ns, warmup.max_ns) == (1, 670083e3, 670083e3, 670083e3)


def test_samples_that_are_all_the_same_are_told_once() -> None:
    told = summary_of("count=50 curr=7(all same) p5=7 median=7 p95=7")
    assert (told.median_ns, told.min_ns, told.max_ns, told.std_ns) == (7e3, 7e3, 7e3, None)


def test_means_may_be_scientific() -> None:
    told = summary_of("count=3 first=1 curr=1 min=1 max=1 avg=1.2e+06 std=4 p5=1 median=1 p95=1")
    assert told.mean_ns == 1.2e9


def test_each_delegate_of_a_real_run_is_told_with_what_it_took() -> None:
    assert read(real("two_delegates")).delegations == (
        Delegation(delegate="gpu", full=True, taken=49, total=49, partitions=1),
        Delegation(delegate="nnapi", full=False, taken=0, total=None, partitions=0),
    )


def test_a_part_of_the_graph_is_no_full_delegation() -> None:
    part = "partially executed by the delegate w/ 3 delegate kernels."
    text = real("two_delegates").replace("completely executed by the delegate.", part)
    assert read(text).delegations[0].full is False


def test_a_delegate_that_took_nodes_and_then_declined_took_none() -> None:
    replacing = (
        "VERBOSE: Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 partitions.\n"
    )
    nnapi = read(replacing + real("two_delegates")).delegations[1]
    assert (nnapi.full, nnapi.taken, nnapi.total) == (False, 0, 31)


def test_lines_of_logcat_are_read_alike() -> None:
    text = real("xnnpack").replace("INFO: ", "I tflite  : ")
    assert read(text) == read(real("xnnpack"))


def test_a_tool_that_prints_no_median_is_too_old() -> None:
    with pytest.raises(OutputUnknown, match="too old: it prints no median"):
        read(real("old"))


@pytest.mark.parametrize(
    "line",
    [
        "INFO: count=5 first=1 curr=1 min=1 max=1 avg=1 std=1 p5=1 median=1 p95=1 p99=1",
        "INFO: count=5 first=one",
        "INFO: Explicitly applied GPU delegate, and half of the graph will be executed by it.",
        "INFO: Though the GPU delegate was asked for, it went home.",
        "INFO: Inference timings in ms: Init: 1",
        "VERBOSE: Replacing some nodes",
    ],
)
def test_a_line_that_matters_and_is_not_known_is_refused_with_the_line(line: str) -> None:
    with pytest.raises(OutputUnknown) as caught:
        read(f"{real('xnnpack')}\n{line}\n")
    assert line.partition(": ")[2] in str(caught.value)


def test_a_run_that_ended_without_its_timings_is_refused() -> None:
    with pytest.raises(OutputUnknown, match="without its timings"):
        read("INFO: STARTING!\n")


def test_memory_is_named_as_the_tool_names_it() -> None:
    memory = read(real("xnnpack").rstrip() + "\n" + real("memory")).memory
    assert memory is not None
    assert memory.after_load == round(98.0977 * 1024 * 1024)
    assert memory.peak == round(13.1797 * 1024 * 1024)
    assert "periodic monitoring" in memory.method
    assert (memory.anonymous, memory.file_backed) == (None, None)


@pytest.mark.parametrize(
    ("unit", "told", "ran"),
    [
        ("gpu", Delegation(delegate="gpu", full=True), "gpu"),
        ("npu/nnapi", Delegation(delegate="nnapi", full=False, taken=0), "cpu"),
        ("gpu", Delegation(delegate="gpu", full=False, taken=9, total=12), "cpu+gpu"),
        ("npu", Delegation(delegate="external", full=True), "npu"),
        ("cpu", Delegation(delegate="xnnpack", full=True), "cpu/xnnpack"),
        ("cpu", Delegation(delegate="xnnpack", full=False, taken=3), "cpu"),
        ("cpu/builtin", None, "cpu/builtin"),
    ],
)
def test_the_unit_that_ran_is_told_by_the_delegates_words(unit: str, told: Delegation | None, ran: str) -> None:
    assert str(observed_unit(ComputeUnit.parse(unit), told)) == ran


def test_of_a_delegate_that_nothing_is_said_of_the_unit_is_unknown() -> None:
    assert observed_unit(ComputeUnit.parse("npu"), None) is None
