"""Sixty lists nobody should send: each gives the right rows, or one clear line; never a traceback, never a lost row."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sintonia.core.config import ReasonsConfig
from sintonia.core.errors import SintoniaError

A, B = "0000", "0001"
"""Cards the brand knows."""

Raw = bytes | Callable[[Path], None]


def text(body: str, encoding: str = "utf-8") -> bytes:
    return body.encode(encoding)


def sheet(fill: Callable[[Any, Any], None]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import xlsxwriter

        with xlsxwriter.Workbook(str(path)) as book:
            fill(book, book.add_worksheet())

    return write


def merged(book: Any, page: Any) -> None:
    page.write_row(0, 0, ["card", "shop"])
    page.write_column(1, 0, [A, B, "x"])
    page.merge_range(1, 1, 3, 1, "Roma")


def dates(book: Any, page: Any) -> None:
    page.write_row(0, 0, ["card", "at"])
    page.write_row(1, 0, [A])
    page.write_datetime(1, 1, datetime(2025, 1, 2), book.add_format({"num_format": "dd/mm/yyyy"}))
    page.write_datetime(2, 0, datetime(2025, 1, 2), book.add_format({"num_format": "dd/mm/yyyy"}))


def zeros(book: Any, page: Any) -> None:
    page.write_row(0, 0, ["card"])
    page.write_number(1, 0, 0, book.add_format({"num_format": "0000"}))
    page.write_number(2, 0, 1, book.add_format({"num_format": "0000"}))


def formulas(book: Any, page: Any) -> None:
    page.write_row(0, 0, ["card", "sum"])
    page.write_string(1, 0, A)
    page.write_formula(1, 1, "=1+1", None, 2)
    page.write_string(2, 0, "=cmd|' /C calc'!A0")


def gaps(book: Any, page: Any) -> None:
    page.write_row(3, 0, ["card", "n"])
    page.write_string(4, 0, A)
    page.write_string(7, 0, B)


def hidden(book: Any, page: Any) -> None:
    """A hidden first sheet with a column of the same name."""
    page.write_column(0, 0, ["card", "old 1", "old 2", "old 3"])
    page.hide()
    shown = book.add_worksheet("people")
    shown.write_column(0, 0, ["card", A, B])
    shown.activate()
    shown.set_first_sheet()


def second(book: Any, page: Any) -> None:
    other = book.add_worksheet("people")
    other.write_column(0, 0, ["card", A])


def mixed(book: Any, page: Any) -> None:
    page.write_row(0, 0, ["card", "any"])
    for at, value in enumerate([1, 1.5, True, "text", -3], start=1):
        page.write_string(at, 0, A)
        page.write(at, 1, value)


def lying_size(path: Path) -> None:
    """A sheet that says it has one cell."""
    whole = io.BytesIO()
    made = path.with_suffix(".made")
    sheet(lambda book, page: page.write_column(0, 0, ["card", A, B]))(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(whole, "w") as target:
        for name in source.namelist():
            body = source.read(name).replace(b'<dimension ref="A1:A3"/>', b'<dimension ref="A1"/>')
            target.writestr(name, body)
    made.unlink()
    path.write_bytes(whole.getvalue())


def no_workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no workbook")


def typed(path: Path) -> None:
    pq.write_table(pa.table({"card": [A, None, B], "n": pa.array([1, None, 3], pa.int16())}), path)


def nested(path: Path) -> None:
    pq.write_table(
        pa.table({"card": [A], "d": [{"x": [1]}], "t": pa.array([1], pa.timestamp("ns", "UTC"))}), path
    )


def no_rows(path: Path) -> None:
    pq.write_table(pa.table({"card": pa.array([], pa.string())}), path)


def numbers(path: Path) -> None:
    pq.write_table(pa.table({"card": pa.array([0, 1], pa.int64())}), path)


def half(path: Path) -> None:
    typed(path)
    path.write_bytes(path.read_bytes()[:-30])


WIDE = ";".join(["card", *(f"c{at}" for at in range(10_000))])
HOSTILE: dict[str, tuple[str, Raw, int | str]] = {
    # name: the file's name, what is in it, and how many rows come back, or a part of the one line said
    "utf-8": ("a.csv", text(f"card;è\n{A};ò\n"), 1),
    "utf-8 with a mark": ("a.csv", text(f"card;è\n{A};ò\n", "utf-8-sig"), 1),
    "utf-16": ("a.csv", text(f"card;è\n{A};ò\n", "utf-16"), 1),
    "utf-16 big end first": ("a.csv", b"\xfe\xff" + text(f"card;è\n{A};ò\n", "utf-16-be"), 1),
    "utf-16 without a mark": ("a.csv", text(f"card;name\n{A};anna\n{B};b\n", "utf-16-le"), 2),
    "utf-32": ("a.csv", text(f"card;è\n{A};ò\n", "utf-32"), 1),
    "windows": ("a.csv", text(f"card;è\n{A};€\n", "cp1252"), 1),
    "latin": ("a.csv", text(f"card;è\n{A};\x81\n", "latin-1"), 1),
    "mac": ("a.csv", text(f"card;è\n{A};ò\n", "mac_roman"), 1),
    "bytes in no encoding": ("a.csv", b"card;x\n" + text(A) + b";\xff\xfe\x81\n", 1),
    "marks twice": ("a.csv", b"\xef\xbb\xbf\xef\xbb\xbfcard\n" + text(A) + b"\n", 1),
    "old mac line ends": ("a.csv", text(f"card;n\r{A};1\r{B};2\r"), 2),
    "line ends of both kinds": ("a.csv", text(f"card;n\r\n{A};1\n{B};2\r\n"), 2),
    "no line end at the end": ("a.csv", text(f"card\n{A}"), 1),
    "tabs": ("a.tsv", text(f"card\tn\n{A}\t1,5\n"), 1),
    "bars": ("a.txt", text(f"card|n\n{A}|1\n"), 1),
    "carets": ("a.csv", text(f"card^n\n{A}^1\n"), 1),
    "commas inside cells of semicolons": ("a.csv", text(f"card;a,b,c\n{A};1,2,3\n"), 1),
    "a line that names the delimiter": ("a.csv", text(f"sep=|\ncard|n\n{A}|1\n"), 1),
    "one column": ("a.csv", text(f"card\n{A}\n\n{B}\n"), 3),
    "quotes everywhere": ("a.csv", text(f'"card","n"\n"{A}","a ""b"""\n'), 1),
    "line ends in cells": ("a.csv", text(f'card,n\n{A},"a\nb\r\nc"\n{B},x\n'), 2),
    "a quote never closed": ("a.csv", text(f'card,n\n{A},"a\n{B},x\n'), 2),
    "a quote never closed at the end": ("a.csv", text(f'card,n\n{B},x\n{A},"a'), 2),
    "quotes inside cells": ("a.csv", text(f'card,n\n{A},5" pipe\n{B},"a"b\n'), 2),
    "every row with a stray quote": ("a.csv", text("card,n\n" + f'{A},"x\n' * 300), 300),
    "short rows": ("a.csv", text(f"card;a;b\n{A}\n{B};1\n"), 2),
    "long rows": ("a.csv", text(f"card;a\n{A};1;2;3\n{B};1\n"), 2),
    "blank lines": ("a.csv", text(f"\n\ncard;n\n\n{A};1\n\n\n{B};2\n\n\n"), 5),
    "blanks around": ("a.csv", text(f" card ;n\n  {A}  ;1\n"), 1),
    "ten thousand columns": ("a.csv", text(f"{WIDE}\n" + (A + ";x" * 10_000 + "\n") * 3), 3),
    "a cell of a megabyte": ("a.csv", text(f"card;n\n{A};{'x' * 1_000_000}\n"), 1),
    "formulas": ("a.csv", text(f"card;n\n{A};=1+1\n{B};@x\n{A};+a()\n{A};-5\n"), 4),
    "a header that is a formula": ("a.csv", text(f"card;=1+1\n{A};1\n"), 1),
    "the same header twice": ("a.csv", text(f"card;n;n;card\n{A};1;2;zzz\n"), 1),
    "headers without names": ("a.csv", text(f"card;;\n{A};1;2\n"), 1),
    "emoji": ("a.csv", text(f"card;😀\n{A};👩‍👩‍👧\n"), 1),
    "zero bytes": ("a.csv", text(f"card;n\n{A};a\0b\n\0{B}\0;x\n"), 2),
    "control characters": ("a.csv", text(f"card;n\n{A};a\x01\x02\x1bb" + "word " * 20 + "\n"), 1),
    "line separators of unicode": ("a.csv", text(f"card;n\n{A};a\u2028b\x85c\x0bd\n"), 1),
    "right to left": ("a.csv", text(f"card;n\n\u200f{A};\u05d0\n{B};x\n"), 2),
    "a spreadsheet's short numbers": ("a.csv", text(f"card;n\n{A};1\n3,93E+11;1\n"), 2),
    "dates as ids": ("a.csv", text(f"card;n\n{A};1\n01/02/2025;1\n"), 2),
    "everything a duplicate": ("a.csv", text("card\n" + f"{A}\n" * 50), 50),
    "gzip": ("a.csv.gz", gzip.compress(text(f"card;n\n{A};1\n")), 1),
    "gzip that is not called so": ("a.csv", gzip.compress(text(f"card;n\n{A};1\n")), 1),
    "gzip cut short": ("a.csv.gz", gzip.compress(text("card;n\n" + f"{A};1\n" * 9999))[:-15], "cut short"),
    "gzip in name only": ("a.csv.gz", text(f"card;n\n{A};1\n"), 1),
    "nothing": ("a.csv", b"", "nothing in it"),
    "blanks only": ("a.csv", b" \n \n", "nothing in it"),
    "a header only": ("a.csv", b"card;n\n", "header only"),
    "no header": ("a.csv", text("bob@x.org\nmia@x.org\n"), "put a header before it"),
    "the wrong column": ("a.csv", text("card\n7x\n8x\n"), "No customer has a key in the column 'card'"),
    "no key at all": ("a.csv", text("name;town\nAnn;Roma\n"), "No column of 'a.csv' identifies customers"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "is not text"),
    "json lines": ("a.jsonl", text(f'{{"card": "{A}"}}\nnull\n{{"card": 7, "x": [1]}}\n{{"card"\n'), 4),
    "json lines of nothing": ("a.jsonl", text("{}\n{}\n"), "no key in any of its lines"),
    "json in a list": ("a.json", text(json.dumps([{"card": A}])), "No column|says who|header only"),
    "excel": ("a.xlsx", sheet(lambda book, page: page.write_column(0, 0, ["card", A, B])), 2),
    "excel called csv": ("a.xlsx", sheet(lambda book, page: page.write_column(0, 0, ["card", A])), 1),
    "excel with merged cells": ("a.xlsx", sheet(merged), 3),
    "excel with dates as ids": ("a.xlsx", sheet(dates), 2),
    "excel with zeros by format": ("a.xlsx", sheet(zeros), 2),
    "excel with formulas": ("a.xlsx", sheet(formulas), 2),
    "excel with gaps": ("a.xlsx", sheet(gaps), 4),
    "excel with its rows on the second sheet": ("a.xlsx", sheet(second), 1),
    "excel with its rows on the first visible sheet": ("a.xlsx", sheet(hidden), 2),
    "excel of mixed types": ("a.xlsx", sheet(mixed), 5),
    "excel that lies about its size": ("a.xlsx", lying_size, 2),
    "excel without a row": ("a.xlsx", sheet(lambda book, page: None), "nothing in it"),
    "excel cut short": ("a.xlsx", b"PK\x03\x04" + bytes(200), "Excel file"),
    "excel of old": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "Excel file"),
    "a zip of something else": ("a.xlsx", no_workbook, "Excel file"),
    "parquet": ("a.parquet", typed, 3),
    "parquet with nested columns": ("a.parquet", nested, 1),
    "parquet with ids as numbers": ("a.parquet", numbers, "No customer has a key"),
    "parquet without a row": ("a.parquet", no_rows, "header only"),
    "parquet cut short": ("a.parquet", half, "cut short or damaged"),
}


