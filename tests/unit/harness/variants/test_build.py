"""Builds in processes: order, isolation, deadlines, cache. The builds themselves are stand-ins."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.deadline import Deadline
from harness.core.errors import StoreError
from harness.core.variant import BuildFailed, BuildOutcome, Variant
from harness.variants.build import Order, build_variants
from harness.variants.job import BuildJob
from tests.unit.harness.variants.builders import act, builds, count_build
from tests.unit.harness.variants.models import a_model, a_spec

TIMEOUT_S = 30.0


def ignore(_: BuildOutcome) -> None:
    """No progress."""


def build(
    orders: Sequence[Order],
    cache: Path,
    by: Callable[[BuildJob], Variant] = count_build,
    *,
    jobs: int = 2,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[BuildOutcome], None] = ignore,
) -> tuple[BuildOutcome, ...]:
    return build_variants(orders, cache=cache, jobs=jobs, timeout_of=lambda _: timeout_s, progress=progress, build=by)


def orders(directory: Path, *recipes: str) -> list[Order]:
    model = a_model(directory)
    return [(model, a_spec(recipe)) for recipe in recipes]


def error(outcome: BuildOutcome) -> str:
    assert isinstance(outcome, BuildFailed)
    return outcome.error


def has_ended(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    """Until the condition holds, at most 20 s."""
    deadline = Deadline(20)
    while not condition():
        assert not deadline.expired, "it never came about"
        time.sleep(0.01)


def test_outcomes_stand_in_the_order_asked(tmp_path: Path) -> None:
    names = ["int8", "float32", "sparse-50", "float16", "palette-4"]
    out = build(orders(tmp_path, *names), tmp_path / "cache")
    assert [outcome.name for outcome in out] == names


def test_progress_sees_every_outcome_once(tmp_path: Path) -> None:
    seen: list[BuildOutcome] = []
    out = build(orders(tmp_path, "int8", "int8+float16", "zzz"), tmp_path / "cache", progress=seen.append)
    assert sorted(outcome.name for outcome in seen) == sorted(outcome.name for outcome in out)


def test_a_second_build_comes_from_the_cache(tmp_path: Path) -> None:
    first = build(orders(tmp_path, "int8", "float16"), tmp_path / "cache")
    assert build(orders(tmp_path, "int8", "float16"), tmp_path / "cache") == first
    assert builds(tmp_path) == 2


def test_orders_that_differ_in_name_alone_are_built_once(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    out = build([(model, a_spec("int8")), (model, a_spec("int8", name="again"))], tmp_path / "cache")
    assert builds(tmp_path) == 1
    assert [(o.name, o.digest) for o in out if isinstance(o, Variant)] == [
        ("int8", out[0].digest if isinstance(out[0], Variant) else ""),
        ("again", out[0].digest if isinstance(out[0], Variant) else ""),
    ]


def test_a_kept_variant_carries_the_names_of_its_order(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    build([(model, a_spec("int8"))], tmp_path / "cache")
    (out,) = build([(replace(model, name="other"), a_spec("int8", name="mine"))], tmp_path / "cache")
    assert (out.model, out.name, builds(tmp_path)) == ("other", "mine", 1)


def test_the_artefact_lies_in_the_cache_under_its_digest(tmp_path: Path) -> None:
    (out,) = build(orders(tmp_path, "int8"), tmp_path / "cache")
    assert isinstance(out, Variant)
    assert out.path == tmp_path / "cache" / "artefacts" / f"{out.digest}.tflite"
    assert out.path.read_bytes() == b"int8"
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("sparse-1", "the build process was killed by SIGSEGV (exit code 139); it said last: Fatal: the"),
        (
            "sparse-2",
            "the build process was killed by SIGKILL (exit code 137), as the system does when memory runs out",
        ),
        ("sparse-3", "the build process ended without an answer (exit code 3)"),
        ("sparse-6", "it changed nothing"),
        ("sparse-8", "KeyError: 'what the tools raise'"),
    ],
)
def test_a_build_that_dies_or_fails_costs_itself_alone(tmp_path: Path, recipe: str, says: str) -> None:
    bad, good = build(orders(tmp_path, recipe, "int8"), tmp_path / "cache", act)
    assert error(bad).startswith(says)
    assert isinstance(good, Variant)


def test_a_build_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    bad, good = build(orders(tmp_path, "sparse-4", "int8"), tmp_path / "cache", act, timeout_s=2)
    assert error(bad) == "did not end within 2 s and was ended"
    assert isinstance(good, Variant)
    (mark,) = tmp_path.glob("hung-*")
    wait_for(lambda: has_ended(int(mark.name.removeprefix("hung-"))))


def test_an_interruption_leaves_no_build_behind(tmp_path: Path) -> None:
    def interrupt(_: BuildOutcome) -> None:
        wait_for(lambda: any(tmp_path.glob("hung-*")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(orders(tmp_path, "sparse-4", "int8"), tmp_path / "cache", act, progress=interrupt)
    (mark,) = tmp_path.glob("hung-*")
    wait_for(lambda: has_ended(int(mark.name.removeprefix("hung-"))))
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []


def test_builds_are_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(orders(tmp_path, "sparse-5", "sparse-1"), tmp_path / "cache", act)
    assert capfd.readouterr() == ("", "")


def test_a_refusal_in_the_build_is_marked_as_one(tmp_path: Path) -> None:
    (out,) = build(orders(tmp_path, "sparse-7"), tmp_path / "cache", act)
    assert out == BuildFailed(model="tiny", name="sparse-7", recipe="sparse-7", error="it cannot work", refused=True)


def test_what_the_plan_refuses_is_never_built(tmp_path: Path) -> None:
    out = build(orders(tmp_path, "int8+palette-4", "nonsense"), tmp_path / "cache")
    assert [(isinstance(o, BuildFailed) and o.refused) for o in out] == [True, True]
    assert builds(tmp_path) == 0


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    build(orders(tmp_path, "sparse-6"), tmp_path / "cache", act)
    (out,) = build(orders(tmp_path, "sparse-6"), tmp_path / "cache", count_build)
    assert isinstance(out, Variant)


def test_a_missing_prebuilt_file_is_named(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    (out,) = build([(model, a_spec("ours", prebuilt=tmp_path / "gone.tflite"))], tmp_path / "cache")
    assert error(out) == f"{tmp_path / 'gone.tflite'}: No such file or directory"


def test_a_prebuilt_file_that_changed_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(b"new")
    model, spec = a_model(tmp_path), a_spec("ours", prebuilt=theirs)
    build([(model, spec)], tmp_path / "cache", count_build)
    (out,) = build([(model, replace(spec, prebuilt_digest="what it was"))], tmp_path / "cache", count_build)
    assert error(out) == f"{theirs}: changed since it was read; start again"


def test_a_cache_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match="variants cannot be kept there"):
        build(orders(tmp_path, "int8"), tmp_path / "cache")


def test_an_answer_without_a_file_is_a_failure(tmp_path: Path) -> None:
    (out,) = build(orders(tmp_path, "sparse-9"), tmp_path / "cache", act)
    assert error(out).endswith("artefact.tflite: Is a directory")


def test_two_calls_at_once_agree(tmp_path: Path) -> None:
    wanted = orders(tmp_path, "int8", "float16", "palette-4")
    outs: list[tuple[BuildOutcome, ...]] = []
    threads = [threading.Thread(target=lambda: outs.append(build(wanted, tmp_path / "cache"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outs) == 2
    assert outs[0] == outs[1]
    assert all(isinstance(o, Variant) and o.path.is_file() for o in outs[0])


def test_no_build_process_is_left(tmp_path: Path) -> None:
    build(orders(tmp_path, "int8", "sparse-1"), tmp_path / "cache", act)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"8tni")])
def test_a_damaged_artefact_is_built_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    (first,) = build(orders(tmp_path, "int8"), tmp_path / "cache")
    assert isinstance(first, Variant)
    damage(first.path)
    assert build(orders(tmp_path, "int8"), tmp_path / "cache") == (first,)
    assert first.path.read_bytes() == b"int8"
