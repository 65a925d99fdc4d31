"""The types of arrays that functions take and return, by what an array holds."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = np.ndarray[Any, Any]
"""Of any type and shape: what compiled loops take."""

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]
Numbers: TypeAlias = NDArray[Any]
"""Numbers of any type."""

Times: TypeAlias = NDArray[np.datetime64]
"""Moments in UTC, to the microsecond."""

Spans: TypeAlias = NDArray[np.timedelta64]
Texts: TypeAlias = NDArray[Any]
"""Texts and None as objects."""
