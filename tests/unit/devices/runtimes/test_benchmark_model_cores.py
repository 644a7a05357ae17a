"""The cores that the kernel says a tool may run on."""

import pytest

from devices.runtimes.benchmark_model import allowed_cores, observed_unit
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("Cpus_allowed_list:\t4-7\n", (4, 5, 6, 7)),
        ("Cpus_allowed_list:\t8\n", (8,)),
        ("Cpus_allowed_list:\t0-1,4,6-7\n", (0, 1, 4, 6, 7)),
        ("", ()),
        ("Cpus_allowed_list:\n", ()),
        ("Cpus_allowed_list:\tall\n", ()),
        ("grep: /proc/self/status: Permission denied\n", ()),
    ],
)
def test_cores_are_read_from_the_kernels_line(text: str, cores: tuple[int, ...]) -> None:
    assert allowed_cores(text) == cores


@pytest.mark.parametrize(("cluster", "unit"), [("big", "cpu/xnnpack@big"), (None, "cpu/xnnpack")])
def test_a_cluster_is_named_only_where_it_was_seen(cluster: str | None, unit: str) -> None:
    delegation = Delegation(delegate="xnnpack", full=True)
    assert str(observed_unit(ComputeUnit.parse("cpu@big"), delegation, cluster)) == unit
