"""Memory that nothing uses goes back, memory in use stays."""

import pyarrow as pa

from sintonia.core.memory import release


def test_arrays_in_use_keep_their_values_and_their_memory():
    numbers = pa.array(range(1000))
    release()
    assert pa.total_allocated_bytes() >= numbers.nbytes
    assert numbers[999].as_py() == 999
