"""Rows removed from files of every kind, and traces found in what has no rows."""

import gzip
import io
import sqlite3
import zipfile
from contextlib import closing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.data.privacy.traces import Traces, compact, count_traces, remove_rows

WHO = Traces(
    words=frozenset({"via libertà 12"}),
    columns={"id": frozenset({"7"})},
    names={name: frozenset({"rossi"}) for name in ("nome", "b", "name")},
)


def cleaned(tmp_path, name, raw):
    """(rows removed, what is left), the file being found clean afterwards."""
    path = tmp_path / name
    path.write_bytes(raw)
    before = count_traces(path, WHO)
    removed = remove_rows(path, WHO)
    if removed is not None:
        assert (removed, count_traces(path, WHO)) == (before, 0)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    return removed, path.read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_rows_of_a_list_go_and_the_others_keep_their_bytes(tmp_path, encoding):
    text = 'id;nome;via\r\n1;Però;Via Po\r\n7;x;\r\n2;ROSSI;\r\n3;y;"Via Libertà 12"\r\n4;Rossini;7\r\n'
    removed, left = cleaned(tmp_path, "l.csv", text.encode(encoding))
    assert removed == 3
    assert left.decode(encoding) == "id;nome;via\r\n1;Però;Via Po\r\n4;Rossini;7\r\n"


def test_a_quoted_cell_may_hold_line_ends_and_a_stray_quote_holds_none(tmp_path):
    text = 'id,note\n7,"one\ntwo\n"\n8,"three\nfour"\n9,a "stray quote\n7,x\n10,y\n'
    removed, left = cleaned(tmp_path, "l.csv", text.encode())
    assert (removed, left.decode()) == (2, 'id,note\n8,"three\nfour"\n9,a "stray quote\n10,y\n')


def test_a_header_stays_and_a_last_line_needs_no_end(tmp_path):
    assert cleaned(tmp_path, "l.csv", b"id,nome\n1,nome\n7,x") == (1, b"id,nome\n1,nome\n")
    assert cleaned(tmp_path, "l.csv", b"nome,id\nx,1") == (0, b"nome,id\nx,1")
    assert cleaned(tmp_path, "l.csv", b"") == (0, b"")


def test_json_lines_are_unescaped_and_packed_ones_unpacked(tmp_path):
    text = b'{"via":"Via Libert\\u00e0 12"}\n{"id":7}\n{"id":77,"x":[7]}\n{broken\n{"a":{"b":["Rossi"]}}\n'
    assert cleaned(tmp_path, "e.jsonl", text) == (3, b'{"id":77,"x":[7]}\n{broken\n')
    (tmp_path / "e.jsonl").unlink()
    removed, left = cleaned(tmp_path, "e.jsonl.gz", gzip.compress(text))
    assert (removed, gzip.decompress(left)) == (3, b'{"id":77,"x":[7]}\n{broken\n')


def test_rows_of_parquet_go_and_leave_no_statistics(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["1", "7"], "name": ["A", "rossi"]}), path, compression="gzip")
    assert (count_traces(path, WHO), remove_rows(path, WHO), count_traces(path, WHO)) == (1, 1, 0)
    assert pq.read_table(path).to_pylist() == [{"id": "1", "name": "A"}]
    assert b"rossi" not in path.read_bytes()
    assert pq.read_metadata(path).row_group(0).column(0).compression == "GZIP"
    assert remove_rows(path, WHO) == 0


@pytest.mark.parametrize(
    ("name", "raw", "found"),
    [
        ("a.html", b"<p>Via Libert&agrave; 12</p>", 1),
        ("a.html", b"<p>Via Libert&agrave; 123</p>", 0),
        ("a.json", b'{"x": [{"id": 7}]}', 1),
        ("a.json", b'{"id": 70}', 0),
        ("a.log", "one\nsent to Via Libertà 12\n".encode(), 1),
        ("a.pkl", b"\x80\x04\0" + "Via Libertà 12".lower().encode() + b"x", 1),
        ("a.pkl", b"\x80\x04\0nothing", 0),
    ],
)
def test_documents_are_searched_and_left_to_the_caller(tmp_path, name, raw, found):
    (tmp_path / name).write_bytes(raw)
    assert count_traces(tmp_path / name, WHO) == found
    assert remove_rows(tmp_path / name, WHO) is None
    assert (tmp_path / name).read_bytes() == raw


def test_archives_are_searched_member_by_member(tmp_path):
    table = io.BytesIO()
    pq.write_table(pa.table({"id": ["7"]}), table)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/x.csv", "id,b\n7,1\n")
        archive.writestr("t.parquet", table.getvalue())
        archive.writestr("clean.txt", "nobody")
    assert count_traces(tmp_path / "a.zip", WHO) == 2
    (tmp_path / "t.parquet.gz").write_bytes(gzip.compress(table.getvalue()))
    assert count_traces(tmp_path / "t.parquet.gz", WHO) == 1


def test_a_database_is_searched_in_its_tables_and_its_free_pages(tmp_path):
    path = tmp_path / "m.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute('CREATE TABLE "odd ""name" (id INTEGER, via TEXT)')
        connection.execute("""INSERT INTO "odd ""name" VALUES (1, 'via libertà 12'), (7, 'x'), (2, 'y')""")
        connection.commit()
        assert count_traces(path, WHO) == 3  # two rows, and the bytes
        connection.execute('DELETE FROM "odd ""name" WHERE id <> 2')
        connection.commit()
    assert count_traces(path, WHO) == 1
    compact(path)
    assert count_traces(path, WHO) == 0
    assert remove_rows(path, WHO) is None


cells = st.text('ab7";,\n é', max_size=5)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["7", "8"]), cells), max_size=8))
def test_what_is_left_of_any_csv_are_the_other_rows(tmp_path_factory, rows):
    import csv

    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "note"), *rows])
    removed = remove_rows(path, WHO)
    with path.open(newline="", encoding="utf-8") as file:
        left = [tuple(row) for row in csv.reader(file)]
    assert left == [("id", "note"), *(row for row in rows if row[0] != "7")]
    assert removed == sum(row[0] == "7" for row in rows)
