# ruff: noqa: RUF001
"""Files of any spelling are read right, and a bad line is one rejected row wherever it stands."""

import gzip
import json
import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.sources.small import HEADER, TILL, mapped
from sintonia.core.config import CsvConfig, JoinConfig
from sintonia.core.errors import ConfigError, InputError, SintoniaError

GOOD = "1,C1,2026-01-02 10:00,purchase,1.5,a\n"
LINES = replace(TILL, path="t*.jsonl", format="jsonl")
OBJECT = {"id": "1", "card": "C1", "at": "2026-01-02 10:00", "kind": "purchase", "amount": 1.5, "cat": "a"}


def jsonl(*objects: dict) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_a_month_without_a_column_has_nulls_there(tmp_path):
    months = {
        "t_1.csv": HEADER + GOOD,
        "t_2.csv": "id,card,at,kind,amount\n2,C2,2026-01-03 10:00,purchase,7\n",
    }
    found = mapped(tmp_path, months)
    assert found.column("i__category") == ["a", None]
    assert found.report.reading == ("column 'cat' is missing in 1 of 2 files, where it is null",)


def test_a_month_with_another_order_delimiter_and_case_of_its_columns_fits(tmp_path):
    other = "Cat;kind;at;card;id;amount\nb;purchase;2026-01-03 10:00;C2;2;7\n"
    found = mapped(tmp_path, {"t_1.csv": HEADER + GOOD, "t_2.csv": other})
    assert found.column("i__category") == ["a", "b"]
    assert found.column("i__amount") == [150, 700]


@pytest.mark.parametrize("lines_before", [0, 3000])
def test_one_windows_line_end_among_others_is_read_early_and_late(tmp_path, lines_before):
    many = "".join(f"{at},C{at},2026-01-02 10:00,purchase,5,a\n" for at in range(10, 10 + lines_before))
    text = HEADER + many + "7,C7,2026-01-02 10:00,purchase,5,a\r\n8,C8,2026-01-02 10:00,purchase,5,b\n"
    found = mapped(tmp_path, text)
    assert found.report.stored == lines_before + 2
    assert found.column("i__category")[-2:] == ["a", "b"]


@pytest.mark.parametrize("lines_before", [0, 3000])
@pytest.mark.parametrize(
    "bad", ['6,C6,2026-01-02 10:00,purchase,5,"never closed', '6,C6,2026-01-02 10:00,purchase,5,"a"b']
)
def test_a_broken_quote_is_one_rejected_row_early_and_late(tmp_path, lines_before, bad):
    many = "".join(f"{at},C{at},2026-01-02 10:00,purchase,5,a\n" for at in range(10, 10 + lines_before))
    last = '7,C7,2026-01-02 10:00,purchase,5,"a, b"\n8,C8,2026-01-02 10:00,purchase,5,"two\nlines"\n'
    found = mapped(tmp_path, HEADER + many + bad + "\n" + last)
    assert found.reasons == {"line not readable": 1}
    assert found.column("i__category")[-2:] == ["a, b", "two\nlines"]
    (rejected,) = [row for row in found.rows if row["reason"] is not None]
    assert rejected["raw"].startswith("6,C6,2026")


@pytest.mark.parametrize(
    ("page", "given", "name"),
    [
        ("cp1252", None, "D’Angelo € Niccolò"),
        ("cp1252", "latin-1", "D’Angelo € Niccolò"),
        ("cp1252", "windows-1252", "D’Angelo € Niccolò"),
        ("cp1252", None, "rende più"),
        ("latin-1", "latin-1", "Zoë"),
        ("cp1250", None, "Žluťoučký kůň"),
        ("cp1251", None, "Светлана Иванова"),
        ("utf-16", None, "Zoë"),
        ("utf-16-le", None, "Zoë"),
        ("utf-16-be", "utf-16-be", "Zoë"),
        ("utf-8-sig", None, "Zoë"),
        ("cp850", "cp850", "Zoë"),
    ],
)
def test_any_encoding_is_read_found_or_given(tmp_path, page, given, name):
    text = HEADER + GOOD + f"2,C2,2026-01-03 10:00,purchase,2,{name}\n"
    found = mapped(tmp_path, text.encode(page), csv={"encoding": given})
    assert found.column("i__category") == ["a", name]


