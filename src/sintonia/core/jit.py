"""The decorator of loops that numba compiles; importing this module imports numba."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: str | bool | set[str]) -> Callable[[Function], Function]:
    """Return a numba decorator that keeps its machine code on disk where the disk allows it.

    No wrapper for callers in C is compiled: there are none.
    """
    options = {"no_cfunc_wrapper": True, **options}

    def decorate(function: Function) -> Function:
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # an install that cannot be written to, and no folder of the user's either
            return numba.njit(nogil=True, **options)(function)  # type: ignore[no-any-return]

    return decorate
