"""A list scored from end to end: every row in its place, whatever is in it, however it is cut into chunks."""

import csv
import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.lists.small import cards_csv
from sintonia.api.pipelines.serving import score_figures, with_watched
from sintonia.core.config import LayoutConfig, ReasonsConfig, ScoreSettings
from sintonia.core.errors import InputError
from sintonia.data.privacy.tombstones import entomb
from sintonia.data.store.store import bucket_of
from sintonia.serving.lists import chunks
from sintonia.serving.lists.cells import escape_formula
from sintonia.serving.lists.rows import chunk_sizes
from sintonia.serving.scoring import percentiles, score_customers
from sintonia.training.forest import Forest, engine
from sintonia.training.models import lightgbm_model


def told(path, delimiter=";"):
    """The rows of a scored list, by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def active(brand):
    """The cards of those who can be scored."""
    store, one = brand.store, brand.models[0]
    scores = score_customers(store, one.model, one.as_of, ScoreSettings(list="x"), store.customer_ids())
    whose = {row["customer_id"]: row["source_key"] for row in store.read_crosswalk("card").to_pylist()}
    return [whose[customer] for customer in scores.rows.customer_id.tolist()]


def test_every_status_stands_in_its_place_and_they_add_up(brand, write, tmp_path):
    one, two, three = active(brand)[:3]
    path = write(f"card;note\n{one};a\nzzz;b\n{one};c\n;d\n{two};e\ngone;f\n{three};g;more\n\nyyy;h;more\n")
    (tmp_path / "stop.csv").write_text(f"card\n{two}\nnobody\n")
    entomb(brand.workspace, ["card:gone"])
    scored = brand.score(path, suppress=str(tmp_path / "stop.csv"))
    (brand.workspace / "erased.json").unlink()
    rows = told(scored.files[0])
    assert [row["note"] for row in rows] == ["a", "b", "c", "d", "e", "f", "g;more", "", "h;more"]
    assert [(row["list_status"], row["list_reason"]) for row in rows] == [
        ("scored", ""),
        ("unknown", "nobody has this card"),
        ("duplicate", "of row 2"),
        ("unknown", "no card given"),
        ("suppressed", "on the suppression list"),
        ("erased", "the customer asked to be forgotten"),
        ("scored", "3 cells where the header has 2"),
        ("broken", "the row is empty"),
        ("broken", "3 cells where the header has 2"),
    ]
    assert dict(scored.totals.statuses) == {
        "scored": 2,
        "unknown": 2,
        "duplicate": 1,
        "suppressed": 1,
        "erased": 1,
        "broken": 2,
    }
    assert rows[2]["churn_propensity"] == rows[0]["churn_propensity"] != ""
    assert all(
        not row["churn_propensity"] for row in rows if row["list_status"] not in ("scored", "duplicate")
    )


def test_what_is_written_is_what_score_customers_says_of_the_whole_list(brand, write):
    """Law 4: features shared by models and customers cut into chunks give the same scores to the last bit."""
    cards = brand.cards[:60]
    path = write("card\n" + "".join(f"{card}\n" for card in cards))
    scored = brand.score(path, out=str(path.with_name("out.parquet")), chunk_rows=7)
    table = pq.read_table(scored.files[0])
    found = brand.store.read_crosswalk("card").to_pylist()
    owners = {row["source_key"]: row["customer_id"] for row in found}
    for one, column, unit in zip(
        brand.models,
        ("churn_propensity", "expected_value", "category_propensity"),
        (1, 100, 1),
        strict=True,
    ):
        whole = score_customers(
            brand.store, one.model, one.as_of, ScoreSettings(list="x"), list(owners.values())
        )
        mine = [owners[card] for card in cards]
        outcome = dict(zip(whole.rows.customer_id.tolist(), whole.outcome.tolist(), strict=True))
        expected = [outcome[owner] / unit if owner in outcome else None for owner in mine]
        assert table[column].to_pylist() == expected
        there = np.array([value for value in expected if value is not None])
        ranks = [value for value in table[f"{one.task}_percentile"].to_pylist() if value is not None]
        assert ranks == percentiles(there).tolist()
    assert set(table["next_category"].to_pylist()) <= {"milk", "bread", None}
    assert 0 < table["churn_propensity"].null_count < 60


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "xlsx", "parquet", "jsonl"])
def test_any_chunk_size_and_number_of_threads_gives_the_same_bytes(brand, write, tmp_path, ending):
    cards = [*brand.cards[:40], "zzz", *brand.cards[:5]]
    path = write("card;n\n" + "".join(f"{card};1,5\n" for card in cards))
    files = []
    for rows in (1_000, 13):
        engine = replace(ScoreSettings(list="x").engine, threads=2 if rows == 13 else 1)
        out = tmp_path / f"{rows}.{ending}"
        files.append(brand.score(path, out=str(out), chunk_rows=rows, engine=engine).files[0].read_bytes())
    assert files[0] == files[1]


def test_not_eligible_rows_say_for_what(brand, write):
    path = write("card\n" + "".join(f"{card}\n" for card in brand.cards))
    scored = brand.score(path, as_of=None)
    rows = told(scored.files[0], ",")
    out = [row for row in rows if row["list_status"] == "not eligible"]
    assert out
    assert out[0]["list_reason"].startswith("churn: only customers who bought in the last")
    assert out[0]["churn_status"].startswith("not eligible: only customers who bought")
    for task, counts in scored.totals.tasks.items():
        assert counts.total() == len(rows) == scored.totals.rows, task


def test_a_list_without_a_header_is_scored_under_numbered_columns(brand, write, caplog):
    one, two = active(brand)[:2]
    with caplog.at_level("INFO"):
        scored = brand.score(write(f"{one};a\nzzz;b\n{two};c\n{one};d\n"))
    rows = told(scored.files[0])
    assert [(row["column_1"], row["column_2"]) for row in rows] == [
        (one, "a"),
        ("zzz", "b"),
        (two, "c"),
        (one, "d"),
    ]
    assert [row["list_status"] for row in rows] == ["scored", "unknown", "scored", "duplicate"]
    assert rows[3]["list_reason"] == "of row 1"
    assert "without a header: its columns are called column_1, column_2" in caplog.text


@pytest.mark.parametrize("chunk_rows", [2, 1000])
def test_two_columns_of_keys_identify_rows_together(brand, write, chunk_rows):
    store = brand.store
    one, two, three = active(brand)[:3]
    owner = {row["source_key"]: row["customer_id"] for row in store.read_crosswalk("card").to_pylist()}
    text = f"customer_id;card;n\n{owner[one]};;1\n;{two};2\nC-none;{three};3\n;;4\nC-none;zzz;5\n"
    layout = LayoutConfig("calls", {"key": "who", "n": "n"})
    scored = brand.score(write(text), layout=layout, chunk_rows=chunk_rows)
    rows = told(scored.files[0])
    assert [(row["n"], row["list_status"], row["list_reason"]) for row in rows] == [
        ("1", "scored", ""),
        ("2", "scored", ""),
        ("3", "scored", ""),
        ("4", "unknown", "no card or customer_id given"),
        ("5", "unknown", "nobody has this card or customer_id"),
    ]
    assert "more by '" in scored.located.description
    (sent,) = (path for path in scored.files if "calls" in path.name)
    cells = [row["who"] for row in told(sent)]
    assert cells[:2] == [owner[one], two]
    suppressed = brand.score(
        write(text), suppress=str(write(f"customer_id;card\n;{two}\n{owner[one]};\n", "s.csv"))
    )
    assert [row["list_status"] for row in told(suppressed.files[0])][:3] == [
        "suppressed",
        "suppressed",
        "scored",
    ]


@pytest.mark.parametrize("why", ["3 not eligible", "3 suppressed"])
def test_a_list_with_nobody_to_score_is_written_and_says_so(brand, write, tmp_path, why):
    inactive = [card for card in brand.cards if card not in set(active(brand))][:3]
    suppress = {"suppress": str(write(cards_csv(inactive), "stop.csv"))} if "suppressed" in why else {}
    scored = brand.score(write(cards_csv(inactive)), **suppress)
    rows = told(scored.files[0], ",")
    assert [row["card"] for row in rows] == inactive
    assert {row["list_status"] for row in rows} == {why[2:]}
    assert {row["churn_propensity"] for row in rows} == {""}
    assert f"Nobody on this list was scored: {why}." in score_figures(scored)["say"]
    assert with_watched(score_figures(scored), scored, force=False)["tasks"]["churn"]["customers"] == 0
    assert f"Nobody on this list was scored: {why}." in scored.files[1].read_text()


def test_a_run_that_was_stopped_goes_on_at_the_chunk_it_had_reached(brand, write, monkeypatch):
    path = write("card\n" + "".join(f"{card}\n" for card in brand.cards[:50]))
    real, done, all_of_them = chunks.score_chunk, [], []
    monkeypatch.setattr(
        chunks, "score_chunk", lambda scoring, chunk: all_of_them.append(1) or real(scoring, chunk)
    )
    undisturbed = brand.score(path, chunk_rows=10).files[0].read_bytes()

    def failing(scoring, chunk):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(chunk.num_rows)
        return real(scoring, chunk)

    monkeypatch.setattr(chunks, "score_chunk", failing)
    path.with_name("list-scored.csv").unlink()
    with pytest.raises(KeyboardInterrupt):
        brand.score(path, chunk_rows=10)
    assert not path.with_name("list-scored.csv").exists()
    again = []
    monkeypatch.setattr(chunks, "score_chunk", lambda scoring, chunk: again.append(1) or real(scoring, chunk))
    assert brand.score(path, chunk_rows=10).files[0].read_bytes() == undisturbed
    assert len(again) == len(all_of_them) - 2 > 0
    assert not list(brand.workspace.glob(".scoring-*"))


def test_a_list_long_enough_for_the_compiled_forest_has_the_same_bytes(brand, write, monkeypatch):
    path = write("card\n" + "".join(f"{card}\n" for card in brand.cards))
    plain = brand.score(path).files[0].read_bytes()
    for module in (lightgbm_model, engine):
        monkeypatch.setattr(module, "ROWS_TO_SCORE", 1)
    fresh = replace(brand, models=[replace(one, model=replace(one.model)) for one in brand.models])
    assert fresh.score(path).files[0].read_bytes() == plain
    used = [one.model.median_forest if one.model.median_trees else one.model.forest for one in fresh.models]
    assert all(isinstance(one, Forest) for one in used)


def test_a_list_that_changed_is_scored_from_the_start(brand, write):
    first = write("card\n" + "".join(f"{card}\n" for card in brand.cards[:5]))
    brand.score(first)
    second = write("card\n" + "".join(f"{card}\n" for card in brand.cards[5:10]))
    assert told(brand.score(second).files[0], ",")[0]["card"] == brand.cards[5]


def test_a_preview_is_the_first_rows_in_a_file_of_its_own(brand, write):
    path = write("card\n" + "".join(f"{card}\n" for card in brand.cards[:30]))
    scored = brand.score(path, limit=4)
    assert scored.files[0].name == "list-preview.csv"
    assert [row["card"] for row in told(scored.files[0], ",")] == list(brand.cards[:4])


def test_column_that_holds_nobody_is_one_clear_line(brand, write):
    path = write("note;card\n7x;zzz\n")
    with pytest.raises(
        InputError, match=r"No customer has a key in the column 'card' .* 0 of 1 rows.*key=COLUMN"
    ):
        brand.score(path)


def test_column_that_is_there_already_is_not_overwritten(brand, write):
    path = write(f"card,churn_band\n{brand.cards[0]},high\n")
    with pytest.raises(InputError, match="has a column 'churn_band' already"):
        brand.score(path)
    assert not path.with_name("list-scored.csv").exists()


def test_ending_nobody_writes_is_refused_before_anything_is_done(brand, write):
    with pytest.raises(InputError, match=r"Unknown output format 'x\.pdf'"):
        brand.score(write(f"card\n{brand.cards[0]}\n"), out="x.pdf")


def test_own_columns_come_back_as_they_were_and_formulas_are_tamed(brand, write):
    card = brand.cards[0]
    path = write(f'sep=;\r\ncard;"a;b";=x;a;b\r\n{card};"1;2\n3";=1+1;-5,20;+39 02\r\n')
    raw = brand.score(path, reasons=ReasonsConfig(0)).files[0].read_bytes().decode()
    assert raw.startswith('sep=;\r\ncard;"a;b";\'=x;a;b;list_status;')
    assert f'\r\n{card};"1;2\n3";\'=1+1;-5,20;+39 02;scored;' in raw
    (row,) = list(csv.DictReader(raw.splitlines(keepends=True)[1:], delimiter=";"))
    assert "," in row["churn_propensity"]


def test_excel_keeps_types_and_zeros_and_runs_no_formula(brand, tmp_path):
    from datetime import datetime

    import openpyxl
    import xlsxwriter

    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("people")
        sheet.write_row(0, 0, ["code", "since", "paid", "note"])
        zeros, day = book.add_format({"num_format": "0000"}), book.add_format({"num_format": "dd/mm/yy"})
        sheet.write_number(1, 0, int(brand.cards[0]), zeros)
        sheet.write_datetime(1, 1, datetime(2025, 1, 2), day)
        sheet.write_number(1, 2, 12.5)
        sheet.merge_range(1, 3, 2, 3, "")
        sheet.write_string(1, 3, "=1+1")
        sheet.write_string(2, 0, brand.cards[1])
    shown = f"{int(brand.cards[0]):04d}"
    assert shown == brand.cards[0]
    scored = brand.score(path, key="code")
    rows = list(openpyxl.load_workbook(scored.files[0])["list"].iter_rows(values_only=True))
    assert rows[0][:5] == ("code", "since", "paid", "note", "list_status")
    assert rows[1][:5] == (shown, datetime(2025, 1, 2), 12.5, "=1+1", "scored")
    assert rows[2][0] == brand.cards[1]
    place = rows[0].index("churn_propensity")
    assert isinstance(rows[1][place], float) or rows[1][place] is None
    sheet = openpyxl.load_workbook(scored.files[0])["list"]
    assert sheet["D2"].data_type == "s"
    # Neighbours of one width are told together.
    widths = {at: one.width for one in sheet.column_dimensions.values() for at in range(one.min, one.max + 1)}
    for at, column in enumerate(zip(*rows, strict=True), start=1):
        longest = max(len(cell) for cell in column if isinstance(cell, str))
        assert widths[at] > min(longest, 89), column[0]  # several refusals are longer than a screen is wide


def test_parquet_keeps_its_types(brand, tmp_path):
    table = pa.table(
        {
            "card": brand.cards[:3],
            "at": pa.array([1, None, 3], pa.timestamp("ns")),
            "tags": [["a"], [], None],
        }
    )
    pq.write_table(table, tmp_path / "list.parquet")
    found = pq.read_table(brand.score(tmp_path / "list.parquet", chunk_rows=2).files[0])
    assert found.select(table.column_names).equals(table)
    assert found.schema.field("churn_percentile").type == pa.int64()


def test_json_lines_keep_their_text(brand, write):
    one, two = brand.cards[:2]
    path = write(f'{{"card": "{one}", "n": 1.50}}\noops\n{{"card":"{two}","x":{{"a":[1]}}}}\n', "list.jsonl")
    lines = brand.score(path).files[0].read_text().splitlines()
    assert lines[0].startswith(f'{{"card": "{one}", "n": 1.50, "list_status": "scored", ')
    assert json.loads(lines[1])["line"] == "oops"
    assert json.loads(lines[1])["list_status"] == "broken"
    assert json.loads(lines[2])["x"] == {"a": [1]}


def test_a_chunk_reads_the_buckets_of_its_own_customers_however_many_they_are(brand):
    """A chunk of one bucket that read all of them would make a list's cost grow with the square of the buckets."""
    n = len(brand.store.buckets)
    names = [name for name in (f"C{at}" for at in range(1000 * n)) if bucket_of(name, n) == n - 1]
    assert n > 1
    assert len(names) > 100 * n
    assert brand.store.holding(names) == brand.store.buckets[-1:]


