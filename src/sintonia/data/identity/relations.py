"""The engine's tables and views that functions of this folder leave for each other, each declared once.

What an identifier is: text `type:value`, the `key` of a table. `node` numbers the identifiers that a build decides
about from 0, `number` all there are, of earlier builds too; `root` is the `number` of a customer's first identifier.
Times are UTC; `arrived_at` of a person record is in microseconds.
"""

from sintonia.core import schema
from sintonia.core.relation import Relation

PREFIX = "identity_"
"""The engine's tables and views of this name are written into the folder `identity` of the next store."""

_SIGHTING_CUSTOMERS = {
    "sighting": "UBIGINT",
    "arrived_at": "TIMESTAMP",
    "root": "BIGINT",
    "customer_id": "VARCHAR",
    "linked_at": "TIMESTAMP",
    "unlinked_at": "TIMESTAMP",
    "person_id": "VARCHAR",
}
_STORED_NODES = {
    "node": "BIGINT",
    "hash": "UBIGINT",
    "key": "VARCHAR",
    "confers": "VARCHAR",
    "first_seen_at": "TIMESTAMP",
    "root": "BIGINT",
}
_STORED_TIES = {
    "left": "VARCHAR",
    "right": "VARCHAR",
    "arrived_at": "TIMESTAMP",
    "match_probability": "DOUBLE",
    "rule": "VARCHAR",
    "holds": "BOOLEAN",
}
_STORED_RECORDS = {
    "record_id": "BIGINT",
    "silo": "VARCHAR",
    "key": "VARCHAR",
    "arrived_at": "BIGINT",
    "names": "BOOLEAN",
    "cluster": "BIGINT",
}
_STORED_PAIRS = {
    "left": "BIGINT",
    "right": "BIGINT",
    "match_weight": "DOUBLE",
    "match_probability": "DOUBLE",
    "shared": "VARCHAR",
    "held": "BOOLEAN",
}
_LOG = {
    "customer_id": "VARCHAR",
    "change": "VARCHAR",
    "other_customer_id": "VARCHAR",
    "identifiers": "BIGINT",
    "changed_at": "TIMESTAMP",
}
_NODES = {
    "node": "BIGINT",
    "number": "BIGINT",
    "key": "VARCHAR",
    "first_seen_at": "TIMESTAMP",
    "confers": "VARCHAR",
}
_HOLDINGS = {"key": "VARCHAR", "customer_id": "VARCHAR"}
_PAIR = {"left": "BIGINT", "right": "BIGINT"}
_CANDIDATES = {"match_key": "VARCHAR", "join_key_l": "BIGINT", "join_key_r": "BIGINT"}

# What an earlier build left (`previous_build`).
BEFORE_NODES = Relation("before_nodes", "an identifier that an earlier build knew", _STORED_NODES)
BEFORE_TIES = Relation("before_ties", "a tie that an earlier build judged", _STORED_TIES)
BEFORE_SIGHTINGS = Relation(
    "before_sightings", "a (sighting, customer) of an earlier build", _SIGHTING_CUSTOMERS
)
BEFORE_RECORDS = Relation(
    "before_records", "a person record that an earlier build compared", _STORED_RECORDS, open_ended=True
)
BEFORE_PAIRS = Relation(
    "before_pairs", "a pair of records that an earlier build scored", _STORED_PAIRS, open_ended=True
)
BEFORE_LOG = Relation("before_log", "a merge or split that an earlier build logged", _LOG)
BEFORE_CROSSWALK = Relation.of(
    schema.CROSSWALK, "an identifier's membership in the store before", "before_crosswalk"
)
BEFORE_MERGES = Relation.of(schema.MERGES, "a merged customer of the store before", "before_merges")
BEFORE_HOLDINGS = Relation(
    "before_holdings", "an identifier and whose it was at the end of the build before", _HOLDINGS
)
KNOWN_NODES = Relation("known_nodes", "the rows of BEFORE_NODES that a build goes by", _STORED_NODES)
KNOWN_TIES = Relation("known_ties", "the rows of BEFORE_TIES that a build goes by", _STORED_TIES)
KNOWN_HOLDINGS = Relation("known_holdings", "the rows of BEFORE_HOLDINGS that a build goes by", _HOLDINGS)
CARRIED_FILES = Relation(
    "carried_files", "a file of the build before that the next store keeps", {"path": "VARCHAR"}
)

PREVIOUS = {
    "nodes": BEFORE_NODES,
    "ties": BEFORE_TIES,
    "log": BEFORE_LOG,
    "sightings": BEFORE_SIGHTINGS,
    "records": BEFORE_RECORDS,
    "pairs": BEFORE_PAIRS,
}
"""The tables of a store's folder `identity` that are read as relations, by the names of their files."""

