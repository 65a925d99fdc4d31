import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.uplift.folds import DRAW, FOLD, PART, fold_of, part_of, uniform

CUSTOMERS = st.lists(st.integers(0, 2**62), min_size=1, max_size=60).map(lambda ids: np.array(ids, np.int64))


@given(CUSTOMERS, st.integers(2, 7), st.integers(0, 99))
def test_rows_of_a_customer_share_a_fold_and_folds_are_as_large_as_each_other(customers, folds, salt):
    fold = fold_of(customers, folds, salt)
    assert all(len(set(fold[customers == one])) == 1 for one in customers)
    _, first = np.unique(customers, return_index=True)
    sizes = np.bincount(fold[first], minlength=folds)
    assert sizes.max() - sizes.min() <= 1


@given(CUSTOMERS, CUSTOMERS, st.integers(0, 99))
def test_a_part_stays_when_other_customers_come(customers, others, salt):
    alone = part_of(customers, [0.5, 0.25], salt)
    together = part_of(np.concatenate([customers, others]), [0.5, 0.25], salt)
    assert together[: len(customers)].tolist() == alone.tolist()


def test_numbers_of_different_purposes_and_salts_have_nothing_to_do_with_each_other():
    customers = np.arange(50_000)
    drawn = np.stack([uniform(customers, salt, purpose) for salt in (0, 7) for purpose in (PART, FOLD, DRAW)])
    correlations = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlations).max() < 0.02
    assert np.abs(drawn.mean(axis=1) - 0.5).max() < 0.01
