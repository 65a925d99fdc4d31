"""The store is bucketed, totally ordered, whole after a kill, and the same bytes from the same rows."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from builder import build_store
from sintonia.core.config import SiloConfig
from sintonia.core.errors import NotBuiltError, NotEnoughDataError
from sintonia.core.schema import INTERACTIONS
from sintonia.core.visibility import visible_rows
from sintonia.data.store import open_store

TICKETS = SiloConfig(
    path="tickets.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    known_at="loaded",
    interactions={"thread_id": "ticket", "amount": "price"},
    constants={"channel": "store", "kind": "purchase"},
)
TEXT = "card,at,loaded,ticket,price\n" + "".join(
    f"{card},2025-01-{day:02d},2025-01-{day + 1:02d},{card}-{day},1.00\n"
    for card in range(1, 10)
    for day in (9, 3, 3)
)


def test_buckets_hold_whole_customers_in_their_total_order(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    store = build_store(tmp_path, {"tickets": TICKETS})
    tables = [store.read_bucket(path) for path in store.buckets]
    assert sum(table.num_rows for table in tables) == store.interactions == 27
    owners = [set(table["customer_id"].to_pylist()) for table in tables]
    assert sum(len(owner) for owner in owners) == len(set().union(*owners)) == 9
    for table in tables:
        assert table.schema.names == list(INTERACTIONS.names)
        order = [(name, "ascending") for name in INTERACTIONS.order]
        assert pc.sort_indices(table, sort_keys=order).to_pylist() == list(range(table.num_rows))


def test_a_bucket_is_read_with_the_columns_and_customers_asked_for(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    store = build_store(tmp_path, {"tickets": TICKETS})
    whole = store.read_bucket(store.buckets[0])
    narrow = store.read_bucket(store.buckets[0], columns=["customer_id", "amount"])
    assert narrow.equals(whole.select(["customer_id", "amount"]))
    one = whole["customer_id"][0].as_py()
    assert set(store.read_bucket(store.buckets[0], [one], ["customer_id"])["customer_id"].to_pylist()) == {
        one
    }


def test_a_bucket_of_an_older_format_has_no_ends(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    store = build_store(tmp_path, {"tickets": TICKETS})
    path = store.buckets[0]
    pq.write_table(pq.read_table(path).drop_columns(["known_until"]), path)
    columns = ["customer_id", "known_until"]
    everybody = store.read_bucket(path, columns=columns)
    one = store.read_bucket(path, customers=everybody["customer_id"].to_pylist()[:1], columns=columns)
    assert everybody.column_names == one.column_names == columns
    assert everybody["known_until"].null_count == len(everybody) > 0


def test_thread_is_opened_by_the_row_that_becomes_visible_first(tmp_path):
    text = "card,at,loaded,ticket,price\n7,2025-01-01,2025-01-09,t,1\n7,2025-01-02,2025-01-03,t,1\n"
    text += "7,2025-01-04,2025-01-04,u,1\n"
    (tmp_path / "tickets.csv").write_text(text)
    store = build_store(tmp_path, {"tickets": TICKETS}, buckets=1)
    rows = store.read_bucket(store.buckets[0]).to_pylist()
    assert [(row["occurred_at"].day, row["opens_thread"]) for row in rows] == [
        (1, False),
        (2, True),
        (4, True),
    ]


def test_same_rows_give_the_same_fingerprint_and_other_rows_another(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    first = build_store(tmp_path, {"tickets": TICKETS}).fingerprint
    assert build_store(tmp_path, {"tickets": TICKETS}, threads=1).fingerprint == first
    (tmp_path / "tickets.csv").write_text(TEXT.replace("1.00", "1.01"))
    assert build_store(tmp_path, {"tickets": TICKETS}).fingerprint != first


def test_rejected_rows_are_on_disk_with_their_reason_and_text(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT + ",2025-01-01,2025-01-01,t,1\n")
    build_store(tmp_path, {"tickets": TICKETS})
    (row,) = pq.read_table(tmp_path / "workspace/rejected/tickets.parquet").to_pylist()
    assert row["reason"] == "no identifier"
    assert json.loads(row["raw"])["ticket"] == "t"
    assert (row["row_number"], row["file"].endswith("tickets.csv")) == (28, True)


def test_data_until_is_the_earliest_end_among_the_silos_that_tell(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    (tmp_path / "mail.csv").write_text("card,at\n1,2025-01-05\n")
    mail = SiloConfig(
        path="mail.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        interactions={"kind": "'send'"},
        constants={"channel": "email"},
    )
    store = build_store(tmp_path, {"tickets": TICKETS, "mail": mail})
    assert store.data_until(["purchase"]) == datetime(2025, 1, 9)
    assert store.data_until(["purchase", "send"]) == datetime(2025, 1, 5)
    with pytest.raises(NotEnoughDataError, match="no interaction of kind cancel"):
        store.data_until(["cancel"])


def test_source_whose_rows_are_all_rejected_says_so_and_keeps_the_old_store(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    first = build_store(tmp_path, {"tickets": TICKETS})
    (tmp_path / "tickets.csv").write_text("card,at,loaded,ticket,price\n,2025-01-01,2025-01-01,t,1\n")
    with pytest.raises(NotEnoughDataError, match="No interaction of source 'toy'"):
        build_store(tmp_path, {"tickets": TICKETS})
    assert open_store(tmp_path / "workspace") == first
    assert [path.name for path in (tmp_path / "workspace/store").glob("v-*")] == [first.folder.name]


def test_killed_build_leaves_the_old_store_whole(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    first = build_store(tmp_path, {"tickets": TICKETS})
    before = [store_file.read_bytes() for store_file in first.buckets]
    (tmp_path / "tickets.csv").write_text(TEXT.replace("1.00", "2.00"))
    script = """
        import os, signal, sys
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        from sintonia.data.store import write
        whole, written = write._write, []
        def dies(*args):
            whole(*args)
            written.append(args)
            if len(written) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        write._write = dies
        from builder import build_store
        from interactions_test_silo import TICKETS
        build_store(Path(sys.argv[1]), {"tickets": TICKETS})
    """
    silo = f"from sintonia.core.config import *\nTICKETS = {TICKETS!r}\n"
    (tmp_path / "interactions_test_silo.py").write_text(silo)
    (tmp_path / "dies.py").write_text(textwrap.dedent(script))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    tests = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, tmp_path / "dies.py", tmp_path, tests], env=environment, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    store = open_store(tmp_path / "workspace")
    assert store == first
    assert [store_file.read_bytes() for store_file in store.buckets] == before
    rebuilt = build_store(tmp_path, {"tickets": TICKETS})
    assert [path.name for path in (tmp_path / "workspace/store").glob("v-*")] == [rebuilt.folder.name]


def test_no_store_names_the_command_to_run(tmp_path):
    with pytest.raises(NotBuiltError, match="run `sintonia build"):
        open_store(tmp_path)


def test_bucket_of_a_customer_is_the_portable_hash(tmp_path):
    """MD5's first 32 bits modulo the number of buckets, as any engine can compute it."""
    import hashlib

    (tmp_path / "tickets.csv").write_text(TEXT)
    store = build_store(tmp_path, {"tickets": TICKETS})
    for number, path in enumerate(store.buckets):
        for customer in set(pa.array(store.read_bucket(path)["customer_id"].to_pylist()).to_pylist()):
            assert int(hashlib.md5(customer.encode()).hexdigest()[:8], 16) % 3 == number


