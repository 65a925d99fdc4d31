"""As-of dates: which snapshots train, validate and test, and how far apart they must stand.

A snapshot's features look at (as_of - window, as_of] and its label at (as_of + gap, as_of + gap + horizon]. In
production the label of a training snapshot must be complete before the model is used, so it must be complete
before the first snapshot that judges the model, too: whatever lies closer is embargoed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sintonia.core.config import SplitConfig, TaskConfig, iso_time
from sintonia.core.errors import ConfigError, NotEnoughDataError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fold:
    """One turn of a rolling validation: the as-of date that judges, and those whose labels had ended by then."""

    train: tuple[datetime, ...]
    valid: datetime


@dataclass(frozen=True)
class Split:
    """As-of dates that train, validate and test, and those left out because their labels would reach across.

    `folds` judge again and again before the test; they also use what lies between training and validation.
    """

    train: tuple[datetime, ...]
    valid: tuple[datetime, ...]
    test: tuple[datetime, ...]
    embargoed: tuple[datetime, ...] = ()
    folds: tuple[Fold, ...] = ()

    @property
    def all(self) -> tuple[datetime, ...]:
        """Every as-of date that trains, validates or tests, in a fold or outside, oldest first."""
        folded = {as_of for fold in self.folds for as_of in (*fold.train, fold.valid)}
        return tuple(sorted({*self.train, *self.valid, *self.test} | folded))


def label_span(task: TaskConfig) -> timedelta:
    """Return how long after as_of the label is complete: gap + horizon."""
    return timedelta(days=task.gap_days + task.horizon_days)


def last_labelled(data_until: datetime, task: TaskConfig) -> datetime:
    """Return the last midnight whose label is complete: as_of + gap + horizon <= data_until.

    Examples
    --------
    >>> last_labelled(datetime(2017, 10, 22), TaskConfig(horizon_days=28))
    datetime.datetime(2017, 9, 24, 0, 0)
    """
    return midnight(data_until - label_span(task))


def midnight(moment: datetime) -> datetime:
    """Return the start of the moment's day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def split_snapshots(
    config: SplitConfig, task: TaskConfig, data_from: datetime, data_until: datetime
) -> Split:
    """Return the split: dates given by hand, else counted back from the last as-of date with a complete label.

    The newest `test_snapshots` test; the newest `valid_snapshots` whose labels end by the first test date
    validate; every older snapshot whose label ends by the first validation date trains.

    Raises
    ------
    NotEnoughDataError
        When a part would be empty, or a date's label is not complete yet.
    ConfigError
        When dates given by hand break the embargo.

    Examples
    --------
    >>> split = split_snapshots(
    ...     SplitConfig(every_days=14, snapshots=8, valid_snapshots=1, test_snapshots=1, history_days=30),
    ...     TaskConfig(horizon_days=28), datetime(2017, 1, 1), datetime(2017, 10, 22))
    >>> [f"{as_of:%m-%d}" for as_of in split.train], f"{split.valid[0]:%m-%d}", f"{split.test[0]:%m-%d}"
    (['06-18', '07-02', '07-16', '07-30'], '08-27', '09-24')
    >>> [f"{as_of:%m-%d}" for as_of in split.embargoed]
    ['08-13', '09-10']
    """
    span = label_span(task)
    newest = last_labelled(data_until, task)
    earliest = data_from + timedelta(days=config.history_days)
    counted = _counted(newest, earliest, config)
    test = _dates(config.test_as_of) or counted[-config.test_snapshots :]
    _need(test, "test", data_from, data_until, config, task)
    before_test = [as_of for as_of in counted if as_of + span <= min(test)]
    valid = _dates(config.valid_as_of) or before_test[-config.valid_snapshots :]
    _need(valid, "validation", data_from, data_until, config, task)
    train = _dates(config.train_as_of) or [as_of for as_of in before_test if as_of + span <= min(valid)]
    _need(train, "training", data_from, data_until, config, task)
    used = {*train, *valid, *test}
    split = Split(
        train=tuple(train),
        valid=tuple(valid),
        test=tuple(test),
        embargoed=tuple(as_of for as_of in counted if as_of not in used),
        folds=rolling_folds([*train, *valid] if config.train_as_of else before_test, span, config.folds),
    )
    _check_embargo(split, span, newest)
    return split


def rolling_folds(dates: Sequence[datetime], span: timedelta, count: int) -> tuple[Fold, ...]:
    """Return up to `count` folds, oldest first: each date tests a model fitted on older dates whose labels had ended.

    `dates` are those before the test; `span` is how long after a date its label is complete, so each fold keeps
    the embargo of law 2: training as_of + gap + horizon <= the as_of that judges. A date with nothing to learn
    from judges nothing.

    Examples
    --------
    >>> weeks = [datetime(2017, 1, 1) + week * timedelta(days=7) for week in range(5)]
    >>> for fold in rolling_folds(weeks, timedelta(days=14), 2):
    ...     print([f"{as_of:%m-%d}" for as_of in fold.train], f"{fold.valid:%m-%d}")
    ['01-01', '01-08'] 01-22
    ['01-01', '01-08', '01-15'] 01-29
    """
    ordered = sorted(set(dates))
    folds = [Fold(tuple(as_of for as_of in ordered if as_of + span <= valid), valid) for valid in ordered]
    taught = [fold for fold in folds if fold.train]
    return tuple(taught[max(len(taught) - count, 0) :])


def _counted(newest: datetime, earliest: datetime, config: SplitConfig) -> list[datetime]:
    """Return up to `snapshots` dates, oldest first, `every_days` apart, that end at the newest."""
    dates = [newest - step * timedelta(days=config.every_days) for step in range(config.snapshots)]
    return sorted(as_of for as_of in dates if as_of >= earliest)


def _dates(texts: list[str]) -> list[datetime]:
    return sorted(iso_time("split", text) for text in texts)


def _need(
    dates: list[datetime],
    part: str,
    data_from: datetime,
    data_until: datetime,
    config: SplitConfig,
    task: TaskConfig,
) -> None:
    if not dates:
        days = task.gap_days + task.horizon_days
        raise NotEnoughDataError(
            f"No {part} snapshot: the data go from {data_from:%Y-%m-%d} to {data_until:%Y-%m-%d}, and test, validation "
            f"and training each need a label of {days} days after {config.history_days} days of history. "
            f"Shorten task.horizon_days, split.history_days or split.every_days."
        )


def _check_embargo(split: Split, span: timedelta, newest: datetime) -> None:
    late = [as_of for as_of in split.all if as_of > newest]
    if late:
        raise NotEnoughDataError(
            f"The label of {late[0]:%Y-%m-%d} is not complete yet; the last as-of date with one is {newest:%Y-%m-%d}."
        )
    for earlier, later, names in (
        (split.train, split.valid, ("training", "validation")),
        (split.valid, split.test, ("validation", "test")),
    ):
        if max(earlier) + span > min(later):
            raise ConfigError(
                f"The label of the {names[0]} snapshot {max(earlier):%Y-%m-%d} ends {max(earlier) + span:%Y-%m-%d}, "
                f"after the first {names[1]} snapshot {min(later):%Y-%m-%d}; leave {span.days} days between them."
            )