def test_text_that_is_not_of_the_given_encoding_is_rejected_line_by_line(tmp_path):
    text = HEADER + GOOD + "2,C2,2026-01-03 10:00,purchase,2,Zoë\n"
    found = mapped(tmp_path, text.encode("cp1252"), csv={"encoding": "utf-8"})
    assert (found.column("i__category"), found.reasons) == (["a"], {"line not readable": 1})


def test_a_broken_byte_among_letters_of_utf_8_is_one_rejected_row(tmp_path):
    text = HEADER + GOOD + "2,C2,2026-01-03 10:00,purchase,2,più\n3,C3,2026-01-03 10:00,purchase,2,"
    found = mapped(tmp_path, text.encode() + b"\xff\n")
    assert (found.column("i__category"), found.reasons) == (["a", "più"], {"line not readable": 1})


def test_an_encoding_nobody_knows_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="Unknown encoding 'utf8x'; did you mean 'utf-8'"):
        mapped(tmp_path, HEADER + GOOD, csv={"encoding": "utf8x"})


@pytest.mark.parametrize("mark", ["sep=;\n", "sep=;\r\n", "\ufeffsep=;\n", "\n\n", ""])
def test_a_line_that_names_the_delimiter_and_blank_lines_are_no_header(tmp_path, mark):
    end = "\r\n" if "\r" in mark else "\n"
    text = mark + (HEADER + GOOD).replace(",", ";").replace("\n", end)
    found = mapped(tmp_path, text)
    assert found.column("i__amount") == [150]
    assert found.report.reading == ("cells separated by semicolons",)


def test_a_delimiter_that_is_given_wins(tmp_path):
    text = (HEADER + GOOD).replace(",", "|")
    assert mapped(tmp_path, text, csv={"delimiter": "|"}).report.stored == 1
    with pytest.raises(ConfigError, match="no column 'card'"):
        mapped(tmp_path, text, csv={"delimiter": ";"})


def test_a_packed_file_is_read_whatever_it_is_called(tmp_path):
    packed = gzip.compress((HEADER + GOOD).encode())
    assert mapped(tmp_path, {"t.csv": packed}).report.stored == 1
    assert mapped(tmp_path, {"t.csv": packed, "t.csv.gz": packed}, path="t.csv*").report.rows == 2
    with pytest.raises(InputError, match=r"cut short or damaged"):
        mapped(tmp_path, {"t.csv": gzip.compress(HEADER.encode() + GOOD.encode() * 9000)[:-20]})


def test_columns_may_be_called_as_our_own(tmp_path):
    text = (
        "_file,_row,_readable,_line,_moment,_text_0,_read_i__amount,id,card,at,kind,amount,cat\nx,7,no,l,m,t,r,"
        + GOOD
    )
    found = mapped(
        tmp_path, text, attributes={"file": "_file", "line": "_line"}, identifiers={"card": "_row"}
    )
    assert (found.column("a__file"), found.column("a__line"), found.column("id__card")) == (
        ["x"],
        ["l"],
        ["7"],
    )


def test_of_columns_that_differ_by_case_the_exact_name_goes_first(tmp_path):
    text = "CAT," + HEADER.strip() + ",Cat\nX," + GOOD.strip() + ",Y\n"
    assert mapped(tmp_path, text).column("i__category") == ["a"]
    assert mapped(tmp_path, text, attributes={"other": "Cat"}).column("a__other") == ["Y"]


def test_of_json_keys_that_differ_by_case_the_exact_name_goes_first(tmp_path):
    other = {**OBJECT, "id": "2", "Cat": "b"}
    del other["cat"]
    found = mapped(tmp_path, {"t.jsonl": jsonl(OBJECT, other)}, LINES)
    assert found.column("i__category") == ["a", None]


