"""Tombstones: salted hashes of what identified people who were forgotten, and the rows they keep from returning."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from sintonia.core.config import SiloConfig
from sintonia.core.errors import InputError
from sintonia.core.paths import WorkspacePaths
from sintonia.data.sources import identifiers
from sintonia.data.sources.silos import SiloReport, counted_again

ERASED = "erased"
"""The reason of rows that a tombstone keeps out; their raw text is not kept."""


@dataclass(frozen=True)
class Tombstones:
    """Hashes of keys (`type:value`, `customer_id:ID`) and since when each is erased.

    Nobody can read a key from its hash; who holds the file, salt included, can try guesses, and a telephone number
    is guessed soon: the file is as private as the workspace it lies in.
    """

    salt: str = ""
    erased_at: Mapping[str, str] = field(default_factory=dict)

    def hashed(self, key: str) -> str:
        """Return the hash of a key, as DuckDB's SHA256 gives it."""
        return hashlib.sha256(f"{self.salt}{key}".encode()).hexdigest()

    def since(self, key: str) -> str | None:
        """Return since when the key is erased, None when it is not."""
        return self.erased_at.get(self.hashed(key))


def read_tombstones(workspace: Path) -> Tombstones:
    """Return the workspace's tombstones, none when nobody was forgotten there.

    Raises
    ------
    InputError
        When the file cannot be read: without it a build would bring back who was forgotten.
    """
    path = WorkspacePaths(workspace).tombstones
    if not path.exists():
        return Tombstones()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Tombstones(found["salt"], dict(found["erased_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"'{path}' says who must not return and cannot be read; restore it from a backup before building."
        ) from None


def entomb(workspace: Path, keys: Iterable[str]) -> Path:
    """Return the file of tombstones, now with these keys; a key erased before keeps its time. Replaced in one step."""
    before = read_tombstones(workspace)
    salted = Tombstones(before.salt or secrets.token_hex(16))
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    # Sorted by hash: neither order nor neighbours tell which keys were one person's.
    whole = dict(sorted(({salted.hashed(key): now for key in keys} | dict(before.erased_at)).items()))
    path = WorkspacePaths(workspace).tombstones
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({"salt": salted.salt, "erased_at": whole}, indent=1), encoding="utf-8")
    return part.replace(path)


def refuse_erased(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    silo: SiloConfig,
    tombstones: Tombstones,
    shareable: Sequence[str],
) -> SiloReport:
    """Return the silo's report with the rows of people who were forgotten rejected as 'erased', without raw text.

    A row is theirs when one of its identifiers that are not `shareable` is entombed, or, having none of these, one
    of the others. A row that is rejected anyway is theirs when a name or street it bears is, a line nobody could read
    when one of its cells is. Each distinct identifier is hashed once; without tombstones nothing is. Whoever was
    forgotten under the spelling that builds had earlier stays forgotten: identifiers count in both.
    """
    if not tombstones.erased_at:
        return report
    table = f"mapped_{report.name}"
    connection.register("tombstones", pa.table({"hash": list(tombstones.erased_at)}))
    identifiers.register(connection, ())
    earlier = ", ".join(f"'{kind}:' || \"_earlier__{kind}\"" for kind in silo.identifiers)
    keys = f"LIST_CONCAT(_keys, LIST_FILTER([{earlier}], LAMBDA key: key IS NOT NULL))"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE entombed AS
        SELECT key FROM (SELECT DISTINCT UNNEST({keys}) AS key FROM {table})
        WHERE SHA256('{tombstones.salt}' || key) IN (SELECT hash FROM tombstones)""")
    listed = ", ".join(f"'{kind}'" for kind in shareable) or "NULL"
    own = f"LIST_FILTER({keys}, LAMBDA key: COALESCE(SPLIT_PART(key, ':', 1) NOT IN ({listed}), true))"
    kinds = ", ".join(f"('{kind}')" for kind in silo.identifiers)
    among = "IN (SELECT hash FROM tombstones)"
    said = " OR ".join(
        f"SHA256('{tombstones.salt}contact.{name}:' || LOWER(\"c__{name}\")) {among}"
        for name in silo.contacts
    )
    connection.execute(f"""
        UPDATE {table} SET reason = '{ERASED}', raw = NULL WHERE rowid IN (
            SELECT row FROM (SELECT rowid AS row, UNNEST(IF(LEN({own}) > 0, {own}, {keys})) AS key FROM {table})
            SEMI JOIN entombed USING (key)
            UNION ALL
            SELECT row FROM (
                SELECT rowid AS row, TRIM(UNNEST(STRING_SPLIT_REGEX(raw, '[;,|\\t"]'))) AS cell
                FROM {table} WHERE _keys IS NULL AND raw IS NOT NULL), (VALUES {kinds}) AS kinds(kind)
            WHERE SHA256('{tombstones.salt}' || kind || ':' || IF(kind = 'email', LOWER(cell), cell)) {among}
                OR SHA256('{tombstones.salt}' || kind || ':' || {identifiers.FUNCTION}(kind, cell)) {among}
            UNION ALL
            SELECT rowid FROM {table} WHERE reason IS NOT NULL AND ({said or "false"}))""")
    connection.unregister("tombstones")
    return counted_again(connection, report, silo)
