"""Files as the silos leave them: Parquet, JSON Lines, and CSV with each silo's delimiter and encoding."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

CSV = {"store": (";", "utf-8"), "contact_centre": (";", "latin-1")}
"""Delimiter and encoding of the silos' CSV files, where they are not a comma and UTF-8."""


def write_silo(table: pa.Table, folder: Path, name: str, block: int) -> Path:
    """Return the part file written: `web/events.parquet` of block 3 is `web/events_0003.parquet`."""
    plain = folder / name
    path = plain.with_name(f"{plain.stem}_{block:04d}{plain.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    elif path.suffix == ".csv":
        _write_csv(table, path, *CSV.get(path.parent.name, (",", "utf-8")))
    else:
        _write_json_lines(table, path)
    return path


def _write_csv(table: pa.Table, path: Path, delimiter: str, encoding: str) -> None:
    """Write a header and one line a row."""
    options = pcsv.WriteOptions(delimiter=delimiter, quoting_style="needed")
    if encoding == "utf-8":
        pcsv.write_csv(table, path, options)
        return
    written = pa.BufferOutputStream()
    pcsv.write_csv(table, written, options)
    path.write_bytes(written.getvalue().to_pybytes().decode("utf-8").encode(encoding))


def _write_json_lines(table: pa.Table, path: Path) -> None:
    """Write one JSON object a row."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("rows", table)
        connection.execute("COPY rows TO $path (FORMAT json)", {"path": str(path)})