@pytest.mark.parametrize(
    "key", ['a"b', "", "*", "$", "a.b", "a/b", "~", "[0]", "_readable", "_line", "é", "Cat", " "]
)
def test_a_json_key_may_be_spelt_in_any_way(tmp_path, key):
    found = mapped(tmp_path, {"t.jsonl": jsonl(OBJECT, {**OBJECT, "id": "2", key: "x"})}, LINES)
    assert found.column("i__category") == ["a", "a"]


def test_a_long_line_and_a_control_character_harm_nothing(tmp_path):
    lines = jsonl(OBJECT, {**OBJECT, "id": "2", "note": "x" * 3_000_000}) + '{"id": "3", "card": "\x01"}\n'
    found = mapped(tmp_path, {"t.jsonl": lines + jsonl({**OBJECT, "id": "4"})}, LINES)
    assert found.column("i__interaction_id") == ["1", "2", "4"]
    assert found.reasons == {"line not readable": 1}


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_array_is_as_good_as_lines(tmp_path, indent):
    objects = [OBJECT, {**OBJECT, "id": "2", "cat": "[b],"}]
    found = mapped(tmp_path, {"t.jsonl": json.dumps(objects, indent=indent)}, LINES)
    assert found.column("i__category") == ["a", "[b],"]


def test_objects_over_several_lines_are_read_and_a_broken_one_is_one_row(tmp_path):
    text = json.dumps(OBJECT, indent=1) + '\n{"id": broken}\n' + json.dumps({**OBJECT, "id": "3"}, indent=1)
    found = mapped(tmp_path, {"t.jsonl": text}, LINES)
    assert found.column("i__interaction_id") == ["1", "3"]
    assert found.reasons == {"line not readable": 1}


def test_json_of_another_encoding_is_read(tmp_path):
    text = json.dumps({**OBJECT, "cat": "caffè"}, ensure_ascii=False)
    assert mapped(tmp_path, {"t.jsonl": text.encode("cp1252")}, LINES).column("i__category") == ["caffè"]
    assert mapped(tmp_path, {"t.jsonl": text.encode("utf-16")}, LINES).column("i__category") == ["caffè"]


@pytest.mark.parametrize("empty", ["", "\n\n", "\ufeff"])
def test_an_empty_file_among_others_is_passed_over_and_alone_it_is_one_line(tmp_path, empty):
    assert mapped(tmp_path, {"t_1.csv": empty, "t_2.csv": HEADER + GOOD}).report.rows == 1
    assert mapped(tmp_path, {"t_1.jsonl": empty, "t_2.jsonl": jsonl(OBJECT)}, LINES).report.rows == 1
    with pytest.raises(InputError, match=r"^Silo 't': The file 't_1.csv' has nothing in it"):
        mapped(tmp_path, {"t_1.csv": empty}, path="t_1.csv")


def test_a_header_alone_is_a_silo_without_rows(tmp_path):
    assert mapped(tmp_path, HEADER).report.rows == 0


def test_parquet_columns_that_differ_by_case_or_are_called_as_our_own_are_read(tmp_path):
    table = {**{key: [value] for key, value in OBJECT.items()}, "Cat": ["b"], "_file": ["x"]}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    found = mapped(
        tmp_path, {}, path="t.parquet", format="parquet", attributes={"other": "Cat", "file": "_file"}
    )
    assert (found.column("i__category"), found.column("a__other"), found.column("a__file")) == (
        ["a"],
        ["b"],
        ["x"],
    )


def test_a_joined_file_is_read_as_a_silo_is(tmp_path):
    late = "".join(f"{at};x\n" for at in range(30_000)) + 'a;"città; centro"\n'
    joined = {"t.csv": "id,card,at,kind,amount,item\n1,C1,2026-01-02 10:00,purchase,1.5,a\n"}
    join = {"items": JoinConfig(path="items.csv", columns=["item"])}
    found = mapped(tmp_path, {**joined, "items.csv": ("item;cat\n" + late).encode("cp1252")}, join=join)
    assert found.column("i__category") == ["città; centro"]
    wrong = {"items": JoinConfig(path="items.csv", columns=["item"], csv=CsvConfig(delimiter=","))}
    with pytest.raises(ConfigError, match=r"join to 'items.csv' has no column 'item'"):
        mapped(tmp_path, joined, join=wrong)


