"""Unused memory, returned to the operating system."""

import ctypes
import gc
import sys


def release() -> None:
    """Give memory that nothing uses any more back to the system.

    What allocators keep for later adds up over steps that each use another one: a process that has scored holds
    hundreds of megabytes that its next step, in another library, cannot use.
    """
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
