"""As-of dates: which snapshots train, validate and test, and how far apart they must stand.

A snapshot's features look at (as_of - window, as_of] and its label at (as_of + gap, as_of + gap + horizon]. In
production the label of a training snapshot must be complete before the model is used, so it must be complete
before the first snapshot that judges the model, too: whatever lies closer is embargoed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sintonia.core.config import SplitConfig, TaskConfig, iso_time
from sintonia.core.errors import ConfigError, NotEnoughDataError

DAY = timedelta(days=1)

ENOUGH_DATES = 3
"""Training dates below which a run is marked: with fewer, no season and no trend can be told from chance."""

CLOSER_DAYS = (14, 7)
"""How close dates may come when wider ones leave too few: whole weeks, so that each falls on the same weekday."""

NOT_OUT_OF_TIME = (
    "Not out of time: it was judged on other customers of the same table and the same moment, so its figures do not "
    "say how well it will do later, and a column that was filled in after the outcome makes them too good."
)

PARTS = {"train": "training", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Fold:
    """One turn of a rolling validation: the as-of date that judges, and those whose labels had ended by then."""

    train: tuple[datetime, ...]
    valid: datetime


@dataclass(frozen=True)
class CustomerShares:
    """Customers that validate and test where no dates are there to split by: drawn by a hash of seed and customer."""

    valid: float
    test: float
    seed: int

    def part(self, customer_id: str) -> str:
        """Return the customer's part, 'train', 'valid' or 'test': the same in every run with this seed.

        Examples
        --------
        >>> shares = CustomerShares(valid=0.2, test=0.2, seed=7)
        >>> [shares.part(customer) for customer in ("C1", "C2", "C3", "C4", "C5")]
        ['test', 'train', 'test', 'valid', 'train']
        """
        digest = sha256(f"{self.seed}:{customer_id}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        return "test" if drawn < self.test else "valid" if drawn < self.test + self.valid else "train"


@dataclass(frozen=True)
class Split:
    """As-of dates that train, validate and test, and those left out because their labels would reach across.

    `folds` judge again and again before the test; they also use what lies between training and validation. With
    `shares`, the parts have one date in common and other customers: such a split is not out of time.
    """

    train: tuple[datetime, ...]
    valid: tuple[datetime, ...]
    test: tuple[datetime, ...]
    embargoed: tuple[datetime, ...] = ()
    folds: tuple[Fold, ...] = ()
    shares: CustomerShares | None = None

    @property
    def out_of_time(self) -> bool:
        """Whether the test lies later than what was learned from."""
        return self.shares is None

    @property
    def marks(self) -> tuple[str, ...]:
        """What every reader of the run's figures must know of its dates, one sentence each."""
        if self.shares is not None:
            return (NOT_OUT_OF_TIME,)
        if len(self.train) >= ENOUGH_DATES:
            return ()
        dates = ", ".join(f"{as_of:%Y-%m-%d}" for as_of in self.train)
        return (
            f"It was trained on {len(self.train)} as-of date{'s' * (len(self.train) > 1)} ({dates}), where "
            f"{ENOUGH_DATES} are the least that tell a season from a habit: bring older data, raise split.snapshots or "
            "lower split.every_days, or shorten the horizon, as preset=weekly does.",
        )

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
    validate; every older snapshot whose label ends by the first validation date trains. With `name=auto`, where
    that leaves fewer than `ENOUGH_DATES` to train on, validation ends just where its labels end by the first test
    date, training likewise before validation, and the dates stand as far apart as leaves enough of them.

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

    A year is too short for months counted back and a label of 60 days:

    >>> year = datetime(2025, 1, 1), datetime(2025, 12, 31)
    >>> split_snapshots(SplitConfig(), TaskConfig(), *year)
    Traceback (most recent call last):
    ...
    sintonia.core.errors.NotEnoughDataError: No training snapshot: the data go from 2025-01-01 to 2025-12-31, and test, validation and training each need a label of 60 days after 90 days of history, 270 days at least. Give split=auto, or lower split.every_days and raise split.snapshots with it.
    >>> print(dates_text(split_snapshots(SplitConfig(name="auto"), TaskConfig(), *year)))
    trained as of 2025-04-11 to 2025-06-06 (5 dates), validated as of 2025-08-05 to 2025-08-19 (2 dates), tested as of 2025-10-18 to 2025-11-01 (2 dates)
    """  # noqa: E501
    span = label_span(task)
    newest = last_labelled(data_until, task)
    earliest = data_from + timedelta(days=config.history_days)
    split = _counted_split(config, span, newest, earliest)
    if config.name == "auto" and not (config.train_as_of or config.valid_as_of or config.test_as_of):
        plans = [split, *_closer_splits(config, span, newest, earliest)]
        # The first of those with enough training dates, else the one with the most.
        split = max(plans, key=lambda plan: min(len(plan.train), ENOUGH_DATES))
    for part in ("test", "valid", "train"):
        if not getattr(split, part):
            raise NotEnoughDataError(_no_snapshot(part, data_from, data_until, config, task))
    _check_embargo(split, span, newest)
    return split


def split_customers(config: SplitConfig, as_of: datetime) -> Split:
    """Return the split by customer of a table without dates, all of it as of one date."""
    shares = CustomerShares(config.valid_share, config.test_share, config.seed)
    return Split((as_of,), (as_of,), (as_of,), shares=shares)


def dates_text(split: Split) -> str:
    """Return in words which dates train, validate and test, or which shares of the customers."""
    if split.shares is not None:
        valid, test, seed = split.shares.valid, split.shares.test, split.shares.seed
        return (
            f"{1 - valid - test:.0%} of the customers train, {valid:.0%} validate and {test:.0%} test, all as of "
            f"{split.test[0]:%Y-%m-%d}: not out of time (split.seed={seed})"
        )
    parts = zip(("trained", "validated", "tested"), (split.train, split.valid, split.test), strict=True)
    return ", ".join(f"{verb} as of {_dates_text(dates)}" for verb, dates in parts)


def _dates_text(dates: Sequence[datetime]) -> str:
    first, last = min(dates), max(dates)
    return (
        f"{first:%Y-%m-%d}"
        if len(dates) == 1
        else f"{first:%Y-%m-%d} to {last:%Y-%m-%d} ({len(dates)} dates)"
    )


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


def _counted_split(config: SplitConfig, span: timedelta, newest: datetime, earliest: datetime) -> Split:
    """Return the split by dates given by hand or counted back from the newest; a part without dates is empty."""
    counted = _counted(newest, earliest, config.every_days, config.snapshots)
    test = _dates(config.test_as_of) or counted[-config.test_snapshots :]
    before_test = [as_of for as_of in counted if test and as_of + span <= min(test)]
    valid = _dates(config.valid_as_of) or before_test[-config.valid_snapshots :]
    train = _dates(config.train_as_of) or [
        as_of for as_of in before_test if valid and as_of + span <= min(valid)
    ]
    used = {*train, *valid, *test}
    return Split(
        train=tuple(train),
        valid=tuple(valid),
        test=tuple(test),
        embargoed=tuple(as_of for as_of in counted if as_of not in used),
        folds=rolling_folds([*train, *valid] if config.train_as_of else before_test, span, config.folds),
    )


def _closer_splits(
    config: SplitConfig, span: timedelta, newest: datetime, earliest: datetime
) -> Iterator[Split]:
    """Yield splits of which each part ends where its labels just end by the next, the widest spacing first.

    First with as many dates of validation and test as the settings say, then with one of each.
    """
    spacings = [config.every_days, *(days for days in CLOSER_DAYS if days < config.every_days)]
    for n_valid, n_test in dict.fromkeys([(config.valid_snapshots, config.test_snapshots), (1, 1)]):
        for every_days in spacings:
            test = _counted(newest, earliest, every_days, n_test)
            valid = _counted(min(test) - span, earliest, every_days, n_valid) if test else []
            n_train = max(config.snapshots - n_valid - n_test, 0)
            train = _counted(min(valid) - span, earliest, every_days, n_train) if valid else []
            folds = rolling_folds([*train, *valid], span, config.folds)
            yield Split(tuple(train), tuple(valid), tuple(test), folds=folds)


def _counted(newest: datetime, earliest: datetime, every_days: int, count: int) -> list[datetime]:
    """Return up to `count` dates, oldest first, `every_days` apart, that end at the newest."""
    dates = [newest - step * timedelta(days=every_days) for step in range(count)]
    return sorted(as_of for as_of in dates if as_of >= earliest)


def _dates(texts: list[str]) -> list[datetime]:
    return sorted(iso_time("split", text) for text in texts)


def _no_snapshot(
    part: str, data_from: datetime, data_until: datetime, config: SplitConfig, task: TaskConfig
) -> str:
    """Return why a part has no dates, and what would give it some."""
    days, needed = label_span(task).days, 3 * label_span(task).days + config.history_days
    text = (
        f"No {PARTS[part]} snapshot: the data go from {data_from:%Y-%m-%d} to {data_until:%Y-%m-%d}, and test, "
        f"validation and training each need a label of {days} days after {config.history_days} days of history, "
        f"{needed} days at least. "
    )
    newest, earliest = last_labelled(data_until, task), data_from + timedelta(days=config.history_days)
    if newest - timedelta(days=config.every_days * config.snapshots) >= earliest:
        return f"{text}Raise split.snapshots={config.snapshots}: the data reach further back."
    if (data_until - data_from).days >= needed and config.name == "counted":
        return f"{text}Give split=auto, or lower split.every_days and raise split.snapshots with it."
    return (
        f"{text}Bring older data, or shorten task.horizon_days or split.history_days, as preset=weekly does with "
        "a horizon of 28 days; raise split.snapshots where split.every_days is small."
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
