"""Memory that nothing uses goes back, memory in use stays."""

import pyarrow as pa

from sintonia.core.memory import release


def test_arrays_in_use_keep_their_values_and_their_memory():
    kept = pa.array(range(1000))
    before = pa.total_allocated_bytes()
    release()
    assert pa.total_allocated_bytes() == before
    assert kept[999].as_py() == 999
