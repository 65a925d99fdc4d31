"""How well records became customers: sizes, rules, what was held or shared, and agreement with the truth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.config import IdentityConfig
from sintonia.errors import InputError, hint
from sintonia.identity.clusters import cluster
from sintonia.identity.findings import FINDINGS, evidence
from sintonia.identity.match import MatchConfig, match_pairs
from sintonia.identity.quality import Quality, quality
from sintonia.identity.standardise import standardise

TRUTH = ("source", "source_key", "person_id")
"""Columns of a file that says whose each identifier truly is."""


@dataclass(frozen=True)
class Report:
    """Figures of records grouped into customers.

    `sizes` counts customers by their number of records, `rules` records by what tied them; `findings` counts what a
    person should look at, by kind, and `examples` shows some of it, masked.
    """

    what: str
    records: int
    sizes: Mapping[int, int]
    rules: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, list[str]] = field(default_factory=dict)
    quality: Quality | None = None


def report_store(store: Path, workspace: Path, truth: Path | None, examples: int) -> Report:
    """Return the report of a store's crosswalk as it holds now, and of what its build found.

    Raises
    ------
    InputError
        When the file of the truth is missing, lacks a column of TRUTH, or knows none of the identifiers.
    """
    path = store / "crosswalk.parquet"
    crosswalk = pq.read_table(path, filters=pc.field("unlinked_at").is_null())
    found = {
        name: pq.read_table(workspace / "identity" / f"{name}.parquet")
        for name in FINDINGS
        if (workspace / "identity" / f"{name}.parquet").is_file()
    }
    return Report(
        what="identifiers",
        records=crosswalk.num_rows,
        sizes=_sizes(crosswalk["customer_id"].to_pylist()),
        rules=dict(Counter(crosswalk["rule"].to_pylist()).most_common()),
        findings={name: table.num_rows for name, table in found.items()},
        examples={name: _shown(table)[:examples] for name, table in found.items()},
        quality=None if truth is None else _against(crosswalk, truth),
    )


def report_records(
    table: pa.Table, fields: Mapping[str, str], truth: str | None, config: IdentityConfig, examples: int
) -> Report:
    """Return the report of one table of person records, matched by itself.

    Raises
    ------
    InputError
        When the column of the truth or a field is not there, or no field is recognised.
    """
    if truth is not None and truth not in table.column_names:
        raise InputError(f"The records have no column '{truth}'; {hint(truth, table.column_names)}")
    records = standardise(table.drop_columns([truth]) if truth else table, fields, config.region)
    with duckdb.connect() as connection:
        matches = match_pairs(records, MatchConfig(match_probability=config.match_probability), connection)
    clusters = cluster(records["record_id"], matches.pairs, config.match_probability)["cluster"].to_pylist()
    nearest = np.argsort(np.abs(matches.pairs["match_weight"].to_numpy()), kind="stable")[:examples]
    border = matches.pairs.take(pa.array(nearest))
    accepted = int(
        pc.sum(pc.greater_equal(matches.pairs["match_probability"], config.match_probability)).as_py() or 0
    )
    return Report(
        what="person records",
        records=records.num_rows,
        sizes=_sizes(clusters),
        rules={"match": accepted},
        findings={},
        examples={"borderline": evidence(records, border, matches.compared)},
        quality=quality(clusters, table[truth].to_pylist()) if truth else None,
    )


def read_records(path: Path) -> pa.Table:
    """Return a CSV (any delimiter, text throughout) or Parquet file, the names of its columns trimmed.

    Raises
    ------
    InputError
        When it is missing or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"No file '{path}'; give records=FILE with a CSV or Parquet of person records.")
    scan = (
        "read_parquet(?)" if path.suffix == ".parquet" else "read_csv(?, all_varchar = true, header = true)"
    )
    with duckdb.connect() as connection:
        try:
            table = connection.sql(f"SELECT * FROM {scan}", params=[str(path)]).to_arrow_table()
        except duckdb.Error as error:
            raise InputError(f"'{path}' cannot be read: {str(error).splitlines()[0]}") from None
    return table.rename_columns([name.strip() for name in table.column_names])


def _sizes(clusters: list[str]) -> dict[int, int]:
    return dict(sorted(Counter(Counter(clusters).values()).items()))


def _shown(table: pa.Table) -> list[str]:
    if "shown" in table.column_names:
        rows = table.select(["source", "shown", "refused"]).to_pylist()
        return [f"{row['source']} {row['shown']}: {row['refused']} ties refused" for row in rows]
    rows = table.select(["left", "right", "match_probability", "evidence"]).to_pylist()
    return [
        f"{row['left']} and {row['right']}, {row['match_probability']:.3f}: {row['evidence']}" for row in rows
    ]


def _against(crosswalk: pa.Table, path: Path) -> Quality:
    truth = read_records(path)
    for column in TRUTH:
        if column not in truth.column_names:
            raise InputError(f"'{path.name}' has no column '{column}'; {hint(column, truth.column_names)}")
    keys = list(TRUTH[:2])
    both = crosswalk.select([*keys, "customer_id"]).join(truth.select(list(TRUTH)), keys, join_type="inner")
    if not both.num_rows:
        raise InputError(f"'{path.name}' knows none of the {crosswalk.num_rows:,} identifiers of the store.")
    return quality(both["customer_id"].to_pylist(), both["person_id"].to_pylist())