def test_chunks_are_whole_buckets_or_equal_parts_of_one():
    assert chunk_sizes([5, 5, 5], 10) == [5, 5, 5]
    assert chunk_sizes([1] * 8, 10) == [2, 2, 2, 2]
    assert chunk_sizes([21], 10) == [7, 7, 7]
    assert chunk_sizes([], 10) == []


@pytest.mark.parametrize("text", ["-1", "+1.5e10", "-3 %", "+39 (0)2/123", "1+1", "a=b", ""])
def test_what_is_no_formula_is_not_touched(text):
    assert escape_formula(text) == text


def test_each_row_says_what_would_be_done_and_nothing_for_who_is_not_known(brand, write):
    one, two = active(brand)[:2]
    whose = {row["source_key"]: row["customer_id"] for row in brand.store.read_crosswalk("card").to_pylist()}
    proposed = pa.table(
        {
            "customer_id": [whose[one], whose[two]],
            "action_id": ["mail", "none"],
            "channel": ["email", None],
            "send_at_local": pa.array([datetime(2025, 1, 2, 18, 30), None], pa.timestamp("us")),
            "effect": [0.25, 0.0],
            "runner_up": ["none", None],
            "arm": ["policy", "holdout"],
            "assignment_probability": [1.0, 1.0],
            "margin": [1.5, None],
            "worth": [1.5, 0.0],
        }
    ).sort_by("customer_id")
    asked = []

    def act(customers):
        asked.append(customers.to_pylist())
        return [proposed.slice(0, 1), proposed.slice(1)]

    scored = brand.score(write(f"card;n\n{two};1\nzzz;1\n{one};1\n{one};2\n"), act=act)
    assert asked == [sorted([whose[one], whose[two]])]
    rows = told(scored.files[0])
    names = ("next_best_action", "channel", "send_at", "effect", "runner_up", "arm", "assignment_probability")
    done = ["mail", "email", "2025-01-02 18:30", "0.2500", "none", "policy", "1.0000"]
    assert [[row[name] for name in names] for row in rows] == [
        ["none", "", "", "0.0000", "", "holdout", "1.0000"],
        [""] * 7,
        done,
        done,
    ]
    why = [row["next_best_action_reason"] for row in rows]
    assert why[2] == "Worth about 1.50 EUR after its cost: 1.50 EUR better than doing nothing"
    assert why[:2] == ["Left alone on purpose, to measure what messages bring", ""]
    assert dict(scored.totals.actions) == {("mail", "email"): 1, ("none", ""): 1}
    assert "mail by email" in scored.files[1].read_text()