def test_silos_that_name_the_same_threads_share_a_case(tmp_path):
    (tmp_path / "cases.csv").write_text("card,opened,closed,case\n7,2025-01-01,2025-01-05,K1\n")
    common = {"path": "cases.csv", "identifiers": {"card": "card"}, "interactions": {"thread_id": "case"}}
    opened = {"occurred_at": "opened", "constants": {"channel": "phone", "kind": "complaint"}}
    closed = {"occurred_at": "closed", "constants": {"channel": "phone", "kind": "resolve"}}
    silos = {
        "opened": SiloConfig(**common, **opened, threads="cases"),
        "closed": SiloConfig(**common, **closed, threads="cases"),
        "apart": SiloConfig(**common, **closed),
    }
    store = build_store(tmp_path, silos, buckets=1)
    rows = store.read_bucket(store.buckets[0]).to_pylist()
    assert {row["source"]: row["thread_id"] for row in rows} == {
        "opened": "cases:K1",
        "closed": "cases:K1",
        "apart": "apart:K1",
    }


def test_the_store_has_the_currency_of_its_source_and_euros_where_an_older_one_names_none(tmp_path):
    (tmp_path / "tickets.csv").write_text(TEXT)
    store = build_store(tmp_path, {"tickets": TICKETS}, currency="CHF")
    workspace = store.workspace.root
    assert store.currency == open_store(workspace).currency == "CHF"
    manifest = json.loads(store.workspace.store_pointer.read_text())
    del manifest["currency"]
    store.workspace.store_pointer.write_text(json.dumps(manifest))
    assert open_store(workspace).currency == "EUR"


ORDERS = SiloConfig(
    path="orders*.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    known_at="loaded",
    updated_at="changed",
    deleted="cancelled",
    interactions={"interaction_id": "line", "thread_id": "ticket", "amount": "price"},
    constants={"channel": "store", "kind": "purchase"},
)
ORDER_HEAD = "line,card,at,loaded,changed,cancelled,ticket,price\n"
FIRST_EXPORT = ORDER_HEAD + "1,7,2025-01-01,2025-01-01,,,T,5.00\n2,7,2025-01-01,2025-01-02,,,T,3.00\n"
CORRECTIONS = ORDER_HEAD + "2,7,2025-01-01,2025-01-02,2025-02-01,,T,4.00\n1,7,,,2025-03-01,true,,\n"


def stored(store, as_of):
    """Return the rows visible at a date, as (id, cents, whether it opens its order)."""
    rows = pa.concat_tables(store.read_bucket(path) for path in store.buckets)
    shown = rows.filter(visible_rows(rows, as_of)).to_pylist()
    return [(row["interaction_id"], row["amount"], row["opens_thread"]) for row in shown]


def test_corrections_and_deletions_change_nothing_of_what_was_known_before_them(tmp_path):
    (tmp_path / "orders_01.csv").write_text(FIRST_EXPORT)
    before = stored(build_store(tmp_path, {"orders": ORDERS}), datetime(2025, 1, 31))
    (tmp_path / "orders_02.csv").write_text(CORRECTIONS)
    store = build_store(tmp_path, {"orders": ORDERS})
    first, second = ("orders:1", 500, True), ("orders:2", 300, False)
    assert before == stored(store, datetime(2025, 1, 31)) == [first, second]
    assert stored(store, datetime(2025, 2, 1)) == [first, ("orders:2", 400, False)]
    assert stored(store, datetime(2025, 3, 1)) == [("orders:2", 400, True)]
    assert (store.silos[0].older_versions, dict(store.silos[0].reasons)) == (2, {"deletion": 1})
    assert store.silos[0].rows == store.silos[0].stored + store.silos[0].rejected == 4
