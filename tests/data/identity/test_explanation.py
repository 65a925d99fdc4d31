"""Why a customer is one customer: stores typed by hand, every line worked out, nobody shown."""

import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sintonia.api.pipelines.building import explanation_figures
from sintonia.core.errors import InputError, NotBuiltError
from sintonia.data.identity.comparing import comparisons
from sintonia.data.identity.explanation import explain, lines

MAIL = "maria.rossi@posta.it"


def day(number: int) -> datetime:
    return datetime(2025, 1, number)


def micros(number: int) -> int:
    return int((day(number) - datetime(1970, 1, 1)).total_seconds()) * 1_000_000


def write(path, names, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    pq.write_table(pa.table(columns or {name: pa.array([], pa.string()) for name in names}), path)


@pytest.fixture
def store(tmp_path):
    """Registration crm:1 with an address and a phone; a cookie of its own until day 3; crm:2 has the address too."""
    write(
        tmp_path / "crosswalk.parquet",
        ("source", "source_key", "customer_id", "linked_at", "unlinked_at", "match_probability", "rule"),
        [
            ("crm", "1", "C1", day(1), None, 1.0, "first record"),
            ("email", MAIL, "C1", day(1), None, 1.0, "same record"),
            ("cookie", "k", "C2", day(2), day(3), 1.0, "first record"),
            ("cookie", "k", "C1", day(3), None, 1.0, "same record"),
            ("crm", "2", "C3", day(4), None, 1.0, "first record"),
        ],
    )
    write(tmp_path / "merges.parquet", ("customer_id", "merged_into", "merged_at"), [("C2", "C1", day(3))])
    write(
        tmp_path / "identity" / "ties.parquet",
        ("left", "right", "arrived_at", "match_probability", "rule", "holds"),
        [
            ("crm:1", f"email:{MAIL}", day(1), 1.0, "same record", True),
            ("crm:1", "cookie:k", day(3), 1.0, "same record", True),
            (f"email:{MAIL}", "crm:2", day(4), 1.0, "same record", False),
        ],
    )
    log = ("customer_id", "change", "other_customer_id", "identifiers", "changed_at")
    write(
        tmp_path / "identity" / "log.parquet",
        log,
        [("C1", "split", "C3", 1, day(9)), ("C4", "split", "C5", 1, day(9))],
    )
    return tmp_path


@pytest.fixture
def matched(store):
    """The same, where crm:2 shares the city with crm:1 (held), and crm:3, a match, is part of C1 since day 5."""
    crosswalk = pq.read_table(store / "crosswalk.parquet").to_pylist()
    crosswalk.append(
        {
            "source": "crm",
            "source_key": "3",
            "customer_id": "C1",
            "linked_at": day(5),
            "unlinked_at": None,
            "match_probability": 0.9,
            "rule": "match",
        }
    )
    pq.write_table(pa.Table.from_pylist(crosswalk), store / "crosswalk.parquet")
    ties = pq.read_table(store / "identity" / "ties.parquet").to_pylist()
    match = ("crm:1", "crm:3", day(5), 0.9, "match", True)
    pq.write_table(
        pa.Table.from_pylist([*ties, dict(zip(ties[0], match, strict=True))]),
        store / "identity" / "ties.parquet",
    )
    write(
        store / "identity" / "records.parquet",
        ("record_id", "key", "arrived_at", "city"),
        [
            ("0", "crm:1", micros(1), "roma"),
            ("1", "crm:2", micros(4), "roma"),
            ("2", "crm:3", micros(5), "romo"),
        ],
    )
    write(
        store / "identity" / "pairs.parquet",
        ("left", "right", "match_weight", "match_probability", "level_city", "weight_city", "held"),
        [("0", "1", 1.0, 2 / 3, 0, 3.5, True), ("0", "2", 2.0, 0.8, 1, 4.25, False)],
    )
    degrees = range(len(comparisons(["city"])[0].labels))
    write(
        store / "identity" / "weights.parquet",
        ("field", "degree", "m", "u", "match_share", "household_share"),
        [("city", degree, 0.25, 0.25, 0.1, 0.1) for degree in degrees],
    )
    return store


def test_a_customer_is_its_identifiers_each_with_its_time_and_rule(store):
    found = explain(store, "C1")
    assert [(one.shown, one.first_seen_at, one.linked_at, one.rule) for one in found.identifiers] == [
        ("crm:1", day(1), day(1), "first record"),
        ("email:m****.r****@p****.i*", day(1), day(1), "same record"),
        ("cookie:k", day(2), day(3), "same record"),
    ]


def test_ties_come_as_they_became_known_and_refused_ones_apart(store):
    found = explain(store, "C1")
    assert [(tie.left, tie.right, tie.known_at) for tie in found.ties] == [
        ("crm:1", "email:m****.r****@p****.i*", day(1)),
        ("crm:1", "cookie:k", day(3)),
    ]
    assert [(tie.right, tie.known_at) for tie in found.refused] == [("crm:2", day(4))]
    assert explain(store, "C3").refused == found.refused


def test_former_customers_and_splits_are_told_with_their_dates(store):
    changes = [
        (one.customer_id, one.change, one.other_customer_id, one.changed_at)
        for one in explain(store, "C1").changes
    ]
    assert changes == [("C2", "merge", "C1", day(3)), ("C1", "split", "C3", day(9))]


@pytest.mark.parametrize(
    "asked", ["C1", "C2", "cookie:k", f"email:{MAIL}", f"email: {MAIL.upper()} ", "crm:1"]
)
def test_a_customer_is_found_by_its_id_a_former_one_or_an_identifier(store, asked):
    assert explain(store, asked).customer_id == "C1"


def test_who_is_not_there_is_refused_without_being_repeated(store):
    with pytest.raises(InputError, match="of the types cookie, crm, email") as raised:
        explain(store, "email:nobody@posta.it")
    assert "nobody@" not in str(raised.value)
    (store / "identity" / "ties.parquet").unlink()
    with pytest.raises(NotBuiltError, match="run `sintonia build` again"):
        explain(store, "C1")


def test_a_match_says_what_the_two_records_agree_on(matched):
    found = explain(matched, "C1")
    (match,) = [tie for tie in found.ties if tie.rule == "match"]
    assert (match.left, match.right, match.known_at, match.match_probability) == (
        "crm:1",
        "crm:3",
        day(5),
        0.9,
    )
    assert match.pair is not None
    assert [str(one) for one in match.pair.agreements] == ["city a slip or spelt alike (r*** / r***)"]
    assert all(tie.pair is None for tie in found.ties if tie.rule != "match")


def test_a_merge_that_is_held_is_told_to_both(matched):
    for customer in ("C1", "C3"):
        (held,) = explain(matched, customer).held
        assert (held.left, held.right, held.known_at) == ("crm:1", "crm:2", day(4))
        assert held.match_probability == pytest.approx(2 / 3)


def test_bits_of_a_match_add_up_in_the_lines(matched):
    said = lines(explain(matched, "crm:3"))
    at = next(place for place, line in enumerate(said) if "+4.2 bits" in line)
    assert [line.split()[0] for line in said[at : at + 3]] == ["+4.2", "-2.2", "+2.0"]
    assert said[1] == "Asked for crm:3"


def test_nobody_is_in_the_figures(matched):
    figures = explanation_figures(explain(matched, f"email:{MAIL}"))
    told = json.dumps(figures, allow_nan=False)
    assert "maria" not in told
    assert "roma" not in told
    assert figures["identifiers"][0]["first_seen_at"] == "2025-01-01T00:00:00"
