"""One launch in figures, against numpy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.device import Canary
from harness.core.outcome import BlockLaunch
from harness.statistics.summaries import summarise_launch
from tests.support.launches import a_record

SAMPLES = st.lists(st.integers(min_value=1, max_value=10**10), min_size=1, max_size=30)


def a_launch_of(*samples: int, cpu: tuple[int, ...] | None = None) -> BlockLaunch:
    record = replace(a_record(), samples_ns=samples, cpu_ns=samples if cpu is None else cpu)
    canary = Canary(median_ns=7.0, samples_ns=(7.0,))
    return BlockLaunch(block=3, position=1, record=record, canary_before=canary, canary_after=None)


@given(SAMPLES)
def test_percentiles_are_of_the_definition_that_the_documents_name(samples: list[int]) -> None:
    summary = summarise_launch(a_launch_of(*samples))
    wanted = np.percentile(np.asarray(samples, dtype=float), [10, 50, 90], method="linear")
    assert [summary.p10, summary.median, summary.p90] == pytest.approx(list(wanted))


def test_a_launch_without_samples_has_no_figures() -> None:
    summary = summarise_launch(a_launch_of())
    assert (summary.samples, summary.median, summary.p10, summary.p90, summary.wall_over_cpu) == (0, *[None] * 4)


def test_a_launch_keeps_its_place_and_its_canaries() -> None:
    summary = summarise_launch(a_launch_of(10))
    assert (summary.block, summary.position, summary.canary_before, summary.canary_after) == (3, 1, 7.0, None)


def test_wall_is_summed_over_cpu_time() -> None:
    assert summarise_launch(a_launch_of(10, 30, cpu=(10, 10))).wall_over_cpu == 2.0


@pytest.mark.parametrize("cpu", [(), (10,), (0, 0)])
def test_cpu_time_that_is_not_known_for_every_sample_gives_no_ratio(cpu: tuple[int, ...]) -> None:
    assert summarise_launch(a_launch_of(10, 30, cpu=cpu)).wall_over_cpu is None
