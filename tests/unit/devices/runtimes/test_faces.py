"""Which face of the runtime a model goes to: what is sent again, what is remembered, and the words."""

from dataclasses import replace
from pathlib import Path

import pytest

from devices.runtimes.faces import Faces, Tried
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.core.launch import (
    Api,
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchOutcome,
    LaunchRecord,
    LoadTimes,
    MeasureSettings,
    Pass,
    WeightCache,
)

NOW = Conditions(taken_at=1.0)


def an_order(
    *,
    digest: str = "d",
    signature: str | None = None,
    unit: str = "cpu",
    weight_cache: WeightCache = WeightCache.OFF,
    api: Api | None = None,
    fallback: str | None = None,
) -> LaunchOrder:
    return LaunchOrder(
        attempt="a1",
        variant=Path("m.tflite"),
        variant_digest=digest,
        pass_=Pass.LATENCY,
        unit=ComputeUnit.parse(unit),
        settings=MeasureSettings(),
        deadline_s=5.0,
        signature=signature,
        weight_cache=weight_cache,
        api=api,
        fallback=fallback,
    )


def ran(api: Api) -> Tried:
    record = LaunchRecord(
        attempt="a1",
        pass_=Pass.LATENCY,
        started_at=1.0,
        wall_s=1.0,
        runtime="LiteRT 2.3.0",
        backend=None,
        observed=None,
        load=LoadTimes(environment_ns=0, compile_ns=1, first_ns=1),
        samples_ns=(1,),
        cpu_ns=(1,),
        starts_ns=(0,),
        warmup_ns=(1,),
        before=NOW,
        after=NOW,
        api=api,
    )
    return Tried(outcome=record, api=api)


def failed(
    words: str,
    api: Api | None = Api.COMPILED_MODEL,
    kind: FailureKind = FailureKind.ERROR,
    exit_code: int | None = 1,
) -> Tried:
    failure = LaunchFailure(attempt="a1", pass_=Pass.LATENCY, kind=kind, message=words, exit_code=exit_code)
    return Tried(outcome=failure, api=api)


COMPILED, INTERPRETED = ran(Api.COMPILED_MODEL), ran(Api.INTERPRETER)
REFUSED = failed("no variable tensors")
NEITHER = failed("no such operator", Api.INTERPRETER)


class Runtime:
    """Answers in turn, and keeps what it was asked for."""

    def __init__(self, *answers: Tried) -> None:
        self._answers = list(answers)
        self.asked: list[Api | None] = []

    def __call__(self, _: LaunchOrder, api: Api | None) -> Tried:
        self.asked.append(api)
        return self._answers.pop(0)


def launched(runtime: Runtime, *orders: LaunchOrder) -> list[LaunchOutcome]:
    faces = Faces()
    return [faces.launch(order, runtime) for order in orders]


def fallback_of(outcome: LaunchOutcome) -> str | None:
    assert isinstance(outcome, LaunchRecord), outcome
    return outcome.fallback


def test_what_the_compiled_model_runs_is_launched_once() -> None:
    runtime = Runtime(COMPILED)
    assert launched(runtime, an_order()) == [COMPILED.outcome]
    assert runtime.asked == [None]


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSED,
        failed("died by signal 6", kind=FailureKind.CRASH, exit_code=134),
        failed("died by signal 6", None, kind=FailureKind.CRASH, exit_code=134),
    ],
)
def test_what_it_refuses_goes_to_the_interpreter_with_its_words(refusal: Tried) -> None:
    runtime = Runtime(refusal, INTERPRETED)
    (outcome,) = launched(runtime, an_order())
    assert isinstance(refusal.outcome, LaunchFailure)
    assert fallback_of(outcome) == refusal.outcome.message
    assert runtime.asked == [None, Api.INTERPRETER]


@pytest.mark.parametrize(
    ("order", "failure"),
    [
        (an_order(), failed("slow", kind=FailureKind.DEADLINE, exit_code=137)),
        (an_order(), failed("killed", kind=FailureKind.CRASH, exit_code=137)),
        (an_order(), failed("stopped", kind=FailureKind.CRASH, exit_code=143)),
        (an_order(), failed("interrupted", kind=FailureKind.CRASH, exit_code=130)),
        (an_order(), failed("hung up", kind=FailureKind.CRASH, exit_code=129)),
        (an_order(), failed("LiteRtCreateCompiledModel: out of memory (status 2)")),
        (an_order(), failed("MemoryError")),
        (an_order(), failed("gone", kind=FailureKind.LOST, exit_code=None)),
        (an_order(), failed("odd words", kind=FailureKind.PROTOCOL)),
        (an_order(), failed("not found", None)),
        (an_order(), NEITHER),
        (an_order(unit="gpu"), REFUSED),
        (an_order(weight_cache=WeightCache.FILL), REFUSED),
    ],
    ids=[
        "deadline",
        "killed",
        "terminated",
        "interrupted",
        "hung up",
        "status 2",
        "no memory",
        "lost",
        "protocol",
        "refused",
        "interpreter",
        "gpu",
        "weight cache",
    ],
)
def test_what_says_nothing_of_the_face_is_not_sent_again(order: LaunchOrder, failure: Tried) -> None:
    runtime = Runtime(failure)
    assert launched(runtime, order) == [failure.outcome]


