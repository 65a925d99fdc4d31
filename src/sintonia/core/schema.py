"""Table contracts: columns, keys, time columns and units, as every step of the house relies on them.

Times are UTC microseconds without a zone mark; money is whole minor units (cents) in int64, returns negative,
so that sums are exact whatever the order of the rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

NOT_BEFORE = datetime(1990, 1, 2)
"""Times before are not believed: what stands for a missing one (the year 1, 1900-01-01, 1970-01-01) lies there."""

CHANNELS = ("web", "app", "store", "email", "sms", "push", "phone", "chat", "social", "mail")
"""Places where a brand and a customer meet."""

KINDS = (
    "search",
    "view",
    "cart",
    "purchase",
    "return",
    "redeem",
    "register",
    "login",
    "visit",
    "contact",
    "complaint",
    "resolve",
    "review",
    "send",
    "open",
    "click",
    "unsubscribe",
    "cancel",
)
"""What an interaction is. A complaint opens a case (its thread) and a resolve closes it."""

CONTACT_FIELDS = (
    "first_name",
    "last_name",
    "sex",
    "birth_date",
    "email",
    "phone",
    "street",
    "postcode",
    "city",
    "province",
    "country",
)
"""Personal data. It lives in the `contacts` table only, which no feature, run, log or review reads."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its SQL type, its unit and what it means."""

    name: str
    sql_type: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table contract: its grain (key), its total order and its columns."""

    name: str
    key: tuple[str, ...]
    order: tuple[str, ...]
    columns: tuple[Column, ...]

    def __str__(self) -> str:
        """Return the name, as SQL refers to it."""
        return self.name

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def arrow(self) -> "pa.Schema":
        """Return the Arrow schema of the table."""
        import pyarrow as pa

        types = {
            "VARCHAR": pa.string(),
            "TIMESTAMP": pa.timestamp("us"),
            "BIGINT": pa.int64(),
            "SMALLINT": pa.int16(),
            "FLOAT": pa.float32(),
            "DOUBLE": pa.float64(),
            "BOOLEAN": pa.bool_(),
            "VARCHAR[]": pa.list_(pa.string()),
            "DOUBLE[]": pa.list_(pa.float64()),
        }
        return pa.schema([(column.name, types[column.sql_type]) for column in self.columns])


INTERACTIONS = Table(
    name="interactions",
    key=("customer_id", "interaction_id", "known_at"),
    order=("customer_id", "occurred_at", "interaction_id", "known_at"),
    columns=(
        Column("customer_id", "VARCHAR", "", "the golden record this row belongs to"),
        Column("interaction_id", "VARCHAR", "", "the row's own id, unique within its source"),
        Column("thread_id", "VARCHAR", "", "order, session or case the row is part of"),
        Column("occurred_at", "TIMESTAMP", "UTC", "when it happened"),
        Column("utc_offset_minutes", "SMALLINT", "minutes", "the customer's own clock minus UTC"),
        Column("known_at", "TIMESTAMP", "UTC", "when the brand could first tie the row to the customer"),
        Column("channel", "VARCHAR", "", "where it happened, one of CHANNELS"),
        Column("kind", "VARCHAR", "", "what happened, one of KINDS"),
        Column("item_id", "VARCHAR", "", "the item concerned"),
        Column("category", "VARCHAR", "", "the item's category"),
        Column("quantity", "BIGINT", "items", "how many; returns negative"),
        Column("amount", "BIGINT", "cents", "money paid; returns negative"),
        Column("discount", "BIGINT", "cents", "money off the full price, positive"),
        Column("sentiment", "FLOAT", "-1 to 1", "how the customer sounded"),
        Column("action_id", "VARCHAR", "", "the action this row is part of or answers"),
        Column("decision_id", "VARCHAR", "", "the decision this row is part of or answers"),
        Column("source", "VARCHAR", "", "the silo the row came from"),
        Column("opens_thread", "BOOLEAN", "", "first row of its thread and kind to become visible"),
        Column(
            "known_until", "TIMESTAMP", "UTC", "when a newer version or a deletion became known; else null"
        ),
    ),
)
"""One row per (customer_id, interaction_id, known_at): of one id, a row ends (`known_until`) before the next is known.

A row is visible at as_of iff occurred_at <= as_of, known_at <= as_of, and known_until is null or later than as_of.

