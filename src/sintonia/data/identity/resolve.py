"""Person records of the silos matched, and what follows: merges to tie, groups, tables for the next build."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools, Ints
from sintonia.core.config import IdentityConfig, SourceConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.progress import log
from sintonia.data.identity.comparisons import FieldComparison
from sintonia.data.identity.decisions import (
    GroupDecision,
    GroupedRecords,
    decide,
    implausible_pairs,
    ruled_pairs,
)
from sintonia.data.identity.learned import model_path, read_model
from sintonia.data.identity.linkage import NO_LINKS, Pairs
from sintonia.data.identity.match import MatchConfig, Matches, match_pairs
from sintonia.data.identity.newcomers import match_new
from sintonia.data.identity.overrides import Overrides
from sintonia.data.identity.persons import collect_persons
from sintonia.data.identity.remember import remember_matched, remember_model, remember_pairs, remember_records
from sintonia.data.identity.standardise import standardise
from sintonia.data.identity.state import PreviousBuild

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
    made = decided.linked.made()
    one, other = (
        people.key.take(pa.array(np.searchsorted(people.number, side))) for side in (made.left, made.right)
    )
    remember_matched(connection, one, other, made)
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
    known = connection.sql("""
        SELECT record_id, key, arrived_at, cluster FROM before_records ANTI JOIN gone_records USING (record_id)
        ORDER BY record_id""").to_arrow_table()
    ((top,),) = connection.execute("SELECT COALESCE(MAX(record_id), -1) + 1 FROM before_records").fetchall()
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
    there = {row[0] for row in connection.execute("DESCRIBE before_pairs").fetchall()}
    columns = ["left", "right", "match_weight", *(name for name in _LEVELS if name in there)]
    old = connection.sql(f"""
        SELECT {", ".join(f'"{name}"' for name in columns)}, held FROM before_pairs
        ANTI JOIN gone_records ON record_id = "left" ANTI JOIN gone_records AS others ON others.record_id = "right"
    """).to_arrow_table()
    told = new.select(
        [name for name in ("left", "right", "match_weight", *_LEVELS) if name in new.column_names]
    )
    for at, side in enumerate(("left", "right")):
        told = told.set_column(at, side, told[side].cast(pa.int64()))
    return pa.concat_tables([old, told], promote_options="permissive")


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
    ruled = ruled_pairs(overrides, _records_of_keys(people, overrides))
    return decide(GroupedRecords(arrived_at, group, known), scored, held, ruled, least)


def _records_of_keys(people: PersonRecords, overrides: Overrides) -> dict[str, list[int]]:
    """Return the numbers of the records of the identifiers that overrides name."""
    found: dict[str, list[int]] = {}
    places = np.flatnonzero(pc.is_in(people.key, pa.array(overrides.keys, pa.string())).to_numpy())
    for key, number in zip(
        people.key.take(pa.array(places)).to_pylist(), people.number[places].tolist(), strict=True
    ):
        found.setdefault(key, []).append(number)
    return found
