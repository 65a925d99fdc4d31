"""Splits in time: every label is complete before the next part begins."""

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sintonia.core.config import SplitConfig, TaskConfig
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.core.timeline import label_span, last_labelled, rolling_folds, split_snapshots

START, END = datetime(2017, 1, 1), datetime(2017, 10, 22)


@given(
    every=st.integers(1, 60),
    snapshots=st.integers(3, 40),
    valid=st.integers(1, 3),
    test=st.integers(1, 3),
    gap=st.integers(0, 20),
    horizon=st.integers(1, 60),
)
def test_every_training_label_ends_by_the_first_date_that_judges(every, snapshots, valid, test, gap, horizon):
    """Law 2."""
    config = SplitConfig(every, snapshots, valid, test, history_days=14)
    task = TaskConfig(gap_days=gap, horizon_days=horizon)
    try:
        split = split_snapshots(config, task, START, END)
    except NotEnoughDataError:
        assume(False)
    span = label_span(task)
    assert max(split.train) + span <= min(split.valid)
    assert max(split.valid) + span <= min(split.test)
    assert max(split.test) + span <= END
    assert min(split.train) >= START + timedelta(days=14)
    assert not set(split.embargoed) & {*split.train, *split.valid, *split.test}
    for fold in split.folds:
        assert max(fold.train) + span <= fold.valid
        assert fold.valid + span <= min(split.test)
        assert {*fold.train, fold.valid} <= set(split.all)


@given(
    days=st.sets(st.integers(0, 60), min_size=1, max_size=12),
    span=st.integers(1, 30),
    count=st.integers(0, 6),
)
def test_folds_judge_the_newest_dates_that_have_something_to_learn_from(days, span, count):
    """Law 2, fold by fold: all that a fold may learn from it learns from, and nothing else."""
    dates = [START + timedelta(days=day) for day in days]
    folds = rolling_folds(dates[::-1], timedelta(days=span), count)
    taught = sorted(day for day in days if any(other + span <= day for other in days))
    assert [(fold.valid - START).days for fold in folds] == (taught[-count:] if count else [])
    for fold in folds:
        learnt = {(as_of - START).days for as_of in fold.train}
        assert learnt == {day for day in days if day + span <= (fold.valid - START).days}


def test_folds_of_dates_by_hand_use_these_dates_alone():
    config = SplitConfig(
        train_as_of=["2017-05-01", "2017-06-01"], valid_as_of=["2017-07-01"], test_as_of=["2017-08-01"]
    )
    split = split_snapshots(config, TaskConfig(horizon_days=28), START, END)
    assert [(fold.train, fold.valid) for fold in split.folds] == [
        ((datetime(2017, 5, 1),), datetime(2017, 6, 1)),
        ((datetime(2017, 5, 1), datetime(2017, 6, 1)), datetime(2017, 7, 1)),
    ]


def test_label_that_ends_as_the_data_end_is_complete():
    assert last_labelled(END, TaskConfig(horizon_days=28)) == datetime(2017, 9, 24)
    assert last_labelled(END - timedelta(seconds=1), TaskConfig(horizon_days=28)) == datetime(2017, 9, 23)


def test_dates_by_hand_win():
    config = SplitConfig(
        train_as_of=["2017-06-01"], valid_as_of=["2017-07-01"], test_as_of=["2017-09-01", "2017-08-01"]
    )
    split = split_snapshots(config, TaskConfig(horizon_days=28), START, END)
    assert split.train == (datetime(2017, 6, 1),)
    assert split.test == (datetime(2017, 8, 1), datetime(2017, 9, 1))


def test_test_date_by_hand_moves_the_others_before_it():
    config = SplitConfig(every_days=7, snapshots=30, test_as_of=["2017-08-27"])
    split = split_snapshots(config, TaskConfig(horizon_days=28), START, END)
    assert max(split.valid) <= datetime(2017, 7, 30)


def test_dates_by_hand_that_break_the_embargo_are_refused():
    config = SplitConfig(train_as_of=["2017-07-15"], valid_as_of=["2017-08-01"], test_as_of=["2017-09-24"])
    with pytest.raises(
        ConfigError, match="training snapshot 2017-07-15 ends 2017-08-12, after the first validation"
    ):
        split_snapshots(config, TaskConfig(horizon_days=28), START, END)


def test_date_whose_label_is_not_over_is_refused():
    config = SplitConfig(test_as_of=["2017-10-01"])
    with pytest.raises(NotEnoughDataError, match="the last as-of date with one is 2017-09-24"):
        split_snapshots(config, TaskConfig(horizon_days=28), START, END)


def test_short_history_says_what_is_missing():
    with pytest.raises(NotEnoughDataError, match="No validation snapshot"):
        split_snapshots(
            SplitConfig(history_days=30), TaskConfig(horizon_days=60), START, START + timedelta(days=100)
        )
