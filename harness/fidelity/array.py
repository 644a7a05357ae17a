"""A numpy array of any dtype and shape; docstrings say which."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
