"""Identifiers tied to customers, from the silos' mapped rows to the crosswalk."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from sintonia.core.config import IdentityConfig, SourceConfig
from sintonia.data.identity.changes import collect_part, find_changes
from sintonia.data.identity.crosswalk import write_crosswalk
from sintonia.data.identity.deterministic import collect_sightings, tie_sightings

if TYPE_CHECKING:
    import pyarrow as pa


def tie(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    source: SourceConfig,
    config: IdentityConfig,
    earlier: Path | None = None,
) -> list[Path]:
    """Return the files of what a person should look at; the engine's `crosswalk` says whose each identifier is.

    `earlier` is the folder of what the last build of this source decided, which stands: only customers that
    something changed for since are decided. What this build decided is left in the engine's tables `identity_...`,
    for the store to keep.
    """
    from sintonia.data.identity.carried import publish
    from sintonia.data.identity.findings import clear_findings, write_findings
    from sintonia.data.identity.log import write_log
    from sintonia.data.identity.overrides import find_overrides
    from sintonia.data.identity.resolve import resolve
    from sintonia.data.identity.standing import settle_ties
    from sintonia.data.identity.state import fingerprints, keep, recall

    clear_findings(workspace)
    silos, probabilistic = list(source.silos), config.name == "probabilistic"
    before = recall(connection, earlier, config)
    before = replace(before, part=find_changes(connection, silos, before))
    if not before.part:
        collect_sightings(connection, silos, config.shareable)
    overrides = find_overrides(config.overrides if probabilistic else None)
    compared = resolve(connection, source, config, overrides, before) if probabilistic else ()
    if before.part:
        collect_part(connection, silos, config.shareable, overrides.keys)
    tie_sightings(connection)
    if probabilistic:
        settle_ties(connection, config, overrides)
    write_crosswalk(connection)
    write_log(connection)
    publish(connection, before, bool(compared))
    keep(connection, {"rules": _row(fingerprints(config))})
    return write_findings(connection, workspace, compared, config.shareable) if probabilistic else []


def _row(values: dict[str, str]) -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: [value] for name, value in values.items()})
