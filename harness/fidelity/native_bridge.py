"""A double of `coremltools.libcoremlpython`, the binding to Core ML that only macOS has.

Where it stands in, coremltools' own Python runs as it is and `MLModel.predict` computes by the reference execution
(mil/reference.py), which is what calibration needs. What would have to be measured on a Mac is not made up: durations,
devices, plans and compiled models raise RuntimeError, the error that coremltools' Python knows from the binding.

Its names are those of the binding of coremltools 9.0 (tests/data/coreml, recorded from the macOS wheel). What it does
was read in coremltools' sources and never compared with the binding, which runs on a Mac alone.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from harness.core.errors import WeighbridgeError
from harness.core.target import Target

if TYPE_CHECKING:
    from harness.fidelity.array import Array
    from harness.fidelity.mil.reference import Program

NAME = "coremltools.libcoremlpython"
_UNITS = ("ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")
_Answer = TypeVar("_Answer")


def _unmeasured(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("this comes from Core ML on a Mac; here the bench's double stands in for it, and only computes")


class _MLModelProxy:
    """A model that predicts by the reference.

    The program is read at the first prediction, so that a model that never predicts costs nothing.
    """

    _observed: tuple[str, ...] = ()  # values inside that predictions answer too

    def __init__(
        self,
        path: str,
        units: str,
        function: str = "",
        hints: Mapping[str, str] | None = None,  # noqa: ARG002 (the binding's; about speed alone)
        asset: object = None,
    ) -> None:
        if asset is not None or path.rstrip("/").endswith(".mlmodelc"):
            _unmeasured()
        if units not in _UNITS:
            raise RuntimeError(f"{units!r} are no compute units of Core ML")
        self._path, self._function = Path(path), function or None
        self._stamp = _stamp(self._path)
        self._program: Program | None = None

    def predict(self, features: "Mapping[str, Array]", state: "_State | None" = None) -> "dict[str, Array]":
        """Outputs by name, float16 ones as float32, as the binding gives them. Raises RuntimeError."""
        import numpy as np

        held = None if state is None else state._values
        outputs = _as_runtime_error(lambda: self._loaded().predict(features, held))
        return {name: each.astype(np.float32) if each.dtype == np.float16 else each for name, each in outputs.items()}

    def batchPredict(self, batch: "Sequence[Mapping[str, Array]]") -> "list[dict[str, Array]]":
        return [self.predict(features) for features in batch]

    def _loaded(self) -> "Program":
        if self._program is None:
            from harness.fidelity.mil.reference import Program

            if _stamp(self._path) != self._stamp:
                raise RuntimeError(f"{self._path} changed after it was loaded; load it again")
            self._program = Program.load(self._path, function=self._function, observe=self._observed)
        return self._program

    @staticmethod
    def maximum_supported_specification_version() -> int:
        """The newest format that the bench knows."""
        return max(target.specification for target in Target)

    def get_compiled_model_path(self) -> str:
        _unmeasured()

    def get_load_duration_in_nano_seconds(self) -> int:
        _unmeasured()

    def get_last_predict_duration_in_nano_seconds(self) -> int:
        _unmeasured()

    def newState(self) -> "_State":
        return _State(_as_runtime_error(lambda: self._loaded().make_state()))

    auto_set_specification_version = staticmethod(_unmeasured)
    create_model_asset_from_path = staticmethod(_unmeasured)
    create_model_asset_from_memory = staticmethod(_unmeasured)
    get_model_structure = staticmethod(_unmeasured)
    get_available_compute_devices = staticmethod(_unmeasured)
    get_all_compute_devices = staticmethod(_unmeasured)
    get_compute_plan = staticmethod(_unmeasured)
    compileModel = staticmethod(_unmeasured)


class _State:
    """What a stateful model keeps between predictions."""

    def __init__(self, values: "dict[str, Array]") -> None:
        self._values = values

    def read_state(self, name: str) -> "Array":
        return self._known(name)

    def write_state(self, name: str, value: "Array") -> None:
        self._known(name)[...] = value

    def _known(self, name: str) -> "Array":
        if name not in self._values:
            raise RuntimeError(f"no state {name}; there are {', '.join(self._values) or 'none'}")
        return self._values[name]


class _MLCPUComputeDeviceProxy:
    """A name that coremltools' Python derives classes from, like those below."""


class _MLGPUComputeDeviceProxy:
    pass


class _MLNeuralEngineComputeDeviceProxy:
    def get_total_core_count(self) -> int:
        _unmeasured()


class _MLComputePlanProxy:
    @property
    def model_structure(self) -> object:
        _unmeasured()

    def get_compute_device_usage_for_mlprogram_operation(self, operation: object) -> object:
        _unmeasured(operation)

    def get_compute_device_usage_for_neuralnetwork_layer(self, layer: object) -> object:
        _unmeasured(layer)

    def get_estimated_cost_for_mlprogram_operation(self, operation: object) -> object:
        _unmeasured(operation)


class _MLModelStructureProgramOperationProxy:
    pass


class _MLModelStructureNeuralNetworkLayerProxy:
    pass


class _MLModelAssetProxy:
    pass


_BINDING = (
    *(_MLModelProxy, _State, _MLModelAssetProxy, _MLComputePlanProxy),
    *(_MLCPUComputeDeviceProxy, _MLGPUComputeDeviceProxy, _MLNeuralEngineComputeDeviceProxy),
    *(_MLModelStructureProgramOperationProxy, _MLModelStructureNeuralNetworkLayerProxy),
)


def stand_in(package: Path) -> None:
    """Put the double where coremltools looks for its binding, unless the binding is there: in the package's folder, or
    imported. To be called before coremltools is imported."""
    if NAME not in sys.modules and not any(package.glob("libcoremlpython*.so")):
        double = ModuleType(NAME, __doc__)
        for each in _BINDING:
            setattr(double, each.__name__, each)
        sys.modules[NAME] = double


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells that a model was written anew; coremltools writes a manifest each time that it opens a package.

    Raises RuntimeError where there is no model.
    """
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        states = ((str(file), file.stat()) for file in files if file.name != "Manifest.json" and not file.is_dir())
        return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)
    except OSError as exc:
        raise RuntimeError(f"{path}: {exc.strerror}") from exc


def _as_runtime_error(answer: Callable[[], _Answer]) -> _Answer:
    """The binding's only error, whatever the reference raises on purpose."""
    try:
        return answer()
    except WeighbridgeError as exc:
        raise RuntimeError(str(exc)) from exc
