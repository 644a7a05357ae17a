"""Interpreters of before TensorFlow 2.13 or so: no resolvers to choose from, and the first graph alone.

Google's own libedgetpu goes with tflite-runtime 2.5, which is one. Only what its public face has is used, which has
been the same since. Never run on one yet: the tests have a double with that face around LiteRT.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class OldInterpreter:
    """One of those with the face that later ones have inside: the interpreter below it, and graphs by number."""

    def __init__(self, interpreter: Any) -> None:  # noqa: ANN401 (untyped)
        self._old = interpreter
        self._interpreter = self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (untyped)
        return getattr(self._old, name)

    def Invoke(self, graph: int) -> None:
        _check_first(graph)
        self._old.invoke()

    def SetTensor(self, index: int, array: object, graph: int) -> None:
        _check_first(graph)
        self._old.set_tensor(index, array)

    def AllocateTensors(self, graph: int) -> None:
        _check_first(graph)

    def _get_tensor_details(self, index: int, graph: int) -> Any:  # noqa: ANN401
        _check_first(graph)
        return self._old._get_tensor_details(index)


def _check_first(graph: int) -> None:
    if graph != 0:
        raise ValueError("this version runs the first graph of a file alone")
