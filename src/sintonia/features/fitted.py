"""What features take from the past of all customers: levels, means and the behavioural prior, fitted once."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sintonia.config import FeaturesConfig
from sintonia.errors import InputError
from sintonia.features.measures import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.interactions import Store

CHOSEN = ("category", "action_id")
"""Labels of which a brand may have thousands: the configuration's `top_k` most frequent are levels."""

Counts = Mapping[tuple[str | None, ...], int]


@dataclass(frozen=True)
class Fitted:
    """What was learnt from the rows visible at `until`, and from no other; plain values that JSON keeps exactly.

    `levels` are the values of a label (channel, kind, category, action_id, source) seen by then, the most frequent
    first. `means` are the brand's own rates, which a customer's few tries lean on. `prior` is the
    behavioural prior's JSON, None where there is none.
    """

    until: datetime
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    prior: Mapping[str, Any] | None = None

    def as_plain(self) -> dict[str, Any]:
        """Return JSON values, which `from_plain` reads back to the last bit."""
        levels = {name: list(values) for name, values in self.levels.items()}
        return asdict(self) | {"until": self.until.isoformat(), "levels": levels}

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> "Fitted":
        """Return what `as_plain` gave.

        Raises
        ------
        InputError
            When these values are nothing fitted.

        Examples
        --------
        >>> fitted = Fitted(datetime(2025, 1, 1), {"channel": ("web", "store")}, {"open": 0.25})
        >>> Fitted.from_plain(fitted.as_plain()) == fitted
        True
        """
        try:
            return cls(
                until=datetime.fromisoformat(found["until"]),
                levels={name: tuple(values) for name, values in found["levels"].items()},
                means=dict(found["means"]),
                prior=found["prior"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"What the features were fitted to is not readable: {error!r}; train again."
            ) from None


def fit(config: FeaturesConfig, store: "Store", until: datetime) -> Fitted:
    """Return what the configuration's features need of the store's rows visible at `until`.

    A model is fitted at its first training as_of, so that no training row meets what lay after it, and keeps what
    was fitted.
    """
    columns = ("customer_id", "occurred_at", "known_at", *LABELS)
    return fit_tables(config, (store.read_bucket(path, columns=columns) for path in store.buckets), until)


def fit_tables(config: FeaturesConfig, interactions: "Iterable[pa.Table]", until: datetime) -> Fitted:
    """Return `fit` of interactions that come in tables, each read once; their order changes nothing."""
    counts: dict[tuple[str | None, ...], int] = {}
    for table in interactions:
        for labels, count in count_labels(table, until).items():
            counts[labels] = counts.get(labels, 0) + count
    levels = {name: _levels(counts, place) for place, name in enumerate(LABELS)}
    return Fitted(
        until=until,
        levels={name: found[: config.top_k] if name in CHOSEN else found for name, found in levels.items()},
    )


def count_labels(interactions: "pa.Table", until: datetime) -> dict[tuple[str | None, ...], int]:
    """Return how many rows visible at `until` have each combination of LABELS."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = pa.scalar(until, pa.timestamp("us"))
    visible = pc.and_(
        pc.less_equal(interactions["occurred_at"], moment), pc.less_equal(interactions["known_at"], moment)
    )
    counted = interactions.filter(visible).group_by(list(LABELS)).aggregate([([], "count_all")])
    labels = zip(*(counted[name].to_pylist() for name in LABELS), strict=True)
    return dict(zip(labels, counted["count_all"].to_pylist(), strict=True))


def _levels(counts: Counts, place: int) -> tuple[str, ...]:
    """Return one label's values, the most frequent first; of equals, in the order of their letters."""
    totals: dict[str, int] = {}
    for labels, count in counts.items():
        value = labels[place]
        if value is not None:
            totals[value] = totals.get(value, 0) + count
    return tuple(sorted(totals, key=lambda value: (-totals[value], value)))
