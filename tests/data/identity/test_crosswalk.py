"""Identifiers become customers, each tie dated by the last evidence it needed."""

from datetime import datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builder import build_store
from sintonia.core.config import SiloConfig
from sintonia.data.identity.crosswalk import Memberships, link_over_time


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def rows(found: Memberships) -> list[tuple[int, int, int, int]]:
    return list(
        zip(*(column.tolist() for column in (found.node, found.root, found.since, found.until)), strict=True)
    )


def test_identifiers_never_seen_together_stay_apart():
    assert rows(link_over_time(ints(1, 2), ints(), ints(), ints())) == [(0, 0, 1, -1), (1, 1, 2, -1)]


def test_tie_is_dated_by_the_last_evidence_on_the_best_path():
    # 0-1 on day 8 directly, but on day 5 by way of 2: the detour was known first.
    found = link_over_time(ints(1, 2, 3), ints(0, 0, 1), ints(1, 2, 2), ints(8, 5, 4))
    assert rows(found) == [
        (0, 0, 1, -1),
        (1, 1, 2, 5),
        (1, 0, 5, -1),
        (2, 2, 3, 4),
        (2, 1, 4, 5),
        (2, 0, 5, -1),
    ]


def test_identifier_tied_as_it_first_arrives_was_never_a_customer_of_its_own():
    assert rows(link_over_time(ints(1, 2), ints(0), ints(1), ints(2))) == [(0, 0, 1, -1), (1, 0, 2, -1)]


def test_a_row_is_as_weak_as_the_weakest_tie_behind_it():
    # 3 joins 2 on day 5, both join 0 by way of 1 on day 7; 0 and 1 were tied on day 6 by a weaker tie.
    found = link_over_time(ints(1, 2, 3, 4), ints(2, 0, 1), ints(3, 1, 3), ints(5, 6, 7), ints(1, 4, 2))
    assert list(zip(found.node.tolist(), found.root.tolist(), found.weakness.tolist(), strict=True)) == [
        (0, 0, -1),
        (1, 1, -1),
        (1, 0, 4),
        (2, 2, -1),
        (2, 0, 4),
        (3, 3, -1),
        (3, 2, 1),
        (3, 0, 4),
    ]


def test_more_changes_than_identifiers_are_all_kept():
    # Customers are taken over from the youngest to the oldest, so that each tie moves all who are younger.
    days = np.arange(9)
    found = link_over_time(np.zeros(10, np.int64), days[::-1].copy(), days[::-1] + 1, days + 1)
    assert len(found.node) == 10 + 45
    assert found.root[found.until < 0].tolist() == [0] * 10


GRAPHS = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.dictionaries(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1]),
            st.integers(0, 6),
            max_size=12,
        ),
    )
)


def memberships(n_nodes: int, ties: dict[tuple[int, int], int]) -> list[tuple[int, int, int, int]]:
    pairs = list(ties)
    seen = np.full(n_nodes, -1)
    left, right = ints(*(a for a, _ in pairs)), ints(*(b for _, b in pairs))
    return rows(link_over_time(seen, left, right, ints(*(ties[pair] for pair in pairs))))


@given(GRAPHS)
def test_every_identifier_belongs_to_exactly_one_customer_at_any_time(graph):
    """Law 5, against brute force: day by day, the smallest identifier that the ties known by then can reach."""
    n_nodes, ties = graph
    found = memberships(n_nodes, ties)
    for day in range(-1, 8):
        holding = [
            (node, root) for node, root, since, until in found if since <= day and (until < 0 or day < until)
        ]
        assert holding == [(node, smallest_reachable(node, ties, day)) for node in range(n_nodes)]


@given(GRAPHS, st.integers(0, 6))
def test_tie_learnt_later_changes_nothing_that_held_before(graph, day):
    """Law 1 for identity: forget every tie after a day, and up to that day everybody belongs to whom he did."""
    n_nodes, ties = graph
    early = {pair: at for pair, at in ties.items() if at <= day}

    def until_then(known: dict[tuple[int, int], int]) -> list[tuple[int, int, int, int]]:
        held = [row for row in memberships(n_nodes, known) if row[2] <= day]
        return [(node, root, since, until if 0 <= until <= day else -1) for node, root, since, until in held]

    assert until_then(ties) == until_then(early)


def smallest_reachable(node: int, ties: dict[tuple[int, int], int], day: int) -> int:
    reached, frontier = {node}, [node]
    while frontier:
        at = frontier.pop()
        for (a, b), arrived in ties.items():
            if arrived <= day and at in (a, b):
                other = b if at == a else a
                if other not in reached:
                    reached.add(other)
                    frontier.append(other)
    return min(reached)


WEB = SiloConfig(
    path="web.csv",
    identifiers={"cookie": "cookie", "account": "account"},
    occurred_at="at",
    interactions={"kind": "event"},
    constants={"channel": "web"},
)


def test_browsing_before_the_first_log_in_is_known_from_the_log_in(tmp_path):
    # The account is older than the cookie, so the cookie joins the account's customer when it logs in.
    text = "cookie,account,at,event\n,A,2025-01-01,register\nc,,2025-01-10,view\n"
    text += "c,A,2025-01-20,login\nc,,2025-01-30,view\n"
    (tmp_path / "web.csv").write_text(text)
    store = build_store(tmp_path, {"web": WEB})
    (customer,) = store.customer_ids()
    ((then, now, merged_at),) = zip(
        *(column.to_pylist() for column in store.read_merges().columns), strict=True
    )
    assert (now, merged_at) == (customer, datetime(2025, 1, 20))
    stored = [row for path in store.buckets for row in store.read_bucket(path).to_pylist()]
    known = {(row["customer_id"], row["occurred_at"].day): row["known_at"].day for row in stored}
    assert known == {
        (customer, 1): 1,
        (customer, 10): 20,
        (customer, 20): 20,
        (customer, 30): 30,
        (then, 10): 10,  # until then the cookie was a visitor of its own
    }
    assert store.interactions == 4


def test_customer_id_survives_a_rebuild_with_more_records(tmp_path):
    (tmp_path / "web.csv").write_text("cookie,account,at,event\nc,A,2025-01-20,login\n")
    first = build_store(tmp_path, {"web": WEB}).customer_ids()
    (tmp_path / "web.csv").write_text("cookie,account,at,event\nc,A,2025-01-20,login\nd,A,2025-02-20,login\n")
    assert build_store(tmp_path, {"web": WEB}).customer_ids() == first


def test_customer_id_of_a_contact_shows_no_contact(tmp_path):
    silo = SiloConfig(
        path="mail.csv",
        identifiers={"email": "email"},
        occurred_at="at",
        interactions={"kind": "'open'"},
        constants={"channel": "email"},
    )
    (tmp_path / "mail.csv").write_text("email,at\nAnn@example.org,2025-01-01\n")
    (customer,) = build_store(tmp_path, {"mail": silo}).customer_ids()
    assert "ann" not in customer.lower()


def test_single_kind_of_key_is_the_customer_id(tmp_path):
    silo = SiloConfig(
        path="tickets.csv",
        identifiers={"household": "household"},
        occurred_at="at",
        interactions={"kind": "'purchase'"},
        constants={"channel": "store"},
    )
    (tmp_path / "tickets.csv").write_text("household,at\n0042,2025-01-01\n")
    assert build_store(tmp_path, {"tickets": silo}).customer_ids() == {"0042"}
