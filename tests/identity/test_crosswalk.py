"""Identifiers become customers, each tie dated by the last evidence it needed."""

from datetime import datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builder import build_store
from sintonia.config import SiloConfig
from sintonia.identity.crosswalk import cluster


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_identifiers_never_seen_together_stay_apart():
    clusters = cluster(ints(1, 2), ints(), ints(), ints())
    assert clusters.root.tolist() == [0, 1]
    assert clusters.linked_at.tolist() == [1, 2]


def test_tie_is_dated_by_the_last_evidence_on_the_best_path():
    # 0-1 on day 8 directly, but on day 5 by way of 2: the detour was known first.
    clusters = cluster(ints(1, 2, 3), ints(0, 0, 1), ints(1, 2, 2), ints(8, 5, 4))
    assert clusters.root.tolist() == [0, 0, 0]
    assert clusters.linked_at.tolist() == [1, 5, 5]


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


@given(GRAPHS)
def test_linked_at_is_the_first_day_the_root_can_be_reached(graph):
    """Against brute force: day by day, with the ties known by then."""
    n_nodes, ties = graph
    seen = np.zeros(n_nodes, np.int64)
    pairs = list(ties)
    found = cluster(
        seen,
        ints(*(a for a, _ in pairs)),
        ints(*(b for _, b in pairs)),
        ints(*(ties[pair] for pair in pairs)),
    )
    for node in range(n_nodes):
        reach = {day: smallest_reachable(node, ties, day) for day in range(7)}
        assert found.root[node] == reach[6]
        first = next(day for day in range(7) if reach[day] == reach[6])
        assert found.linked_at[node] == first


@given(GRAPHS, st.integers(0, 6))
def test_tie_learnt_later_changes_no_link_known_before(graph, day):
    """Law 1 for identity: forget every tie after a day, and what was linked by that day is linked alike."""
    n_nodes, ties = graph
    early = {pair: at for pair, at in ties.items() if at <= day}
    seen = np.zeros(n_nodes, np.int64)

    def resolved(known: dict[tuple[int, int], int]) -> list[tuple[int, int]]:
        pairs = list(known)
        arrived = ints(*(known[pair] for pair in pairs))
        found = cluster(seen, ints(*(a for a, _ in pairs)), ints(*(b for _, b in pairs)), arrived)
        return list(zip(found.root.tolist(), found.linked_at.tolist(), strict=True))

    for now, then in zip(resolved(ties), resolved(early), strict=True):
        if now[1] <= day:
            assert now == then


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
    rows = [row for path in store.buckets for row in store.read_bucket(path).to_pylist()]
    assert len({row["customer_id"] for row in rows}) == 1
    known = {row["occurred_at"].day: row["known_at"] for row in rows}
    assert known == {
        1: datetime(2025, 1, 1),
        10: datetime(2025, 1, 20),
        20: datetime(2025, 1, 20),
        30: datetime(2025, 1, 30),
    }


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