`opens_thread` marks, among a thread's rows of one kind, the one that becomes visible first (by the later of
`occurred_at` and `known_at`), so that orders can be counted without a distinct count and without a row that
is not yet known deciding which one counts. Of the rows visible at any moment exactly one has it: where that one ends,
another takes over, as a row of the same id that is known from that moment on.
"""

ATTRIBUTES = Table(
    name="attributes",
    key=("customer_id", "name", "occurred_at", "source"),
    order=("customer_id", "name", "occurred_at", "source"),
    columns=(
        Column("customer_id", "VARCHAR", "", "the golden record"),
        Column("name", "VARCHAR", "", "which attribute"),
        Column("value", "VARCHAR", "", "its value, as text"),
        Column("occurred_at", "TIMESTAMP", "UTC", "since when it holds"),
        Column("known_at", "TIMESTAMP", "UTC", "since when the brand knows it of this customer"),
        Column("source", "VARCHAR", "", "the silo that says so"),
    ),
)
"""Append-only; profile, tier and consent live here. The golden record is its latest view."""

CONTACTS = Table(
    name="contacts",
    key=("customer_id", "field", "value", "source"),
    order=("customer_id", "field", "occurred_at", "source"),
    columns=(
        Column("customer_id", "VARCHAR", "", "the golden record"),
        Column("field", "VARCHAR", "", "one of CONTACT_FIELDS"),
        Column("value", "VARCHAR", "", "personal data, as the silo wrote it"),
        Column("occurred_at", "TIMESTAMP", "UTC", "when the silo wrote it"),
        Column("known_at", "TIMESTAMP", "UTC", "when the brand could tie it to this customer"),
        Column("source", "VARCHAR", "", "the silo that says so"),
    ),
)
"""Personal data, apart from everything else: no feature, run, log or review reads it."""

CROSSWALK = Table(
    name="crosswalk",
    key=("source", "source_key", "linked_at"),
    order=("source", "source_key", "linked_at"),
    columns=(
        Column("source", "VARCHAR", "", "the type of identifier: cookie, account, card, email, ..."),
        Column("source_key", "VARCHAR", "", "the identifier"),
        Column("customer_id", "VARCHAR", "", "whose it is"),
        Column("linked_at", "TIMESTAMP", "UTC", "arrival of the last evidence the tie needed"),
        Column("unlinked_at", "TIMESTAMP", "UTC", "when the tie ended; null while it holds"),
        Column("match_probability", "DOUBLE", "0 to 1", "1 for an exact tie"),
        Column("rule", "VARCHAR", "", "which rule tied it"),
    ),
)
"""At any moment an identifier belongs to exactly one customer: the row with linked_at <= t < unlinked_at."""

LINKS = Table(
    name="links",
    key=("customer_id", "source", "linked_at"),
    order=("customer_id", "linked_at", "source", "unlinked_at"),
    columns=tuple(
        column
        for column in CROSSWALK.columns
        if column.name in ("customer_id", "source", "linked_at", "unlinked_at")
    ),
)
"""The crosswalk by customer and without the identifiers themselves, for features: several rows may be alike."""

MERGES = Table(
    name="merges",
    key=("customer_id",),
    order=("customer_id",),
    columns=(
        Column("customer_id", "VARCHAR", "", "a customer that became part of another"),
        Column("merged_into", "VARCHAR", "", "the customer it belongs to now"),
        Column("merged_at", "TIMESTAMP", "UTC", "arrival of the tie that joined it to an older customer"),
    ),
)
"""A customer id stays what it was as of any earlier date, and resolves to its successor afterwards."""

DECISIONS = Table(
    name="decisions",
    key=("decision_id",),
    order=("customer_id", "decided_at", "decision_id"),
    columns=(
        Column("decision_id", "VARCHAR", "", "the decision's own id"),
        Column("round_id", "VARCHAR", "", "the round it was taken in"),
        Column("customer_id", "VARCHAR", "", "for whom"),
        Column("unit", "VARCHAR", "", "the unit that was randomised, when it is not the customer"),
        Column("decided_at", "TIMESTAMP", "UTC", "when it was taken"),
        Column("as_of", "TIMESTAMP", "UTC", "as of when the features were taken"),
        Column("policy_version", "VARCHAR", "", "which policy took it"),
        Column("eligible_actions", "VARCHAR[]", "", "what could have been done, 'none' included"),
        Column("logging_propensities", "DOUBLE[]", "0 to 1", "with which probability, in the same order"),
        Column("action_id", "VARCHAR", "", "what was done"),
        Column("channel", "VARCHAR", "", "where"),
        Column("arm", "VARCHAR", "", "policy, explore or holdout"),
        Column("cost", "BIGINT", "cents", "what it cost"),
        Column("sent_at", "TIMESTAMP", "UTC", "when it was sent; null: it never was"),
        Column("live_decision_ids", "VARCHAR[]", "", "what else was in flight"),
        Column("reward_until", "TIMESTAMP", "UTC", "until when the outcome counts"),
    ),
)
"""Enough for off-policy evaluation without reconstruction."""

TABLES = (INTERACTIONS, ATTRIBUTES, CONTACTS, CROSSWALK, MERGES, DECISIONS)
