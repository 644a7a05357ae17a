"""Builds the variants that were asked for: what is in the cache is taken, the rest is built side by side."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import digest
from harness.core.errors import RecipeUnknown, StoreError
from harness.core.interruption import Check, never
from harness.core.model import Model
from harness.core.units import Seconds
from harness.core.variant import BuildFailed, BuildOutcome, Variant, VariantSpec
from harness.variants import cache as artefacts
from harness.variants import recipes
from harness.variants.full_disk import explain_unwritten
from harness.variants.job import CHANGED, BuildJob, BuildOne
from harness.variants.pool import run_jobs
from harness.variants.tflite.edgetpu_compiler import COMPILE_S, find_compiler, log_beside, version_of

Order = tuple[Model, VariantSpec]
Progress = Callable[[BuildOutcome], None]


@dataclass(slots=True, kw_only=True)
class _Pending:
    """One build. Several orders wait for it where they differ in names alone."""

    order: Order
    places: list[int]


def build_in_worker(job: BuildJob) -> Variant:
    """The real build. Imports it where it runs, in the build process."""
    from harness.variants.worker import build_one

    return build_one(job)


def build_variants(
    orders: Sequence[Order],
    *,
    cache: Path,
    jobs: int | None = None,
    timeout_of: Callable[[Model], Seconds],
    progress: Progress,
    build: BuildOne = build_in_worker,
    check: Check = never,
) -> tuple[BuildOutcome, ...]:
    """Build every order; outcomes stand in the order asked, and progress sees each as it ends.

    jobs: processes at once, None for one a core. timeout_of bounds a build by its model. A variant that cannot be
    built is a BuildFailed, and nothing else is lost by it. build is a function at the top of a module, run in the
    build process. check is called several times a second and may raise, which ends all builds.
    Raises StoreError where the cache cannot be written. No build outlives the call, however it ends.
    """
    results: dict[int, BuildOutcome] = {}
    pending: dict[str, _Pending] = {}
    file_digest = _FileDigests()
    for place, order in enumerate(orders):
        settled = _settle(order, cache, file_digest)
        if isinstance(settled, str):
            pending.setdefault(settled, _Pending(order=order, places=[])).places.append(place)
            continue
        results[place] = settled
        progress(settled)
    with closing(_built(pending, cache, jobs or _cores(), timeout_of, build, check)) as built:
        for key, outcome in built:
            for place in pending[key].places:
                results[place] = _renamed(outcome, *orders[place])
                progress(results[place])
    return tuple(results[place] for place in range(len(orders)))


class _FileDigests:
    """Digests of data and prebuilt files, each read once per call."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path | None) -> str | None:
        """None for None. Raises OSError."""
        if path is None:
            return None
        if path not in self._known:
            self._known[path] = digest.of_path(path)
        return self._known[path]


def _settle(order: Order, cache: Path, digests: _FileDigests) -> BuildOutcome | str:
    """The outcome of an order that needs no build, else the key of its entry."""
    model, spec = order
    try:
        reason = recipes.refusal_here(spec, model) if spec.prebuilt is None else None
        theirs = digests.of(spec.prebuilt)
        data = digests.of(model.data)
        key = artefacts.entry_key(
            model, spec, data_digest=data, prebuilt_digest=theirs, compiler=_compiler(model, spec, digests)
        )
    except RecipeUnknown as exc:
        reason = exc.reason
    except OSError as exc:
        return _failed(order, f"{exc.filename}: {exc.strerror}")
    if reason is not None:
        return _failed(order, reason, refused=True)
    if spec.prebuilt_digest not in (None, theirs):
        return _failed(order, f"{spec.prebuilt}: {CHANGED}")
    return artefacts.load(cache, key, model, spec) or key


def _compiler(model: Model, spec: VariantSpec, digests: _FileDigests) -> str | None:
    """The version of the compiler that a recipe ends with; of a file from elsewhere the digest of the compiler's log.

    Raises OSError where the compiler does not answer.
    """
    if spec.prebuilt is not None:
        log = log_beside(spec.prebuilt)
        return digests.of(log) if log.is_file() else None
    found = find_compiler(spec.compiler) if recipes.compiles(spec, model.format) else None
    return version_of(found) if found else None


def _built(
    pending: Mapping[str, _Pending],
    cache: Path,
    at_once: int,
    timeout_of: Callable[[Model], Seconds],
    build: BuildOne,
    check: Check,
) -> Generator[tuple[str, BuildOutcome], None, None]:
    """Keys with their outcomes, as builds end; what was built is in the cache."""
    longest_first = sorted(pending, key=lambda key: -_cost(pending[key].order))
    if not pending:
        return
    with _scratch(cache, longest_first) as scratch:
        work = [
            BuildJob(
                model=model,
                spec=spec,
                scratch=scratch / key,
                timeout_s=timeout_of(model) + (COMPILE_S if recipes.compiles(spec, model.format) else 0),
            )
            for key, (model, spec) in ((key, pending[key].order) for key in longest_first)
        ]
        with closing(run_jobs(work, build, at_once=at_once, check=check)) as ended:
            for job, outcome in ended:
                yield job.scratch.name, _keep(cache, job, outcome)


@contextmanager
def _scratch(cache: Path, names: Sequence[str]) -> Iterator[Path]:
    """A directory of this call's own in the cache, with one for each name; removed at the end."""
    made: Path | None = None
    try:
        made = Path(tempfile.mkdtemp(dir=artefacts.scratch_directory(cache)))
        for name in names:
            (made / name).mkdir()
    except OSError as exc:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise StoreError(
            f"{cache}: variants cannot be kept there ({exc.strerror}); name another folder with --bench"
        ) from exc
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _keep(cache: Path, job: BuildJob, outcome: BuildOutcome) -> BuildOutcome:
    if isinstance(outcome, BuildFailed):
        return outcome
    try:
        return artefacts.store(cache, job.scratch.name, outcome)
    except OSError as exc:
        told = explain_unwritten(exc, cache) or f"{cache} cannot keep it: {exc.strerror or exc}"
        return _failed((job.model, job.spec), f"built, but {told}")


def _renamed(outcome: BuildOutcome, model: Model, spec: VariantSpec) -> BuildOutcome:
    return replace(outcome, model=model.name, name=spec.name, recipe=spec.recipe)


def _failed(order: Order, error: str, *, refused: bool = False) -> BuildFailed:
    model, spec = order
    return BuildFailed(model=model.name, name=spec.name, recipe=spec.recipe, error=error, refused=refused)


def _cost(order: Order) -> float:
    model, spec = order
    return 0.0 if spec.prebuilt is not None else recipes.cost(recipes.parse(spec.recipe), model)


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
