"""Identifiers tied to customers: from mapped rows of the silos, over matched person records, to the crosswalk.

A person record is what a silo says of a person, one per silo and record key, as it first arrived. What matching
gives stays in tables of the engine: ties of this build, and groups, pairs and the learned model for the next build
to go on from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools, Ints
from sintonia.core.config import IdentityConfig, SiloConfig, SourceConfig
from sintonia.core.errors import InputError, NotEnoughDataError
from sintonia.core.progress import log
from sintonia.core.schema import CONTACT_FIELDS
from sintonia.data.identity.changes import collect_part, find_changes
from sintonia.data.identity.comparing import FieldComparison
from sintonia.data.identity.crosswalk import write_crosswalk
from sintonia.data.identity.grouping import (
    NO_LINKS,
    GroupDecision,
    GroupedRecords,
    Linked,
    Overrides,
    Pairs,
    decide,
    implausible_pairs,
    override_pairs,
)
from sintonia.data.identity.match_model import (
    MatchConfig,
    Matches,
    MatchModel,
    Weights,
    match_new,
    match_pairs,
)
from sintonia.data.identity.previous_build import PreviousBuild, keep, scan
from sintonia.data.identity.relations import (
    ADDED_PAIRS,
    ADDED_RECORDS,
    ALL_RECORDS,
    ARRIVED,
    BEFORE_NODES,
    BEFORE_PAIRS,
    BEFORE_RECORDS,
    CHANGED_PAIRS,
    FREQUENCIES,
    FRESH_RECORDS,
    GONE_RECORDS,
    GONE_VALUES,
    HELD_PAIRS,
    MATCHED,
    MOVED_RECORDS,
    NEW_FREQUENCIES,
    NEW_PAIRS,
    NEW_RECORDS,
    NODES,
    NOW_PAIRS,
    NOW_RECORDS,
)
from sintonia.data.identity.sightings import collect_sightings, lead, tie_sightings
from sintonia.data.identity.standardise import standardise

if TYPE_CHECKING:
    import pyarrow as pa


def model_path(before: PreviousBuild, config: IdentityConfig) -> Path | None:
    """Return the folder of the model that stands: of earlier builds, or of `identity.weights`; None: learn one.

    Raises
    ------
    InputError
        When `identity.weights` holds no weights.
    """
    if before.scores and before.path("weights") is not None:
        return before.folder
    if config.weights is None:
        return None
    configured = PreviousBuild(Path(config.weights))
    if configured.path("weights") is None or configured.path("frequencies") is None:
        raise InputError(
            f"No weights in identity.weights='{config.weights}'; give the folder store/<version>/identity of a "
            "workspace built with identity=probabilistic, or null to learn them."
        )
    return configured.folder


def read_model(folder: Path | None) -> MatchModel | None:
    """Return the model that a build left in the folder, None without one."""
    source = PreviousBuild(folder)
    weights, frequencies, limits = (source.read(name) for name in ("weights", "frequencies", "limits"))
    if weights is None or frequencies is None:
        return None
    picked = (
        None
        if limits is None
        else dict(zip(limits["key"].to_pylist(), limits["most"].to_pylist(), strict=True))
    )
    return MatchModel(_weights(weights), frequencies, picked)


def model_tables(model: MatchModel) -> dict[str, pa.Table]:
    """Return a model's tables but its frequencies, `limits` only where it has some.

    `weights` has one row per (field, degree): `m`, `u`, and the shares of matches and households.
    """
    limits = model.limits
    keys = (
        {} if limits is None else {"limits": pa.table({"key": list(limits), "most": list(limits.values())})}
    )
    return {"weights": _weights_table(model.weights), **keys}


def _weights_table(weights: Weights) -> pa.Table:
    rows = [(field, degree) for field, shares in weights.m.items() for degree in range(len(shares))]
    return pa.table(
        {
            "field": [field for field, _ in rows],
            "degree": [degree for _, degree in rows],
            "m": [weights.m[field][degree] for field, degree in rows],
            "u": [weights.u[field][degree] for field, degree in rows],
            "match_share": [weights.match_share] * len(rows),
            "household_share": [weights.household_share] * len(rows),
        }
    )


def _weights(table: pa.Table) -> Weights:
    m: dict[str, list[float]] = {}
    u: dict[str, list[float]] = {}
    rows = table.to_pylist()
    for row in rows:
        m.setdefault(row["field"], []).append(row["m"])
        u.setdefault(row["field"], []).append(row["u"])
    return Weights(m, u, rows[0]["match_share"], rows[0]["household_share"])


NAMING = ("first_name", "last_name", "birth_date")
"""Fields that name somebody; an e-mail address alone does not say that two records are two people."""


def collect_persons(
    connection: duckdb.DuckDBPyConnection,
    silos: Mapping[str, SiloConfig],
    shareable: Sequence[str],
    part: bool,
) -> pa.Table:
    """Return the person records of the silos that carry contacts which no earlier build knew, from their mapped rows.

    One row per (silo, lead identifier), by its place among identifiers and by silo: `silo`, `key`, `arrived_at`
    (microseconds), `names` (whether it names somebody) and CONTACT_FIELDS. A record is taken as it first arrived,
    so that a later correction cannot change what was matched before. Places are those of NODES, of a
    `part` those of BEFORE_NODES and then by first arrival. GONE_RECORDS holds the `record_id` of those in
    BEFORE_RECORDS that no silo has any more; ALL_RECORDS has the `key` and `names` of
    all there are now, with their arrival: those of earlier builds were there before anything that is new, even what
    comes late from long ago.
    """
    stated = _person_rows(silos, shareable)
    GONE_RECORDS.create_table(
        connection,
        f"""
        SELECT record_id FROM {BEFORE_RECORDS} ANTI JOIN (SELECT silo, key FROM ({stated})) USING (silo, key)""",
    )
    FRESH_RECORDS.create_table(
        connection,
        f"""
        SELECT *, COALESCE({", ".join(NAMING)}) IS NOT NULL AS names
        FROM ({stated}) ANTI JOIN {BEFORE_RECORDS} USING (silo, key)
        QUALIFY ROW_NUMBER() OVER (PARTITION BY silo, key ORDER BY arrived_at, _file, _row) = 1""",
    )
    ALL_RECORDS.create_view(
        connection,
        f"""
        SELECT key, names, -9223372036854775808 AS arrived_at FROM {BEFORE_RECORDS}
        ANTI JOIN {GONE_RECORDS} USING (record_id)
        UNION ALL SELECT key, names, EPOCH_US(arrived_at) FROM {FRESH_RECORDS}""",
    )
    # Nearly all of them arrived: nothing is looked up among millions of identifiers for nobody.
    of_part = f"""FROM (SELECT key, node, first_seen_at FROM {ARRIVED})
                UNION ALL SELECT key, node, NULL FROM {BEFORE_NODES}
                JOIN (SELECT DISTINCT key FROM {FRESH_RECORDS} ANTI JOIN {ARRIVED} USING (key)) USING (key)"""
    indices = of_part if part else f"SELECT key, node, first_seen_at FROM {NODES}"
    return connection.sql(f"""
        SELECT silo, key, EPOCH_US(arrived_at) AS arrived_at, names, {", ".join(CONTACT_FIELDS)}
        FROM {FRESH_RECORDS} JOIN ({indices}) USING (key)
        ORDER BY node, first_seen_at, key, silo
    """).to_arrow_table()


def _person_rows(silos: Mapping[str, SiloConfig], shareable: Sequence[str]) -> str:
    """Return the SQL of what silos say of people, row by row."""
    parts = [
        f"""SELECT {lead("_keys", shareable)} AS key, arrived_at, '{name}' AS silo, {_fields(tuple(silo.contacts))},
                   _file, _row FROM mapped_{name} WHERE _read AND reason IS NULL"""
        for name, silo in silos.items()
        if silo.contacts
    ]
    nobody = f"""SELECT '' AS key, CAST(NULL AS TIMESTAMP) AS arrived_at, '' AS silo, {_fields(())},
                        '' AS _file, 0 AS _row WHERE false"""
    return " UNION ALL BY NAME ".join(parts) or nobody


def _fields(there: Sequence[str]) -> str:
    return ", ".join(
        f'"c__{field}" AS {field}' if field in there else f"CAST(NULL AS VARCHAR) AS {field}"
        for field in CONTACT_FIELDS
    )


def remember_matched(
    connection: duckdb.DuckDBPyConnection,
    left_keys: pa.ChunkedArray,
    right_keys: pa.ChunkedArray,
    merges: Linked,
) -> None:
    """Fill MATCHED with the merges made: `one`, `other` (identifiers), `arrived_at`, `match_probability`."""
    probability = 1 / (1 + np.exp2(-np.clip(merges.match_weight, -300, 300)))
    columns = {
        "one": left_keys,
        "other": right_keys,
        "arrived_at": merges.arrived_at,
        "match_probability": np.minimum(probability, 1 - 1e-12),
    }
    MATCHED.copy(connection, pa.table(columns), "* REPLACE (MAKE_TIMESTAMP(arrived_at) AS arrived_at)")


def remember_records(
    connection: duckdb.DuckDBPyConnection, about: pa.Table, standard: pa.Table, moved: pa.Table
) -> None:
    """Fill ADDED_RECORDS: one row per person record that is new or `moved` to another group, as compared.

    It has `record_id` (its number), `silo`, `key`, `arrived_at` (microseconds), `names`, `cluster` (the number of the
    first record of its group) and the standard fields. `about` and `standard` are of new records, row by row;
    MOVED_RECORDS (`number`, `group`) are known ones whose group is another now. NOW_RECORDS has all there are.
    """
    number = standard["record_id"].cast(pa.int64())
    records = about.add_column(0, "record_id", number)
    for name in standard.drop_columns(["record_id"]).column_names:
        records = records.append_column(name, standard[name])
    NEW_RECORDS.copy(connection, records)
    MOVED_RECORDS.copy(connection, moved)
    ADDED_RECORDS.create_view(
        connection,
        f"""
        SELECT known.* REPLACE ("group" AS cluster)
        FROM {BEFORE_RECORDS} AS known JOIN {MOVED_RECORDS} ON number = record_id
        UNION ALL BY NAME FROM {NEW_RECORDS}""",
    )
    NOW_RECORDS.create_view(
        connection,
        f"""
        FROM {BEFORE_RECORDS} ANTI JOIN {GONE_RECORDS} USING (record_id) UNION ALL BY NAME FROM {NEW_RECORDS}""",
    )


def remember_pairs(connection: duckdb.DuckDBPyConnection, new: pa.Table, held: pa.Table) -> None:
    """Fill ADDED_PAIRS with scored pairs that are new, or of which an earlier build said otherwise whether their
    merge is `held` for a person; NOW_PAIRS has all there are.

    CHANGED_PAIRS has the latter and the pairs of records that are gone.
    """
    NEW_PAIRS.copy(connection, new, '* REPLACE ("left"::BIGINT AS "left", "right"::BIGINT AS "right")')
    HELD_PAIRS.copy(connection, held, "*, true AS held")
    NOW_PAIRS.create_view(
        connection,
        f"""
        SELECT pairs.* EXCLUDE (held), COALESCE({HELD_PAIRS}.held, false) AS held
        FROM (FROM {BEFORE_PAIRS} ANTI JOIN {GONE_RECORDS} ON record_id = "left"
              ANTI JOIN {GONE_RECORDS} AS others ON others.record_id = "right"
              UNION ALL BY NAME FROM {NEW_PAIRS}) AS pairs
        LEFT JOIN {HELD_PAIRS} ON {HELD_PAIRS}."left" = pairs."left" AND {HELD_PAIRS}."right" = pairs."right" """,
    )
    CHANGED_PAIRS.create_table(
        connection,
        f"""
        SELECT "left", "right" FROM {BEFORE_PAIRS} LEFT JOIN {HELD_PAIRS} AS now USING ("left", "right")
        WHERE {BEFORE_PAIRS}.held <> COALESCE(now.held, false) OR "left" IN (FROM {GONE_RECORDS})
           OR "right" IN (FROM {GONE_RECORDS})""",
    )
    ADDED_PAIRS.create_view(
        connection,
        f"""
        FROM {NOW_PAIRS} SEMI JOIN (SELECT "left", "right" FROM {CHANGED_PAIRS}
                                  UNION ALL SELECT "left", "right" FROM {NEW_PAIRS}) USING ("left", "right")""",
    )


def remember_model(connection: duckdb.DuckDBPyConnection, matches: Matches, folder: Path | None) -> None:
    """Fill the tables of the model: of the `folder` it came from, with the frequencies of values that are new.

    Values that none of the records has any more go: what a model knows of a person goes with the person.
    """
    keep(connection, model_tables(matches.model))
    NEW_FREQUENCIES.copy(connection, matches.model.frequencies)
    if folder is None:
        known = f"SELECT field, value, frequency FROM {NEW_FREQUENCIES} WHERE false"
    else:
        known = f"FROM {scan(folder / 'frequencies.parquet')}"
    GONE_VALUES.create_table(connection, GONE_VALUES.no_rows())
    columns = BEFORE_RECORDS.created_columns(connection)
    ((gone,),) = connection.execute(f"SELECT COUNT(*) FROM {GONE_RECORDS}").fetchall()
    for field in (
        [
            comparison.field
            for comparison in matches.compared
            if comparison.by_frequency and comparison.field in columns
        ]
        if gone
        else ()
    ):
        connection.execute(f"""
            INSERT INTO {GONE_VALUES}
            SELECT DISTINCT '{field}', {field} FROM {BEFORE_RECORDS} SEMI JOIN {GONE_RECORDS} USING (record_id)
            WHERE {field} NOT IN (SELECT {field} FROM {NOW_RECORDS} WHERE {field} IS NOT NULL)""")
    FREQUENCIES.create_view(
        connection,
        f"""
        FROM ({known}) ANTI JOIN {GONE_VALUES} USING (field, value) UNION ALL BY NAME FROM {NEW_FREQUENCIES}""",
    )


_LEVELS = ("level_birth_date", "level_sex", "level_first_name")


@dataclass(frozen=True)
class PersonRecords:
    """Person records by place: those that earlier builds knew and are still there, then the new ones.

    `number` (ascending) is what pairs and groups name them by, for good; `group` is the number of the first record of
    the group in earlier builds, a new record's own.
    """

    number: Ints
    key: pa.ChunkedArray
    arrived_at: Ints
    group: Ints
    is_new: Bools


def resolve(
    connection: duckdb.DuckDBPyConnection,
    source: SourceConfig,
    config: IdentityConfig,
    overrides: Overrides,
    before: PreviousBuild,
) -> tuple[FieldComparison, ...]:
    """Return what records were compared on, nothing where there are none to match.

    Only records that no earlier build knew are matched, and only the groups that they reach are decided anew. The
    merges that they cause, and what the next build goes on from, are in the engine's tables of `remember`.
    """
    fresh = collect_persons(connection, source.silos, config.shareable, before.part)
    people = _person_records(connection, fresh)
    matched = _match(connection, fresh, people, config, before)
    if matched is None:
        nobody = people.key.slice(0, 0)
        remember_matched(connection, nobody, nobody, NO_LINKS)
        return ()
    standard, found = matched
    pairs = _all_pairs(connection, found.pairs)
    decided = _decide(people, pairs, found.compared, config, (overrides, before.decisions))
    merges = decided.linked.made()
    left_keys, right_keys = (
        people.key.take(pa.array(np.searchsorted(people.number, side)))
        for side in (merges.left, merges.right)
    )
    remember_matched(connection, left_keys, right_keys, merges)
    group = decided.group[people.number]
    about = fresh.select(["silo", "key", "arrived_at", "names"]).append_column(
        "cluster", pa.array(group[people.is_new])
    )
    moved = (group != people.group) & ~people.is_new
    remember_records(
        connection, about, standard, pa.table({"number": people.number[moved], "group": group[moved]})
    )
    remember_pairs(connection, found.pairs, pairs.select(["left", "right"]).filter(pa.array(decided.held)))
    remember_model(connection, found, model_path(before, config))
    return found.compared


def _person_records(connection: duckdb.DuckDBPyConnection, fresh: pa.Table) -> PersonRecords:
    known = connection.sql(f"""
        SELECT record_id, key, arrived_at, cluster FROM {BEFORE_RECORDS} ANTI JOIN {GONE_RECORDS} USING (record_id)
        ORDER BY record_id""").to_arrow_table()
    ((top,),) = connection.execute(
        f"SELECT COALESCE(MAX(record_id), -1) + 1 FROM {BEFORE_RECORDS}"
    ).fetchall()
    ids, new = known["record_id"].to_numpy(), np.arange(top, top + fresh.num_rows)
    # The first record of a group may be gone.
    _, first, group = np.unique(known["cluster"].to_numpy(), return_index=True, return_inverse=True)
    return PersonRecords(
        np.append(ids, new),
        pa.chunked_array([*known["key"].chunks, *fresh["key"].chunks], pa.string()),
        np.append(known["arrived_at"].to_numpy(), fresh["arrived_at"].to_numpy()),
        np.append(ids[first][group], new),
        np.append(np.zeros(len(ids), bool), np.ones(len(new), bool)),
    )


def _match(
    connection: duckdb.DuckDBPyConnection,
    fresh: pa.Table,
    people: PersonRecords,
    config: IdentityConfig,
    before: PreviousBuild,
) -> tuple[pa.Table, Matches] | None:
    """Return the new records as compared and the pairs with one of them that stand."""
    if len(people.number) < 2:
        return None
    model = read_model(model_path(before, config))
    ids = pa.array(people.number[people.is_new]).cast(pa.string())
    standard = pa.table({"record_id": ids})
    if fresh.num_rows:
        raw = fresh.drop_columns(["silo", "key", "arrived_at", "names"])
        # Under a model learned before, new records tell nothing about each other.
        seen = model.frequencies if model else None
        standard = standardise(raw.append_column("record_id", ids), region=config.region, seen=seen)
    how = MatchConfig(match_probability=config.match_probability)
    try:
        if model is not None:
            return standard, match_new(connection, standard, model, how)
        return standard, match_pairs(standard, how, connection)
    except NotEnoughDataError as error:
        log.warning("Records are tied by identifiers alone: %s", error)
        return None


def _all_pairs(connection: duckdb.DuckDBPyConnection, new: pa.Table) -> pa.Table:
    """Return all pairs that stand, those of earlier builds first, as far as they are asked about now."""
    stored = BEFORE_PAIRS.created_columns(connection)
    columns = ["left", "right", "match_weight", *(name for name in _LEVELS if name in stored)]
    old = connection.sql(f"""
        SELECT {", ".join(f'"{name}"' for name in columns)}, held FROM {BEFORE_PAIRS}
        ANTI JOIN {GONE_RECORDS} ON record_id = "left" ANTI JOIN {GONE_RECORDS} AS others ON others.record_id = "right"
    """).to_arrow_table()
    scored = new.select(
        [name for name in ("left", "right", "match_weight", *_LEVELS) if name in new.column_names]
    )
    for at, side in enumerate(("left", "right")):
        scored = scored.set_column(at, side, scored[side].cast(pa.int64()))
    return pa.concat_tables([old, scored], promote_options="permissive")


def _decide(
    people: PersonRecords,
    pairs: pa.Table,
    compared: tuple[FieldComparison, ...],
    config: IdentityConfig,
    said: tuple[Overrides, bool],
) -> GroupDecision:
    """Return what is decided of all records, by number; `said` are overrides, and whether earlier decisions stand."""
    overrides, stands = said
    size = int(people.number.max()) + 1
    arrived_at, group, known = np.zeros(size, np.int64), np.arange(size), np.zeros(size, bool)
    arrived_at[people.number] = people.arrived_at
    held: Bools = np.zeros(len(pairs), bool)
    if stands:
        group[people.number], known[people.number] = people.group, ~people.is_new
        held = pairs["held"].fill_null(False).to_numpy()
    implausible = (
        implausible_pairs(pairs, compared) if config.hold_implausible else np.zeros(len(pairs), bool)
    )
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    weight = pairs["match_weight"].to_numpy()
    scored = Pairs(np.minimum(left, right), np.maximum(left, right), weight, implausible)
    least = float(np.log2(config.match_probability / (1 - config.match_probability)))
    overridden = override_pairs(overrides, _records_of_keys(people, overrides))
    return decide(GroupedRecords(arrived_at, group, known), scored, held, overridden, least)


def _records_of_keys(people: PersonRecords, overrides: Overrides) -> dict[str, list[int]]:
    """Return the numbers of the records of the identifiers that overrides name."""
    numbers_by_key: dict[str, list[int]] = {}
    indices = np.flatnonzero(pc.is_in(people.key, pa.array(overrides.keys, pa.string())).to_numpy())
    for key, number in zip(
        people.key.take(pa.array(indices)).to_pylist(), people.number[indices].tolist(), strict=True
    ):
        numbers_by_key.setdefault(key, []).append(number)
    return numbers_by_key


def tie(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    source: SourceConfig,
    config: IdentityConfig,
    earlier: Path | None = None,
) -> list[Path]:
    """Return the files of what a person should look at; CROSSWALK says whose each identifier is.

    `earlier` is the folder of what the last build of this source decided, which stands: only customers that
    something changed for since are decided. What this build decided is left in the engine's tables `identity_...`,
    for the store to keep.
    """
    from sintonia.data.identity.changes import publish
    from sintonia.data.identity.crosswalk import settle_ties, write_log
    from sintonia.data.identity.evidence import clear_findings, write_findings
    from sintonia.data.identity.grouping import find_overrides
    from sintonia.data.identity.previous_build import fingerprints, keep, recall

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
