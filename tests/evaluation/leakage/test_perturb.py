"""A disturbed store: what was known stays as it was, and nothing else is known."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, day, histories, row, table
from sintonia.core.config import EngineConfig
from sintonia.core.engine import connect
from sintonia.core.paths import StorePaths
from sintonia.core.schema import ATTRIBUTES, CROSSWALK, DECISIONS, MERGES
from sintonia.evaluation.leakage.perturb import (
    TABLES,
    delete_unknown,
    disturb_unknown,
    read_sample,
    rows_unknown,
    write_sample,
)

AS_OF = day(10)


def tables(interactions):
    """A crosswalk tie and a merge on day 5 and on day 15, an attribute known and one known late, two decisions."""
    ties = [
        {
            "source": "card",
            "source_key": key,
            "customer_id": "a",
            "linked_at": day(at),
            "unlinked_at": day(15),
        }
        for key, at in (("1", 5), ("2", 15))
    ]
    merges = [
        {"customer_id": one, "merged_into": "a", "merged_at": day(at)} for one, at in (("b", 5), ("c", 15))
    ]
    told = [
        {"customer_id": "a", "name": "tier", "value": value, "occurred_at": day(1), "known_at": day(at)}
        for value, at in (("gold", 10), ("lead", 11))
    ]
    decided = [
        {"customer_id": "a", "decision_id": str(at), "decided_at": day(at), "sent_at": day(at + 2)}
        for at in (9, 15)
    ]
    rows = {CROSSWALK: ties, MERGES: merges, ATTRIBUTES: told, DECISIONS: decided}
    return {"interactions": table(interactions)} | {
        contract.name: pa.Table.from_pylist(found, schema=contract.arrow())
        for contract, found in rows.items()
    }


HISTORY = [row("a", 1), row("a", 9, known_at=11), row("a", 12), row("b", 2), row("c", 10), row("d", 3)]


def as_known(one, as_of):
    """Return a row as it was known at as_of: of an end that became known later, nothing."""
    ends = one.get("known_until")
    return one | {"known_until": None} if ends is not None and ends > as_of else one


def known_rows(found, as_of=AS_OF):
    return {
        name: [
            as_known(one, as_of)
            for one, gone in zip(part.to_pylist(), rows_unknown(name, part, as_of), strict=True)
            if not gone
        ]
        for name, part in found.items()
    }


def test_deleting_leaves_what_was_known_and_takes_back_what_ended_later():
    left = delete_unknown(tables(HISTORY), AS_OF)
    assert [(one["customer_id"], one["occurred_at"]) for one in left["interactions"].to_pylist()] == [
        ("a", day(1)),
        ("b", day(2)),
        ("c", day(10)),
        ("d", day(3)),
    ]
    assert left["attributes"]["value"].to_pylist() == ["gold"]
    assert left["merges"]["customer_id"].to_pylist() == ["b"]
    assert [(one["source_key"], one["unlinked_at"]) for one in left["crosswalk"].to_pylist()] == [("1", None)]
    assert [(one["decision_id"], one["sent_at"]) for one in left["decisions"].to_pylist()] == [("9", None)]


def test_disturbing_adds_late_rows_copies_attributes_and_ties_none_of_them_known():
    before = tables(HISTORY)
    after = disturb_unknown(before, AS_OF, seed=1)
    assert known_rows(after) == known_rows(delete_unknown(before, AS_OF))
    for name in ("interactions", "attributes", "crosswalk", "decisions"):
        assert after[name].num_rows > before[name].num_rows - 1, name
        assert rows_unknown(name, after[name], AS_OF).any(), name
    many = tables([row(f"{number:02d}", 1) for number in range(30)])
    merged = disturb_unknown(many, AS_OF, seed=1)["merges"].to_pylist()
    assert sum(one["merged_at"] > AS_OF for one in merged) > 3
    late = [
        one
        for one in disturb_unknown(many, AS_OF, seed=1)["interactions"].to_pylist()
        if one["known_at"] > AS_OF
    ]
    assert any(one["occurred_at"] <= AS_OF for one in late)
    ended = disturb_unknown(many, AS_OF, seed=1)["interactions"]["known_until"].drop_null().to_pylist()
    assert sum(ends > AS_OF for ends in ended) > 3
    assert any(one["known_at"] - AS_OF == timedelta.resolution for one in late)


@settings(max_examples=30, deadline=None)
@given(found=histories, as_of=st.sampled_from(AS_OFS), seed=st.integers(0, 9))
def test_whatever_is_disturbed_the_known_rows_are_the_same(found, as_of, seed):
    before = tables(found)
    assert known_rows(disturb_unknown(before, as_of, seed), as_of) == known_rows(
        delete_unknown(before, as_of), as_of
    )


@dataclass(frozen=True)
class Folder:
    """As much of a store as is read here."""

    folder: Path
    fingerprint: str = "f"

    @property
    def paths(self):
        return StorePaths(self.folder)

    @property
    def buckets(self):
        return sorted(self.folder.glob("interactions/*.parquet"))


def test_a_sample_is_written_as_a_store_of_its_own_with_threads_opened_anew(tmp_path):
    thread = {"thread_id": "t", "opens_thread": False}
    rows = [row("a", 2, known_at=9, **thread), row("a", 3, **thread), row("b", 1)]
    with connect(EngineConfig(), tmp_path) as connection:
        (tmp_path / "one").mkdir()
        written = write_sample(connection, Folder(tmp_path), tmp_path / "one" / "s", tables(rows))
        assert written.fingerprint == "f-s"
        (bucket,) = written.buckets
        assert pq.read_table(bucket)["opens_thread"].to_pylist() == [False, True, True]
        again = read_sample(written, ["a"])
    assert again["interactions"]["customer_id"].to_pylist() == ["a", "a"]
    assert again["merges"].num_rows == 0
    assert set(again) == set(TABLES)
