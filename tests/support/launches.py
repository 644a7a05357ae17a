"""Launches that were never run, for tests of what is made of them."""

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.core.launch import FailureKind, LaunchFailure, LaunchRecord, LoadTimes, Pass

_CALM = Conditions(taken_at=0.0)


def a_record(pass_: Pass = Pass.LATENCY, median_ns: int = 1000, attempt: str = "a") -> LaunchRecord:
    return LaunchRecord(
        attempt=attempt,
        pass_=pass_,
        started_at=0.0,
        wall_s=0.5,
        runtime="test 1",
        backend="xnnpack",
        observed=ComputeUnit.parse("cpu"),
        load=LoadTimes(environment_ns=1e6, compile_ns=2e6, first_ns=3e6),
        samples_ns=(median_ns - 10, median_ns, median_ns + 10),
        cpu_ns=(median_ns - 10, median_ns, median_ns + 10),
        starts_ns=(0, 2000, 4000),
        warmup_ns=(median_ns,),
        before=_CALM,
        after=_CALM,
    )


def a_failure(pass_: Pass = Pass.LATENCY, message: str = "segmentation fault") -> LaunchFailure:
    return LaunchFailure(attempt="a", pass_=pass_, kind=FailureKind.CRASH, message=message, exit_code=139)
