"""Identifiers tied to customers, from the silos' mapped rows to the crosswalk."""

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from sintonia.config import IdentityConfig, SourceConfig
from sintonia.identity.crosswalk import write_crosswalk
from sintonia.identity.deterministic import collect_sightings

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.identity.resolve import Resolved


def tie(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    source: SourceConfig,
    config: IdentityConfig,
    earlier: Path | None = None,
) -> list[Path]:
    """Return the files of what a person should look at; the engine's `crosswalk` says whose each identifier is.

    `earlier` is the folder of what the last build of this source decided, which stands. What this build decided
    is left in the engine's tables `identity_...`, for the store to keep.
    """
    from sintonia.identity.findings import clear_findings, write_findings
    from sintonia.identity.log import write_log
    from sintonia.identity.resolve import resolve
    from sintonia.identity.state import fingerprints, keep, keep_ties, recall

    clear_findings(workspace)
    before = recall(connection, earlier, config)
    collect_sightings(connection, list(source.silos), config.shareable)
    probabilistic = config.name == "probabilistic"
    found = resolve(connection, source, config, before) if probabilistic else None
    write_crosswalk(connection)
    write_log(connection)
    keep_ties(connection)
    keep(connection, {"rules": _row(fingerprints(config)), **(_state(found) if found else {})})
    return write_findings(connection, workspace, found) if probabilistic else []


def _row(values: dict[str, str]) -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: [value] for name, value in values.items()})


def _state(found: "Resolved") -> dict[str, "pa.Table"]:
    import pyarrow as pa

    from sintonia.identity.state import model_tables

    about = ("silo", "key", "arrived_at", "names")
    records = found.standard
    for at, name in enumerate(about):
        records = records.add_column(at + 1, name, found.persons[name])
    pairs, held = found.matches.pairs, pa.array(found.decided.held)
    if "held" in pairs.column_names:
        pairs = pairs.drop_columns(["held"])
    return {
        "records": records.append_column("cluster", pa.array(found.decided.group)),
        "pairs": pairs.append_column("held", held),
        **model_tables(found.matches.model),
    }