FRAGMENTS = [
    '"', '""', ",", ";", "\n", "\r\n", "\r", "\x00", "\x01", "\ufeff", "é", "’", "\t", "{", "}", "[", "]", ":", "-",
    "(", "€", "\\", "'", "%", "\u200b",
]  # fmt: skip


def mutate(chance: random.Random, raw: bytes) -> bytes:
    """Return a file with a few pieces lost, doubled, moved or replaced, perhaps in another encoding."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(raw) + 1)
        end = min(at + chance.randint(0, 12), len(raw))
        piece = chance.choice(FRAGMENTS).encode("utf-8" if chance.random() < 0.7 else "utf-16-le")
        raw = chance.choice([
            raw[:at] + piece + raw[at:], raw[:at] + raw[end:], raw[:at] + raw[at:end] * 2 + raw[end:],
            raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :], raw + raw[at:end],
        ])  # fmt: skip
    return raw


def check_mutated(folder, seed: int) -> None:
    """Check that a mutated silo gives rows in = stored + rejected, or one line; each id there is found once at most."""
    chance = random.Random(seed)
    csv = chance.random() < 0.6
    cells = ["a", 'b "c"', "d, e", "f\ng", "più"]
    rows = [{**OBJECT, "id": f"row{at}", "cat": chance.choice(cells)} for at in range(12)]
    if csv:
        import io
        from csv import DictWriter

        text = io.StringIO()
        writer = DictWriter(text, list(OBJECT), lineterminator=chance.choice(["\n", "\r\n"]))
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue()
    else:
        content = chance.choice([jsonl(*rows), json.dumps(rows), json.dumps(rows, indent=1)])
    encoded = content.encode(chance.choice(["utf-8", "utf-8", "cp1252", "utf-16", "utf-8-sig"]))
    name = "t.csv" if csv else "t.jsonl"
    found, refusal = None, ""
    try:
        found = mapped(folder, {name: mutate(chance, encoded)}, TILL if csv else LINES)
    except SintoniaError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if found is None:
        return
    assert sum(found.report.reasons.values()) == found.report.rejected
    ids = found.column("i__interaction_id")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("block", range(10))
def test_mutated_files_lose_no_row_and_raise_nothing_but_one_line(tmp_path, block):
    for seed in range(20 * block, 20 * block + 20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_mutated(folder, seed)


def test_a_glob_whose_files_say_the_same_in_three_ways_is_one_silo(tmp_path):
    files = {
        "t_1.csv": HEADER + GOOD,
        "t_2.csv": (HEADER + GOOD).upper().replace("PURCHASE", "purchase").replace(",", ";").encode("utf-16"),
        "t_3.csv": "sep=\t\r\n" + (HEADER + GOOD).replace(",", "\t").replace("\n", "\r\n"),
    }
    columns = {"kind": "kind", "amount": "amount", "category": "lower(cat)"}
    found = mapped(tmp_path, files, interactions=columns, keep="all")
    assert (found.column("i__category"), found.column("i__amount")) == (["a"] * 3, [150] * 3)
    once = mapped(tmp_path, files, interactions=columns)
    assert once.reasons == {"duplicate": 1}  # the third file brings the first one's row again


def test_a_csv_file_called_parquet_and_a_picture_are_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^Silo 't': cannot read t.parquet as parquet"):
        mapped(tmp_path, {"t.parquet": HEADER + GOOD}, path="t.parquet", format="parquet")
    with pytest.raises(InputError, match=r"is not text; save it as CSV or Parquet"):
        mapped(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9)


def test_a_column_whose_name_has_line_ends_is_read_and_named_on_one_line(tmp_path):
    text = HEADER.replace("cat", '"cat\nof goods"') + GOOD
    found = mapped(tmp_path, text, interactions={"kind": "kind", "category": '"cat\nof goods"'})
    assert found.column("i__category") == ["a"]
    with pytest.raises(ConfigError, match=r"no column 'cat'; did you mean '.*'\? Choose .*cat of goods"):
        mapped(tmp_path, text)
