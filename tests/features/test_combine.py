"""How terms make features, worked by hand."""

import numpy as np
import pytest

from sintonia.features.combine import deviation, entropy, how_many, part_of_both, ratio, smoothed_rate


def test_a_ratio_over_nothing_is_missing_and_over_missing_is_missing():
    found = ratio(np.array([3.0, 0.0, 2.0, np.nan]), np.array([-2.0, 0.0, np.nan, 1.0]))
    np.testing.assert_array_equal(found, [-1.5, np.nan, np.nan, np.nan])


def test_a_ratio_leaves_its_inputs_as_they_are():
    value, base = np.array([1, 2]), np.array([0, 4])
    ratio(value, base)
    assert (value.tolist(), base.tolist()) == ([1, 2], [0, 4])


def test_a_part_of_nothing_is_missing():
    np.testing.assert_array_equal(part_of_both(np.array([1, 0]), np.array([3, 0])), [0.25, np.nan])


def test_how_many_counts_the_counts_that_are_not_zero():
    assert how_many(np.array([2, 0]), np.array([1, 0]), np.array([0, 7])).tolist() == [2, 1]


def test_a_smoothed_rate_starts_at_the_mean_and_ends_at_the_rate():
    rates = smoothed_rate(np.array([0, 1, 10**6]), np.array([0, 2, 10**6]), mean=0.2, weight=8.0)
    assert rates == pytest.approx([0.2, 0.26, 1.0], abs=1e-5)


@pytest.mark.parametrize("numbers", [[3], [3, 3], [1, 2, 4], [-5, 5, 0, 1], [10**12, 10**12 + 1, 10**12 + 4]])
def test_a_deviation_is_that_of_the_numbers_wherever_they_lie(numbers):
    total, squares = np.array([sum(numbers)]), np.array([sum(x * x for x in numbers)])
    found = deviation(
        np.array([len(numbers)]), total, np.array(squares.astype(object) % 2**64).astype("u8").view("i8")
    )
    expected = np.std(np.array(numbers) - numbers[0], ddof=1) if len(numbers) > 1 else np.nan
    np.testing.assert_allclose(found, [expected], rtol=1e-15)


def test_entropy_is_the_bits_of_the_shares():
    first, second, third = np.array([1, 2, 0, 5]), np.array([1, 1, 0, 0]), np.array([2, 1, 0, -3])
    np.testing.assert_allclose(entropy(first, second, third), [1.5, 1.5, np.nan, 0.0])


def test_entropy_of_a_customer_is_the_same_alone_and_in_company_to_the_last_bit():
    counts = np.random.default_rng(7).poisson(3.0, (24, 1_000))
    counts[:, -1] += 10**6  # beyond the counts whose logarithms are looked up
    counts[3, :5] = -1
    together = entropy(*counts)
    alone = [entropy(*counts[:, [i]])[0] for i in range(counts.shape[1])]
    np.testing.assert_array_equal(together, alone)
    few = entropy(*counts[:, :500].reshape(24, 2, 250))
    np.testing.assert_array_equal(few.ravel(), together[:500])


def test_how_many_is_the_same_alone_and_in_company():
    counts = np.random.default_rng(7).integers(-1, 3, (10, 1_000))
    expected = [int((counts[:, i] > 0).sum()) for i in range(1_000)]
    assert how_many(*counts).tolist() == expected
    assert [int(how_many(*counts[:, [i]])[0]) for i in range(1_000)] == expected