def rows_of(path: Path, dialect: Any) -> list[list[Any]]:
    """The rows behind the header of a scored list, read by other libraries than those that wrote it."""
    if path.suffix == ".xlsx":
        import openpyxl

        return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)][
            1:
        ]
    if path.suffix == ".parquet":
        return [list(row.values()) for row in pq.read_table(path).to_pylist()]
    raw = path.read_bytes()
    body = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(dialect.encoding, dialect.errors)
    if path.suffix == ".jsonl":
        return [list(json.loads(line).values()) for line in body.splitlines()]
    file = io.StringIO(body[len(dialect.preamble) :], newline="")
    return list(csv.reader(file, delimiter=dialect.delimiter))[1:]


def test_there_are_sixty_lists_and_more():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_list_gives_the_right_rows_or_one_clear_line(brand, tmp_path, name):
    called, raw, expected = HOSTILE[name]
    path = tmp_path / called
    if isinstance(raw, bytes):
        path.write_bytes(raw)
    else:
        raw(path)
    if isinstance(expected, str):
        with pytest.raises(SintoniaError, match=expected) as caught:
            brand.score(path, reasons=ReasonsConfig(0))
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
        assert not list(tmp_path.glob("*scored*"))
        return
    scored = brand.score(path, reasons=ReasonsConfig(0))
    found = rows_of(scored.files[0], scored.customers.dialect)
    assert len(found) == expected == scored.totals.rows
    assert scored.totals.statuses.total() == expected
    if path.suffix not in (".xlsx", ".parquet", ".jsonl"):
        assert not [cell for row in found for cell in row if cell.startswith(("=", "@"))]
    assert scored.totals.statuses["scored"] + scored.totals.statuses["not eligible"] >= 1
