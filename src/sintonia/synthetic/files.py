"""The files of the silos: Parquet, JSON Lines and CSV, and how they write times and money."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic.arrays import object_array


def iso_utc(times: Times) -> Texts:
    """Return UTC times as 2026-03-02T06:14:31Z; a missing time is None.

    Examples
    --------
    >>> iso_utc(np.array(["2026-03-02T06:14:31", "NaT"], "M8[us]")).tolist()
    ['2026-03-02T06:14:31Z', None]
    """
    texts = np.datetime_as_string(times, unit="s").tolist()
    return object_array([None if text == "NaT" else text + "Z" for text in texts])


def italian_dates(times: Times) -> tuple[Texts, Texts]:
    """Return local times as dates dd/mm/yyyy and hours HH:MM.

    Examples
    --------
    >>> [column.tolist() for column in italian_dates(np.array(["2026-03-02T06:14:31"], "M8[us]"))]
    [['02/03/2026'], ['06:14']]
    """
    texts = np.datetime_as_string(times, unit="m").tolist()
    days = object_array([f"{text[8:10]}/{text[5:7]}/{text[:4]}" for text in texts])
    return days, object_array([text[11:] for text in texts])


def decimal_comma(cents: Ints) -> Texts:
    """Return cents as euros with a decimal comma.

    Examples
    --------
    >>> decimal_comma(np.array([-1250, 5])).tolist()
    ['-12,50', '0,05']
    """
    return object_array([f"{value / 100:.2f}".replace(".", ",") for value in cents.tolist()])


def text_array(values: "pd.Series[str] | Texts") -> pa.Array:
    """Return texts as an Arrow column, missing ones null."""
    return pa.Array.from_pandas(values, type=pa.string())


CSV = {"store": (";", "utf-8"), "contact_centre": (";", "latin-1")}
"""Delimiter and encoding of the silos' CSV files, where they are not a comma and UTF-8."""


def write_silo(table: pa.Table, folder: Path, name: str, block: int) -> Path:
    """Return the path of the part file: `web/events.parquet` of block 3 is `web/events_0003.parquet`."""
    base = folder / name
    path = base.with_name(f"{base.stem}_{block:04d}{base.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    elif path.suffix == ".csv":
        _write_csv(table, path, *CSV.get(path.parent.name, (",", "utf-8")))
    else:
        _write_json_lines(table, path)
    return path


def _write_csv(table: pa.Table, path: Path, delimiter: str, encoding: str) -> None:
    """Write a header and one line per row."""
    options = pcsv.WriteOptions(delimiter=delimiter, quoting_style="needed")
    if encoding == "utf-8":
        pcsv.write_csv(table, path, options)
        return
    buffer = pa.BufferOutputStream()
    pcsv.write_csv(table, buffer, options)
    path.write_bytes(buffer.getvalue().to_pybytes().decode("utf-8").encode(encoding))


def _write_json_lines(table: pa.Table, path: Path) -> None:
    """Write one JSON object per row."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("rows", table)
        connection.execute("COPY rows TO $path (FORMAT json)", {"path": str(path)})
