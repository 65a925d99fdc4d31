"""Files as the silos leave them: Parquet, CSV (semicolons at the till, commas in the CRM), JSON Lines."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq


def write_silo(table: pa.Table, folder: Path, name: str, block: int) -> Path:
    """Return the part file written: `web/events.parquet` of block 3 is `web/events_0003.parquet`."""
    plain = folder / name
    path = plain.with_name(f"{plain.stem}_{block:04d}{plain.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    elif path.suffix == ".csv":
        delimiter = ";" if name.startswith("store") else ","
        pcsv.write_csv(table, path, pcsv.WriteOptions(delimiter=delimiter, quoting_style="needed"))
    else:
        _write_json_lines(table, path)
    return path


def _write_json_lines(table: pa.Table, path: Path) -> None:
    """Write one JSON object a row."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("rows", table)
        connection.execute("COPY rows TO $path (FORMAT json)", {"path": str(path)})