# What changed since (`changes`).
ARRIVING = Relation(
    "arriving",
    "a sighting that is new, or now known to have arrived earlier",
    {"sighting": "UBIGINT", "keys": "VARCHAR[]", "arrived_at": "TIMESTAMP"},
)
ARRIVED = Relation(
    "arrived",
    "an identifier of ARRIVING; `node` and `root` of earlier builds, null for a new one",
    {"key": "VARCHAR", "node": "BIGINT", "root": "BIGINT", "first_seen_at": "TIMESTAMP"},
)
LOST = Relation(
    "lost",
    "a sighting that is gone, or arrived later than was known, with its customer",
    {"sighting": "UBIGINT", "root": "BIGINT"},
)
TOUCHED = Relation("touched", "a customer of earlier builds that is decided anew", {"root": "BIGINT"})
PART_NODES = Relation("part_nodes", "a row of BEFORE_NODES that is decided anew", _STORED_NODES)
PART_TIES = Relation("part_ties", "a row of BEFORE_TIES between PART_NODES", _STORED_TIES)

# Identifiers as seen (`sightings`, `changes`).
PLACED = Relation(
    "placed",
    "an identifier that has its number and not yet its customer id; `confers` only as in earlier builds",
    _NODES,
)
NODES = Relation(
    "nodes",
    "an identifier; `confers` is the id of a customer who starts with it",
    _NODES,
)
SIGHTINGS = Relation(
    "sightings",
    "a distinct set of identifiers seen in one record; `lead` says whose record it is",
    {"sighting": "UBIGINT", "keys": "VARCHAR[]", "arrived_at": "TIMESTAMP", "lead": "VARCHAR"},
)
SEEN = Relation(
    "seen",
    "a sighting and one of its nodes",
    {"sighting": "UBIGINT", "node": "BIGINT", "lead_node": "BIGINT"},
)
_TIES = {
    "left_node": "BIGINT",
    "right_node": "BIGINT",
    "arrived_at": "TIMESTAMP",
    "match_probability": "DOUBLE",
    "rule": "VARCHAR",
}
TIES = Relation("ties", "a tie of two identifiers, left_node < right_node", _TIES)
REFUSED = Relation("refused", "a tie that does not hold", _TIES)

# Which ties hold, and the customers they make (`crosswalk`).
NUMBERED = Relation(
    "numbered",
    "a tie by its number in time, the shareable identifier it rests on, and whether it was held to hold before",
    _TIES | {"tie": "BIGINT", "identifier": "BIGINT", "shareable": "BOOLEAN", "holds": "BOOLEAN"},
)
RULES = Relation(
    "rules",
    "a kind of tie by how weak it is, 0 the strongest",
    {"weakness": "BIGINT", "match_probability": "DOUBLE", "rule": "VARCHAR"},
)
MEMBERSHIPS = Relation(
    "memberships",
    "a (node, customer) and from when until when (microseconds); `now` is the root of its customer in the end",
    {
        "node": "BIGINT",
        "root": "BIGINT",
        "since": "BIGINT",
        "until": "BIGINT",
        "weakness": "BIGINT",
        "now": "BIGINT",
    },
)
DECIDED_CROSSWALK = Relation(
    "decided_crosswalk",
    "a row of CROSSWALK that this build decided, and the identifier as a `key`",
    dict(BEFORE_CROSSWALK.columns) | {"key": "VARCHAR"},
)
BELONGING = Relation(
    "belonging", "a node and the root of its customer in the end", {"node": "BIGINT", "root": "BIGINT"}
)
DECIDED_SIGHTINGS = Relation(
    "decided_sightings", "a row of SIGHTING_CUSTOMERS that this build decided", _SIGHTING_CUSTOMERS
)
MERGES = Relation.of(schema.MERGES, "a customer that became part of another")
LOG = Relation(f"{PREFIX}log", "a merge or split of customers since the first build, oldest first", _LOG)

# What the store is written from (`changes`).
CROSSWALK = Relation.of(schema.CROSSWALK, "an identifier's membership")
SIGHTING_CUSTOMERS = Relation(
    "sighting_customers",
    "a (sighting, customer) from when until when; `person_id` is the customer it belongs to now",
    _SIGHTING_CUSTOMERS,
)
NOW_TIES = Relation("now_ties", "a tie, and whether it holds", _STORED_TIES)

