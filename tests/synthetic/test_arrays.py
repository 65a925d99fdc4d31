import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.synthetic.arrays import draw_columns, hex_ids, permute_bits


@given(st.integers(0, 2**40), st.integers(1, 60))
def test_ids_of_different_numbers_and_salts_differ(first, salt):
    numbers = np.arange(first, first + 50)
    assert len({*hex_ids(numbers, salt), *hex_ids(numbers, salt + 1)}) == 100


@given(st.integers(3, 12), st.integers(0, 50))
def test_shuffling_is_a_permutation(bits, salt):
    everything = np.arange(1 << bits)
    assert np.array_equal(np.sort(permute_bits(everything, salt, bits)), everything)


def test_rows_are_picked_by_weight_and_never_where_the_weight_is_zero():
    weights = np.tile([1.0, 0.0, 3.0], (20_000, 1))
    picked = np.bincount(draw_columns(np.random.default_rng(1), weights), minlength=3)
    assert picked[1] == 0
    assert abs(picked[2] / 20_000 - 0.75) < 0.02