def test_who_is_not_decided_on_gets_no_action_and_the_others_their_own(brand, write):
    cards = active(brand)[:5]
    whose = {row["source_key"]: row["customer_id"] for row in brand.store.read_crosswalk("card").to_pylist()}
    ids = sorted(whose[card] for card in cards)
    kept = [ids[1], ids[2], ids[4]]

    def act(customers):
        for some in (kept[:2], kept[2:]):
            n = len(some)
            yield pa.table(
                {
                    **{name: list(some) for name in ("customer_id", "action_id")},
                    **{name: pa.nulls(n, pa.string()) for name in ("channel", "runner_up")},
                    **{name: pa.nulls(n, pa.float64()) for name in ("effect", "margin", "worth")},
                    "send_at_local": pa.nulls(n, pa.timestamp("us")),
                    "arm": ["policy"] * n,
                    "assignment_probability": [1.0] * n,
                }
            )

    rows = told(brand.score(write("card;n\n" + "".join(f"{card};1\n" for card in cards)), act=act).files[0])
    told_of = {whose[row["card"]]: row["next_best_action"] for row in rows}
    assert told_of == {one: one if one in kept else "" for one in ids}


def test_nobody_to_decide_on_is_nobody_s_action(brand, write):
    def act(customers):
        assert len(customers) == 1
        yield pa.table(
            {
                **{
                    name: pa.array([], pa.string())
                    for name in ("customer_id", "action_id", "channel", "runner_up", "arm")
                },
                **{
                    name: pa.array([], pa.float64())
                    for name in ("effect", "margin", "worth", "assignment_probability")
                },
                "send_at_local": pa.array([], pa.timestamp("us")),
            }
        )

    (row,) = told(brand.score(write(f"card;n\n{active(brand)[0]};1\n"), act=act).files[0])
    assert (row["list_status"], row["next_best_action"]) == ("scored", "")