# Person records and their pairs (`resolve`).
GONE_RECORDS = Relation(
    "gone_records", "a record of earlier builds that no silo has any more", {"record_id": "BIGINT"}
)
FRESH_RECORDS = Relation(
    "fresh_records",
    "a person record that no earlier build knew, as it first arrived",
    {"key": "VARCHAR", "arrived_at": "TIMESTAMP", "silo": "VARCHAR"},
    open_ended=True,
)
ALL_RECORDS = Relation(
    "all_records",
    "a person record; those of earlier builds arrived before all others",
    {"key": "VARCHAR", "names": "BOOLEAN", "arrived_at": "BIGINT"},
)
MATCHED = Relation(
    "matched",
    "a merge of two records that this build made, by their identifiers",
    {"one": "VARCHAR", "other": "VARCHAR", "arrived_at": "TIMESTAMP", "match_probability": "DOUBLE"},
)
NEW_RECORDS = Relation("new_records", "a new person record as compared", _STORED_RECORDS, open_ended=True)
MOVED_RECORDS = Relation(
    "moved_records",
    "a known record whose group is another now; `group` is its first record",
    {"number": "BIGINT", "group": "BIGINT"},
)
ADDED_RECORDS = Relation(
    "added_records", "a person record that is new or moved", _STORED_RECORDS, open_ended=True
)
NOW_RECORDS = Relation("now_records", "a person record as compared", _STORED_RECORDS, open_ended=True)
NEW_PAIRS = Relation(
    "new_pairs",
    "a scored pair of records that is new",
    {name: sql_type for name, sql_type in _STORED_PAIRS.items() if name != "held"},
    open_ended=True,
)
HELD_PAIRS = Relation(
    "held_pairs", "a pair whose merge is held for a person to look at", _PAIR | {"held": "BOOLEAN"}
)
NOW_PAIRS = Relation("now_pairs", "a scored pair of records", _STORED_PAIRS, open_ended=True)
CHANGED_PAIRS = Relation(
    "changed_pairs", "a pair of earlier builds that is held otherwise now, or of a record that is gone", _PAIR
)
ADDED_PAIRS = Relation(
    "added_pairs", "a scored pair that is new or held otherwise now", _STORED_PAIRS, open_ended=True
)
_FREQUENCIES = {"field": "VARCHAR", "value": "VARCHAR", "frequency": "DOUBLE"}
NEW_FREQUENCIES = Relation("new_frequencies", "a value that no earlier model knew", _FREQUENCIES)
GONE_VALUES = Relation(
    "gone_values", "a value that no record has any more", {"field": "VARCHAR", "value": "VARCHAR"}
)
FREQUENCIES = Relation(
    f"{PREFIX}frequencies", "a value's share of the known values of its field", _FREQUENCIES
)

# Matching (`match_model`, `blocking`, `comparing`).
_PERSONS = {"person": "BIGINT", "record_id": "VARCHAR", "is_new": "BOOLEAN"}
PERSONS = Relation(
    "persons", "a person record to compare, numbered by its id, with its fields", _PERSONS, open_ended=True
)
EVERYONE = Relation("everyone", "a person record, known or new, as in PERSONS", _PERSONS, open_ended=True)
NEWCOMERS = Relation(
    "newcomers", "a standardised record that is new", {"record_id": "VARCHAR"}, open_ended=True
)
NEAR = Relation("near", "a person of CANDIDATES", {"person": "BIGINT"})
BLOCKED = Relation(
    "blocked",
    "a pair of persons by one key they share",
    {"match_key": "UTINYINT", "join_key_l": "BIGINT", "join_key_r": "BIGINT"},
)
MET = Relation(
    "met",
    "a person in a group with room, by the number of the group's key",
    {"match_key": "BIGINT", "key": "BIGINT", "person": "BIGINT", "is_new": "BOOLEAN"},
)
CANDIDATES = Relation(
    "candidates", "a pair of persons worth comparing, join_key_l < join_key_r, and why", _CANDIDATES
)
CHOSEN = Relation("chosen", "a pair of persons that is compared beside or instead of CANDIDATES", _CANDIDATES)
KNOWN_PAIRS = Relation(
    "known_pairs",
    "a tie of earlier builds between persons",
    {"person_l": "BIGINT", "person_r": "BIGINT", "match_weight": "DOUBLE"},
)
KEPT = Relation(
    "kept",
    "a compared pair that is worth keeping, with its evidence",
    {"person_l": "BIGINT", "person_r": "BIGINT", "match_weight": "DOUBLE", "shared": "VARCHAR"},
    open_ended=True,
)


def term_frequencies(field: str) -> Relation:
    """Return the relation of the frequencies of a field's values, under the names that Splink reads."""
    return Relation(f"tf_{field}", "a value and its frequency", {field: "VARCHAR", f"tf_{field}": "DOUBLE"})


# Golden records and explanations (`golden`, `explanation`).
STATED_VALUES = Relation(
    "stated_values",
    "what a silo said of a field of a customer",
    {
        "customer_id": "VARCHAR",
        "field": "VARCHAR",
        "value": "VARCHAR",
        "occurred_at": "TIMESTAMP",
        "source": "VARCHAR",
    },
)
OWN_IDENTIFIERS = Relation(
    "own_identifiers",
    "an identifier of the customer that is explained",
    {
        "key": "VARCHAR",
        "customer_id": "VARCHAR",
        "linked_at": "TIMESTAMP",
        "unlinked_at": "TIMESTAMP",
        "match_probability": "DOUBLE",
        "rule": "VARCHAR",
    },
)
