"""Identifiers tied to customers, from the silos' mapped rows to the crosswalk."""

from pathlib import Path

import duckdb

from sintonia.config import IdentityConfig, SourceConfig
from sintonia.identity.crosswalk import write_crosswalk
from sintonia.identity.deterministic import collect_sightings


def tie(
    connection: duckdb.DuckDBPyConnection, workspace: Path, source: SourceConfig, config: IdentityConfig
) -> list[Path]:
    """Return the files of what a person should look at; the engine's `crosswalk` says whose each identifier is."""
    from sintonia.identity.findings import clear_findings, write_findings
    from sintonia.identity.resolve import resolve

    clear_findings(workspace)
    collect_sightings(connection, list(source.silos), config.shareable)
    probabilistic = config.name == "probabilistic"
    found = resolve(connection, source, config) if probabilistic else None
    write_crosswalk(connection)
    return write_findings(connection, workspace, found) if probabilistic else []
