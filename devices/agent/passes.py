"""What a launch does in each of its passes, and what it says of it."""

from __future__ import annotations

from . import memory, profile, targets
from .litert import LiteRtError
from .session import NativeRuntime
from .timing import Samples, Settings, Stopwatch, time_inferences, warm_up
from .weight_cache import WeightCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .interpreter import InterpreterRuntime, InterpreterSession
    from .session import Session

    Runtime = NativeRuntime | InterpreterRuntime
    Say = Callable[..., None]

_WARMUP_END = 500  # samples kept of each end of the warm-up
_COLD_INFERENCES = 5  # after the first, for what it will be once warm


def _measure_latency(runtime: Runtime, order: dict[str, object], watch: Stopwatch, say: Say) -> None:
    session = runtime.open(order)
    _feed(session, order)
    infer, settings = session.inference(), Settings(order["settings"])  # type: ignore[arg-type]
    warm = warm_up(watch, infer, settings)
    _say_loaded(say, session, warm)
    _say_samples(say, watch, time_inferences(watch, infer, settings), warm)


def _measure_ops(runtime: Runtime, order: dict[str, object], watch: Stopwatch, say: Say) -> None:
    refused = runtime.ops_refused or targets.ops_refused(order["unit"])  # type: ignore[arg-type]
    if refused is not None:
        told = _ask_tool(refused, order)
        watch.restart()
        _measure_latency(runtime, order, watch, say)
        say("profile", **told)
        return
    session = runtime.open(order, profiling=True)
    _feed(session, order)
    infer, settings = session.inference(), Settings(order["settings"])  # type: ignore[arg-type]
    warm = warm_up(watch, infer, settings)
    _say_loaded(say, session, warm)
    samples, seen = Samples(), profile.Profile()
    for _ in range(settings.inferences):
        session.start_profiler()
        end = watch.time(infer, samples)
        seen.add(session.stop_profiler())
        if end >= settings.limit_ns:
            break
    _say_samples(say, watch, samples, warm)
    say("profile", **seen.message())


def _ask_tool(refused: str, order: dict[str, object]) -> dict[str, object]:
    """The `profile` of another program, where there is one, before the runtime takes memory or an accelerator."""
    from . import native_tool  # brings subprocess, which no other launch needs

    if not native_tool.can_measure(order["unit"]):  # type: ignore[arg-type]
        return profile.unavailable(refused)
    path = native_tool.find((str(order["package"]),))
    if path is None:
        return profile.unavailable("{}; {}".format(refused, native_tool.MISSING))
    return native_tool.measure(order, refused, path)


def _measure_memory(runtime: Runtime, order: dict[str, object], watch: Stopwatch, say: Say) -> None:
    meter = memory.Meter()
    session = runtime.open(order)
    loaded = meter.levels()
    _feed(session, order)
    settings, samples = Settings(order["settings"]), Samples()  # type: ignore[arg-type]
    infer = session.inference()
    for _ in range(settings.inferences):
        if watch.time(infer, samples) >= settings.limit_ns:
            break
    report = meter.report(loaded, meter.levels())
    _say_loaded(say, session, samples)
    _say_samples(say, watch, samples, Samples())
    say("memory", **report)


def _measure_cold(runtime: Runtime, order: dict[str, object], watch: Stopwatch, say: Say) -> None:
    cache = None if order["weight_cache"] == "off" else WeightCache(order)
    session = _open_with(cache, runtime, order)
    _feed(session, order)
    settings, first, warm = Settings(order["settings"]), Samples(), Samples()  # type: ignore[arg-type]
    infer = session.inference()
    watch.time(infer, first)
    for _ in range(min(_COLD_INFERENCES, settings.inferences)):
        if watch.time(infer, warm) >= settings.limit_ns:
            break
    if cache is not None:
        cache.check()
    _say_loaded(say, session, first)
    _say_samples(say, watch, warm, first)


def _open_with(cache: WeightCache | None, runtime: Runtime, order: dict[str, object]) -> Session | InterpreterSession:
    if cache is None:
        return runtime.open(order)
    if not isinstance(runtime, NativeRuntime):
        raise LiteRtError("there is no weight cache through the Interpreter: LiteRT's compiled model alone takes one")
    cache.prepare()
    return runtime.open(order, weight_cache=cache.path)


PASSES: dict[str, Callable[[Runtime, dict[str, object], Stopwatch, Say], None]] = {
    "latency": _measure_latency,
    "ops": _measure_ops,
    "memory": _measure_memory,
    "cold": _measure_cold,
}


def _feed(session: Session | InterpreterSession, order: dict[str, object]) -> None:
    session.feed(order["inputs"], int(order["seed"]))  # type: ignore[arg-type,call-overload]


def _say_loaded(say: Say, session: Session | InterpreterSession, first: Samples) -> None:
    say(
        "loaded",
        environment_ns=session.environment_ns,
        compile_ns=session.compile_ns,
        first_ns=first.wall_ns[0],
        delegation=session.delegation,
        adapter=session.adapter,
    )


def _say_samples(say: Say, watch: Stopwatch, timed: Samples, warm: Samples) -> None:
    warmup = warm.wall_ns
    if len(warmup) > 2 * _WARMUP_END:  # a model of microseconds warms up over tens of thousands of inferences
        warmup = warmup[:_WARMUP_END] + warmup[-_WARMUP_END:]
    say(
        "samples",
        wall_ns=timed.wall_ns,
        cpu_ns=timed.cpu_ns,
        starts_ns=timed.starts_ns,
        warmup_ns=warmup,
        clock_ns=watch.clock_ns,
    )
