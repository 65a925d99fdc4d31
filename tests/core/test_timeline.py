"""Splits in time: every label is complete before the next part begins."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sintonia.core.config import CheckSettings, SplitConfig, TaskConfig
from sintonia.core.config.compose import compose
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.core.timeline import (
    ENOUGH_DATES,
    NOT_OUT_OF_TIME,
    CustomerShares,
    Split,
    dates_text,
    label_span,
    last_labelled,
    rolling_folds,
    split_customers,
    split_snapshots,
)

START, END = datetime(2017, 1, 1), datetime(2017, 10, 22)


@given(
    every=st.integers(1, 60),
    snapshots=st.integers(3, 40),
    valid=st.integers(1, 3),
    test=st.integers(1, 3),
    gap=st.integers(0, 20),
    horizon=st.integers(1, 60),
    name=st.sampled_from(["counted", "auto"]),
)
def test_every_training_label_ends_by_the_first_date_that_judges(
    every, snapshots, valid, test, gap, horizon, name
):
    """Law 2."""
    config = SplitConfig(every, snapshots, valid, test, history_days=14, name=name)
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


def dates(split: Split) -> tuple[list[str], list[str], list[str]]:
    train, valid, test = (
        [f"{as_of:%m-%d}" for as_of in part] for part in (split.train, split.valid, split.test)
    )
    return train, valid, test


def split_of(*overrides: str, data_from: datetime, data_until: datetime) -> Split:
    check = compose("check", [*overrides])
    assert isinstance(check, CheckSettings)
    return split_snapshots(check.split, check.task, data_from, data_until)


YEAR = {"data_from": datetime(2025, 1, 1), "data_until": datetime(2025, 12, 31)}


def test_a_year_on_defaults_has_enough_dates():
    """Counted monthly, nothing is left to train on. A fortnight apart, each part's labels just end by the next.

    The last label of 60 days starts on 2025-11-01; the first test date less 60 days is 2025-08-19, and so on.
    """
    with pytest.raises(NotEnoughDataError, match=r"No training snapshot.* Give split=auto"):
        split_of("split=monthly", **YEAR)
    split = split_of(**YEAR)
    assert dates(split) == (
        ["04-11", "04-25", "05-09", "05-23", "06-06"],
        ["08-05", "08-19"],
        ["10-18", "11-01"],
    )
    assert split.marks == ()
    assert [fold.valid for fold in split.folds] == list(split.valid)
    assert dates_text(split) == (
        "trained as of 2025-04-11 to 2025-06-06 (5 dates), validated as of 2025-08-05 to 2025-08-19 (2 dates), "
        "tested as of 2025-10-18 to 2025-11-01 (2 dates)"
    )


@pytest.mark.parametrize("preset", ["null", "weekly", "monthly"])
@pytest.mark.parametrize("task", ["churn", "purchase", "category", "value"])
def test_a_year_has_enough_dates_whatever_the_task_and_the_preset(task, preset):
    split = split_of(f"task={task}", f"preset={preset}", **YEAR)
    assert len(split.train) >= ENOUGH_DATES
    assert not split.marks


def test_a_shorter_history_is_judged_by_one_date_and_marked_where_dates_are_few():
    """Of 280 days, 90 are history and 180 the labels of three dates: two training dates a week apart are left."""
    split = split_of(data_from=datetime(2025, 1, 1), data_until=datetime(2025, 10, 8))
    assert dates(split) == (["04-04", "04-11"], ["06-10"], ["08-09"])
    (mark,) = split.marks
    assert mark.startswith("It was trained on 2 as-of dates (2025-04-04, 2025-04-11), where 3 are the least")
    assert "split.snapshots" in mark
    assert "preset=weekly" in mark


def test_a_history_too_short_for_any_date_says_how_long_it_must_be_and_what_to_do():
    with pytest.raises(NotEnoughDataError) as refused:
        split_of(data_from=datetime(2025, 1, 1), data_until=datetime(2025, 9, 27))
    assert str(refused.value) == (
        "No training snapshot: the data go from 2025-01-01 to 2025-09-27, and test, validation and training each need "
        "a label of 60 days after 90 days of history, 270 days at least. Bring older data, or shorten "
        "task.horizon_days or split.history_days, as preset=weekly does with a horizon of 28 days; raise "
        "split.snapshots where split.every_days is small."
    )
    assert compose("check", ["preset=weekly"]).task.horizon_days == 28


def test_too_few_dates_asked_for_say_to_raise_their_number():
    with pytest.raises(NotEnoughDataError, match=r"Raise split.snapshots=2: the data reach further back\.$"):
        split_of("split.snapshots=2", data_from=datetime(2023, 1, 1), data_until=datetime(2025, 12, 31))


@given(
    every=st.integers(1, 60),
    snapshots=st.integers(3, 40),
    valid=st.integers(1, 3),
    test=st.integers(1, 3),
    horizon=st.integers(1, 90),
    days=st.integers(30, 800),
)
def test_chosen_dates_are_the_counted_ones_where_these_are_enough_and_never_fewer(
    every, snapshots, valid, test, horizon, days
):
    config = SplitConfig(every, snapshots, valid, test, history_days=30)
    task, data = TaskConfig(horizon_days=horizon), (START, START + timedelta(days=days))
    try:
        counted = split_snapshots(config, task, *data)
    except NotEnoughDataError:
        counted = None
    try:
        chosen = split_snapshots(replace(config, name="auto"), task, *data)
    except NotEnoughDataError:
        assert counted is None
        return
    assert len(chosen.train) + len(chosen.valid) + len(chosen.test) <= snapshots
    if counted is None:
        return
    assert len(chosen.train) >= min(len(counted.train), ENOUGH_DATES)
    if len(counted.train) >= ENOUGH_DATES:
        assert chosen == counted


SYNTHETIC = {"data_from": datetime(2024, 7, 1), "data_until": datetime(2026, 7, 1)}
GROCER = {"data_from": datetime(2017, 1, 1), "data_until": datetime(2017, 10, 22)}
BANK = {"data_from": datetime(2008, 5, 6), "data_until": datetime(2010, 11, 18)}


@pytest.mark.parametrize(
    ("settings", "data"),
    [
        *(([f"task={task}"], SYNTHETIC) for task in ("churn", "purchase", "category", "value")),
        (["preset=weekly"], SYNTHETIC),
        (["preset=monthly"], SYNTHETIC),
        (["experiment=complete_journey"], GROCER),
        (["experiment=complete_journey", "task=value"], GROCER),
        (["experiment=bank_marketing"], BANK),
    ],
)
def test_the_dates_of_the_brands_that_ship_are_those_counted(settings, data):
    assert split_of(*settings, **data) == split_of(*settings, "split.name=counted", **data)


def test_a_split_by_customers_has_one_date_and_says_that_it_is_not_out_of_time():
    split = split_customers(SplitConfig(name="customers", valid_share=0.1, seed=3), START)
    assert split.train == split.valid == split.test == split.all == (START,)
    assert not split.out_of_time
    assert split.marks == (NOT_OUT_OF_TIME,)
    assert dates_text(split) == (
        "70% of the customers train, 10% validate and 20% test, all as of 2017-01-01: not out of time (split.seed=3)"
    )


@given(seed=st.integers(0, 1000), valid=st.floats(0.1, 0.4), test=st.floats(0.1, 0.4))
def test_a_customers_part_depends_on_the_seed_and_the_customer_alone(seed, valid, test):
    """The shares are those asked for: of 2,000 customers, within five standard errors of a binomial."""
    shares = CustomerShares(valid, test, seed)
    parts = [shares.part(f"C{customer}") for customer in range(2000)]
    assert parts == [CustomerShares(valid, test, seed).part(f"C{customer}") for customer in range(2000)]
    for part, share in (("valid", valid), ("test", test), ("train", 1 - valid - test)):
        assert abs(parts.count(part) / 2000 - share) < 5 * (share * (1 - share) / 2000) ** 0.5
    # Whoever tests still tests when the validation grows.
    more = CustomerShares(valid + 0.1, test, seed)
    assert [part == "test" for part in parts] == [
        more.part(f"C{customer}") == "test" for customer in range(2000)
    ]


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.2, -0.1), (0.5, 0.5)])
def test_shares_that_leave_a_part_empty_are_refused(shares):
    with pytest.raises(
        ConfigError, match="leave a part empty; give shares above 0 that add up to less than 1"
    ):
        SplitConfig(name="customers", valid_share=shares[0], test_share=shares[1])


def test_an_unknown_split_is_refused():
    with pytest.raises(ConfigError, match="Unknown split 'custommers'; did you mean 'customers'"):
        SplitConfig(name="custommers")
