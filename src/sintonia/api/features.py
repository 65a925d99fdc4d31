"""Features of a frame of interactions, without a workspace."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sintonia import features
from sintonia.api.frames import to_dates, to_native
from sintonia.core.config import FeaturesConfig
from sintonia.features.from_frames import history_from_frame

FAMILIES = ("rfm", "channel_mix", "kinds")
WINDOWS_DAYS = (7, 30, 90, 365)


def compute_features(
    interactions: Any,  # noqa: ANN401  any data frame
    as_of: str | date | Sequence[str | date],
    *,
    families: Sequence[str] = FAMILIES,
    windows_days: Sequence[int] = WINDOWS_DAYS,
    half_lives_days: Sequence[int] = (30, 180),
    top_k: int = 10,
    threads: int = 1,
) -> Any:  # noqa: ANN401  the kind of frame that came in
    """Return the features of customers as they were known at each as-of date, in the kind of frame that came in.

    One row per (customer_id, as_of), in that order, for every customer with an interaction visible at as_of: one with
    occurred_at <= as_of, known_at <= as_of, and known_until null or later than as_of. A window is
    (as_of - days, as_of]. Levels, rates and the behavioural prior are fitted on what was visible at the first as_of,
    so that no row sees what came after it.

    Parameters
    ----------
    interactions
        A pandas, Polars or Arrow frame with `customer_id`, `occurred_at` and `kind`; further columns of the contract
        are read where there are any: `known_at`, `known_until` (when a newer version of the row or its deletion became
        known), `channel`, `category`, `amount` (whole minor units, as cents; returns negative), `thread_id` and so on.
        Times are datetimes, texts in ISO 8601 or numbers since 1970 (seconds to nanoseconds, by their size); without a
        zone they are UTC. Equal rows with one `interaction_id` count once.
    as_of
        One date or several; a date without a time is its first moment.
    families
        Families of features, as `sintonia features` lists them.
    windows_days, half_lives_days
        Windows, and half-lives of decayed sums, in days.
    top_k
        How many categories and actions get columns of their own.
    threads
        How many threads share the customers; the result does not depend on it.

    Raises
    ------
    InputError
        When a column is missing, a value cannot be read, a time is before 1990-01-02, or a kind or channel is unknown.
    ConfigError
        For an unknown family.

    Examples
    --------
    >>> import pandas as pd
    >>> interactions = pd.DataFrame({
    ...     "customer_id": ["ann", "ann", "bob"],
    ...     "occurred_at": ["2026-06-01", "2026-06-20", "2026-07-05"],
    ...     "kind": "purchase",
    ...     "amount": [1200, 800, 500],
    ... })
    >>> x = compute_features(interactions, "2026-06-30", families=["rfm"], windows_days=[30])
    >>> x[["customer_id", "as_of"]].values.tolist()
    [['ann', Timestamp('2026-06-30 00:00:00')]]
    """
    config = FeaturesConfig(
        families=list(families),
        windows_days=list(windows_days),
        half_lives_days=list(half_lives_days),
        top_k=top_k,
    )
    history, as_ofs = history_from_frame(interactions), to_dates(as_of)
    fitted = features.fit_history(config, history, as_ofs[0])
    return to_native(features.compute(history, as_ofs, config, fitted, threads), interactions)
