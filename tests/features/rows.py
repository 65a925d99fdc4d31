"""Interactions as a test types them, and strategies that put them on and around every edge of a window."""

from datetime import datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from sintonia.core.schema import CHANNELS, INTERACTIONS, KINDS
from sintonia.features import Fitted

DAY = timedelta(days=1)
AS_OFS = (datetime(2025, 2, 1), datetime(2025, 2, 8), datetime(2025, 3, 1))
SCHEMA = INTERACTIONS.arrow()
FITTED = Fitted(
    datetime(2025, 1, 1),
    {
        "channel": CHANNELS,
        "kind": KINDS,
        "category": ("tea", "cake", "jam"),
        "action_id": ("sale", "news"),
        "sent:channel": ("email",),
        "sent:action_id": ("sale", "news"),
        "source": ("test",),
    },
    {
        "open": 0.25,
        "click": 0.1,
        "redeem": 0.05,
        "open:email": 0.5,
        "click:action:sale": 0.2,
        "redeem:unasked": 0.1,
    },
)
"""A brand that has every channel and kind, and sends two actions by e-mail."""


def row(customer_id, occurred_at, kind="purchase", channel="store", **more):
    """Return one interaction, by default known at once; times are days of 2025 (1 is January 1st)."""
    occurred_at, known_at = (_time(at) for at in (occurred_at, more.pop("known_at", occurred_at)))
    plain = {"opens_thread": True, "quantity": 1, "amount": 100, "discount": 0}
    keys = {"customer_id": customer_id, "occurred_at": occurred_at, "known_at": known_at}
    return keys | {"kind": kind, "channel": channel} | plain | more


def day(number):
    """Return the start of a day of 2025, fractions allowed: 1 is January 1st."""
    return datetime(2025, 1, 1) + (number - 1) * DAY


def _time(at):
    return at if isinstance(at, datetime) else day(at)


def table(rows):
    """Return rows as the store's interactions: in order, with every column of the contract."""
    numbered = [{"interaction_id": f"{i:06d}", "source": "test", **one} for i, one in enumerate(rows)]
    ordered = sorted(numbered, key=lambda one: tuple(one[name] for name in INTERACTIONS.order))
    return pa.Table.from_pylist(ordered, schema=SCHEMA)


def bytes_of(features, as_of=None):
    """Return a feature table as plain bytes per column, optionally of one as_of only."""
    if as_of is not None:
        features = features.filter(pa.compute.equal(features["as_of"], pa.scalar(as_of, pa.timestamp("us"))))
    return {name: _bytes(features[name].combine_chunks()) for name in features.column_names}


def _bytes(array):
    return array.to_pylist() if pa.types.is_string(array.type) else array.to_numpy().tobytes()


OTHERS = ["view", "cart", "send", "open", "redeem", "return", "complaint", "resolve", "contact"]
edges = st.sampled_from([as_of - days * DAY for as_of in AS_OFS for days in (0, 7, 30)])
moments = st.builds(lambda edge, off: edge + timedelta(microseconds=off), edges, st.sampled_from([-1, 0, 1]))
anytime = moments | st.datetimes(datetime(2024, 12, 1), datetime(2025, 3, 20))
waits = st.sampled_from([timedelta(0), timedelta(0), timedelta(microseconds=1), 3 * DAY, 10 * DAY, 40 * DAY])


@st.composite
def interactions(draw):
    """Draw one interaction of one of four customers, late or not, whole or with gaps."""
    occurred_at = draw(anytime)
    return row(
        draw(st.sampled_from("abcd")),
        occurred_at,
        draw(st.sampled_from(["purchase"] * 3 + OTHERS) | st.none()),
        draw(st.sampled_from(["web", "store", "app", "email"]) | st.none()),
        known_at=occurred_at + draw(waits),
        opens_thread=draw(st.booleans() | st.none()),
        quantity=draw(st.integers(-3, 5) | st.none()),
        amount=draw(st.integers(-(10**6), 10**6)),
        discount=draw(st.integers(0, 10**4) | st.none()),
        category=draw(st.sampled_from(["tea", "cake", "jam"]) | st.none()),
        item_id=draw(st.sampled_from(["green", "fig"]) | st.none()),
        action_id=draw(st.sampled_from(["sale", "news"]) | st.none()),
        thread_id=draw(st.sampled_from(["t", "u"]) | st.none()),
        utc_offset_minutes=draw(st.sampled_from([0, 60, -300]) | st.none()),
        sentiment=draw(st.sampled_from([-1.0, -0.25, 0.5]) | st.none()),
    )


histories = st.lists(interactions(), max_size=40)
