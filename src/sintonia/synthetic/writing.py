"""Files as the silos leave them: Parquet, CSV with semicolons for the till and commas for the CRM, JSON Lines."""

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
    """Write one JSON object a row; a field without a value is left out, as logs do."""
    import json

    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=50_000):
            for row in batch.to_pylist():
                kept = {name: value for name, value in row.items() if value is not None}
                file.write(json.dumps(kept, ensure_ascii=False) + "\n")