def test_what_was_sent_again_goes_straight_there_the_next_time() -> None:
    runtime = Runtime(REFUSED, INTERPRETED, INTERPRETED)
    outcomes = launched(runtime, an_order(), an_order())
    assert [fallback_of(outcome) for outcome in outcomes] == ["no variable tensors"] * 2
    assert runtime.asked == [None, Api.INTERPRETER, Api.INTERPRETER]


@pytest.mark.parametrize("other", [an_order(digest="e"), an_order(signature="encode"), an_order(unit="cpu:2")])
def test_another_variant_signature_or_unit_is_tried_on_its_own(other: LaunchOrder) -> None:
    runtime = Runtime(REFUSED, INTERPRETED, COMPILED)
    assert launched(runtime, an_order(), other)[1] == COMPILED.outcome


def test_what_the_compiled_model_ran_once_is_not_sent_elsewhere() -> None:
    runtime = Runtime(COMPILED, REFUSED)
    assert launched(runtime, an_order(), an_order())[1] == REFUSED.outcome


def test_what_neither_runs_fails_in_both_words_as_the_first_did() -> None:
    crash = failed("signal 11", kind=FailureKind.CRASH, exit_code=139)
    (outcome,) = launched(Runtime(crash, NEITHER), an_order())
    assert isinstance(outcome, LaunchFailure)
    assert outcome.message == "compiled model: signal 11; interpreter: no such operator"
    assert (outcome.kind, outcome.exit_code) == (FailureKind.CRASH, 139)


def test_words_that_are_the_same_are_said_once() -> None:
    (outcome,) = launched(Runtime(REFUSED, failed("no variable tensors", Api.INTERPRETER)), an_order())
    assert outcome == REFUSED.outcome


def test_what_neither_runs_is_tried_once_the_next_time() -> None:
    runtime = Runtime(REFUSED, NEITHER, REFUSED)
    first, second = launched(runtime, an_order(), an_order())
    assert first == second
    assert runtime.asked == [None, Api.INTERPRETER, None]


def test_an_interpreter_that_was_killed_is_tried_again() -> None:
    killed = failed("killed", Api.INTERPRETER, FailureKind.CRASH, 137)
    outcomes = launched(Runtime(REFUSED, killed, REFUSED, INTERPRETED), an_order(), an_order())
    assert fallback_of(outcomes[1]) == "no variable tensors"


def test_an_abort_for_want_of_memory_is_not_sent_again() -> None:
    crash = failed("died by signal 6", kind=FailureKind.CRASH, exit_code=134)
    assert isinstance(crash.outcome, LaunchFailure)
    tail = "terminate called after throwing an instance of 'std::bad_alloc'"
    starved = Tried(outcome=replace(crash.outcome, stderr_tail=tail), api=Api.COMPILED_MODEL)
    assert launched(Runtime(starved), an_order()) == [starved.outcome]


def test_a_cell_that_went_through_the_interpreter_before_goes_straight_there_with_the_words_of_that_day() -> None:
    runtime = Runtime(INTERPRETED)
    (outcome,) = launched(runtime, an_order(api=Api.INTERPRETER, fallback="no variable tensors"))
    assert fallback_of(outcome) == "no variable tensors"
    assert runtime.asked == [Api.INTERPRETER]


def test_a_cell_that_went_through_the_compiled_model_before_is_never_sent_elsewhere() -> None:
    runtime = Runtime(REFUSED)
    assert launched(runtime, an_order(api=Api.COMPILED_MODEL)) == [REFUSED.outcome]
    assert runtime.asked == [Api.COMPILED_MODEL]


def test_a_device_that_is_lost_while_it_falls_back_is_lost() -> None:
    lost = failed("gone", None, FailureKind.LOST, None)
    assert launched(Runtime(REFUSED, lost), an_order()) == [lost.outcome]
