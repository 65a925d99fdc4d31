"""What a reviewer should look at: merges held back, pairs near the threshold, shared identifiers, and why pairs match.

Tables name records by their identifiers and carry their values masked: first letters and lengths, which show a
misspelling and nobody's address. Only masked values reach Splink's charts (Vega-Lite).
"""

import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Floats
from sintonia.core.errors import NotBuiltError
from sintonia.core.paths import StorePaths, WorkspacePaths
from sintonia.data.identity.comparing import FieldComparison, comparisons
from sintonia.data.identity.match_model import Weights, splink_settings
from sintonia.data.identity.previous_build import standing
from sintonia.data.identity.relations import NOW_PAIRS, NOW_RECORDS, NOW_TIES
from sintonia.data.identity.resolve import read_model

FINDINGS = ("held", "borderline", "shared")
"""Files under `identity/` of the workspace."""

PERSONAL = ("email", "phone", "handle")
"""Types of identifiers that are personal in themselves, and never shown in full."""

BORDERLINE = 200
"""How many of the pairs nearest to the border are written."""


_REST = re.compile(r"(?<=\w)\w")


@lru_cache(maxsize=2**16)  # names and places come again and again
def masked(value: str | None) -> str:
    """Return the value with all but the first letter of each word starred.

    Examples
    --------
    >>> masked("maria rossi"), masked("1984-05-31"), masked("m.rossi@posta.it"), masked(None)
    ('m**** r****', '1***-0*-3*', 'm.r****@p****.i*', '-')
    """
    return _REST.sub("*", value) if value else "-"


def masked_key(key: str) -> str:
    """Return an identifier, `type:value` or a value alone, masked where it is personal in itself.

    Examples
    --------
    >>> masked_key("crm:C17"), masked_key("phone:+39061234567"), masked_key("m.rossi@posta.it")
    ('crm:C17', 'phone:+3**********', 'm.r****@p****.i*')
    """
    kind, colon, value = key.partition(":") if ":" in key else ("", "", key)
    personal = kind in PERSONAL or "@" in value or value.startswith("+")
    return f"{kind}{colon}{masked(value)}" if personal else key


def clear_findings(workspace: Path) -> None:
    """Remove what an earlier build found."""
    shutil.rmtree(WorkspacePaths(workspace).identity, ignore_errors=True)


def write_findings(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    compared: Sequence[FieldComparison],
    shareable: Sequence[str],
) -> list[Path]:
    """Return the files written under `identity/`, those without a row left out.

    `held` and `borderline` have one row per pair of records: `left`, `right` (type:value), `match_probability`,
    `arrived_at`, `evidence` (each field's degree of agreement, values masked). `shared` has one row per
    identifier: `source`, `source_key`, `refused` (ties), `known_at`, `shown` (masked).
    """
    tables = {"shared": _shared_identifiers(connection, shareable)}
    if compared:
        nearest = f'ORDER BY ABS(match_weight), "left", "right" LIMIT {BORDERLINE}'
        chosen = {"held": "WHERE held", "borderline": nearest}
        pairs = {name: _chosen_pairs(connection, which) for name, which in chosen.items()}
        records = _records_of(connection, list(pairs.values()))
        tables |= {name: _described(records, table, compared) for name, table in pairs.items()}
    paths = WorkspacePaths(workspace)
    written = [paths.identity_finding(name) for name, table in tables.items() if table.num_rows]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(tables[path.stem], path)
    return written


def _shared_identifiers(connection: duckdb.DuckDBPyConnection, shareable: Sequence[str]) -> pa.Table:
    listed = ", ".join(f"'{kind}'" for kind in shareable) or "NULL"
    shared = connection.sql(f"""
        WITH apart AS (
            SELECT CASE WHEN SPLIT_PART("left", ':', 1) IN ({listed}) THEN "left"
                        WHEN SPLIT_PART("right", ':', 1) IN ({listed}) THEN "right" END AS key, arrived_at
            FROM {NOW_TIES} WHERE NOT holds AND rule = 'same record')
        SELECT SPLIT_PART(key, ':', 1) AS source, SUBSTR(key, STRPOS(key, ':') + 1) AS source_key,
               COUNT(*) AS refused, MIN(arrived_at) AS known_at
        FROM apart WHERE key IS NOT NULL GROUP BY key ORDER BY refused DESC, key
    """).to_arrow_table()
    return shared.append_column("shown", pa.array(map(masked, shared["source_key"].to_pylist()), pa.string()))


def _chosen_pairs(connection: duckdb.DuckDBPyConnection, which: str) -> pa.Table:
    """Return pairs with all their columns, which few of the millions that are chosen among are read with."""
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE chosen_pairs AS SELECT "left", "right" FROM {NOW_PAIRS} {which}'
    )
    return connection.sql(
        f'FROM {NOW_PAIRS} SEMI JOIN chosen_pairs USING ("left", "right") ORDER BY ABS(match_weight), "left", "right"'
    ).to_arrow_table()


def _records_of(connection: duckdb.DuckDBPyConnection, pairs: Sequence[pa.Table]) -> pa.Table:
    """Return the records that the pairs are made of, by their number."""
    ids = [table[side].to_numpy() for table in pairs for side in ("left", "right")]
    connection.register("chosen_records", pa.table({"record_id": np.unique(np.concatenate(ids))}))
    records = connection.sql(
        f"FROM {NOW_RECORDS} SEMI JOIN chosen_records USING (record_id) ORDER BY record_id"
    ).to_arrow_table()
    connection.unregister("chosen_records")
    return records


def _described(records: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> pa.Table:
    ids = records["record_id"].to_numpy()
    sides = [pa.array(np.searchsorted(ids, pairs[side].to_numpy())) for side in ("left", "right")]
    arrived = [records["arrived_at"].take(side).to_numpy() for side in sides]
    return pa.table(
        {
            "left": records["key"].take(sides[0]),
            "right": records["key"].take(sides[1]),
            "match_probability": pairs["match_probability"],
            "arrived_at": pa.array(np.maximum(*arrived), pa.timestamp("us")),
            "evidence": pa.array(evidence(records, pairs, compared), pa.string()),
        }
    )


@dataclass(frozen=True)
class FieldAgreement:
    """How far two records agree on one field: the degree in words and as its place (0 same), what it weighs (bits),
    and both values masked.
    """

    field: str
    degree: str
    level: int
    weight: float
    left: str
    right: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.field} {self.degree} ({self.left} / {self.right})"


def agreements(
    standard: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]
) -> list[tuple[FieldAgreement, ...]]:
    """Return for each pair of record ids what speaks for and against it; fields that one record lacks say nothing."""
    ids = standard["record_id"].combine_chunks()
    sides = [standard.take(pc.index_in(pairs[side].combine_chunks(), ids)) for side in ("left", "right")]
    told: list[list[FieldAgreement]] = [[] for _ in range(pairs.num_rows)]
    for one in (one for one in compared if one.field in standard.column_names):
        levels = (pairs[f"{kind}_{one.field}"].to_pylist() for kind in ("level", "weight"))
        values, labels = (side[one.field].to_pylist() for side in sides), one.labels
        for found, level, weight, left, right in zip(told, *levels, *values, strict=True):
            if level is not None:
                shown = masked(left), masked(right)
                found.append(FieldAgreement(one.field, labels[level], level, weight, *shown))
    return [tuple(found) for found in told]


def evidence(standard: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> list[str]:
    """Return for each pair of record ids what speaks for and against it in words, with masked values."""
    return ["; ".join(map(str, found)) for found in agreements(standard, pairs, compared)]


Spec = dict[str, Any]

_COLOURS = {
    "green": "#1f8299",
    "red": "#c4622d",
    "black": "var(--ink)",
    "white": "var(--ink)",
    "grey": "var(--soft)",
    "#aaa": "var(--soft)",
    "#ddd": "var(--line)",
}
"""Splink's colours in those of the page, which holds apart red and green for nobody's sake."""

_LETTERS = {("fontSize", 8): 10, ("dy", -13): -15, ("dy", -25): -28, ("step", 75): 86}
"""Text too small to read, and the room it needs once it is larger."""


_ROOM = 16
"""Letters of a value that fit above a bar."""


@dataclass(frozen=True)
class JudgedPair:
    """Two records (their names fit to show), their match weight (bits) and probability, and field by field why."""

    left: str
    right: str
    match_weight: float
    match_probability: float
    agreements: tuple[FieldAgreement, ...]


@dataclass(frozen=True)
class Matcher:
    """What matched records: fields compared, weights learned, the weights of all pairs kept, and some pairs."""

    compared: tuple[FieldComparison, ...]
    weights: Weights
    match_weights: Floats
    pairs: tuple[JudgedPair, ...]


@dataclass(frozen=True)
class Chart:
    """One chart: its name (for the page's script), title, what it says, and its Vega-Lite specification."""

    name: str
    title: str
    told: str
    spec: Spec


def splink_charts(matcher: Matcher) -> list[Chart]:
    """Return Splink's charts: what each degree of agreement weighs, m and u, pairs by weight, some pairs in full."""
    import duckdb
    import pyarrow as pa
    from splink import DuckDBAPI, Linker, SettingsCreator

    logging.getLogger("splink").setLevel(logging.ERROR)
    settings = SettingsCreator.from_path_or_dict(splink_settings(matcher.compared, matcher.weights))
    with duckdb.connect() as connection:
        connection.register("nobody", pa.table({"person": [0]}))
        connection.register("weighed", pa.table({"match_weight": matcher.match_weights}))
        api = DuckDBAPI(connection)
        linker = Linker(api.register("nobody"), settings, log_level=None, validate_settings=False)
        draw = linker.visualisations
        charts = [
            Chart(
                "weights",
                "What each degree of agreement weighs",
                _WEIGHTS,
                draw.match_weights_chart().chart_dict,
            )
        ]
        if len(matcher.match_weights):
            scored = linker.table_management.register_table_predict(api.register("weighed"))
            spec = draw.match_weights_histogram(scored, width=540).chart_dict
            charts.append(Chart("pairs", "Pairs by their weight", _CHART_PAIRS, spec))
        charts.append(Chart("m-u", "How often pairs agree", _M_U, draw.m_u_parameters_chart().chart_dict))
        if matcher.pairs:
            records = [_splink_record(pair, matcher) for pair in matcher.pairs]
            spec = _with_pairs(
                draw.waterfall_chart(records, remove_sensitive_data=True).chart_dict, matcher.pairs
            )
            charts.append(Chart("waterfall", "Pairs near the border, bit by bit", _WATERFALL, spec))
    return [Chart(chart.name, chart.title, chart.told, _for_the_page(chart.spec)) for chart in charts]


_WEIGHTS = (
    "Bits for (right) or against (left) one person: log2(m / u). Four bits more make a match sixteen times as likely. "
    "Equal names, cities and the like are weighed by how rare the value is, around the bar shown."
)
_M_U = "m: the share of one person's pairs that show the degree; u: the share of strangers' pairs that do."
_CHART_PAIRS = (
    "All pairs worth keeping. Right of 0 a pair is more likely one person than not; around 0 it is doubtful."
)
_WATERFALL = (
    "From how rare matches are, by each field, to the pair's weight. What people of one home share is taken off again "
    "(household), as far as nothing personal agrees. Values are masked."
)


def _splink_record(pair: JudgedPair, matcher: Matcher) -> dict[str, Any]:
    """Return the pair as Splink would have scored it: levels counted from its end, frequencies apart."""
    found = {one.field: one for one in pair.agreements}
    record: dict[str, Any] = {"match_weight": pair.match_weight}
    for one in matcher.compared:
        agreement = found.get(one.field)
        level = -1 if agreement is None else len(one.labels) - 1 - agreement.level
        record[f"gamma_{one.field}"] = level
        if one.by_frequency:
            record[f"mw_tf_adj_{one.field}"] = (
                0.0 if agreement is None else _adjusted(agreement, matcher.weights)
            )
    return record


def _adjusted(agreement: FieldAgreement, weights: Weights) -> float:
    """Return what the value's frequency added, in bits: nothing but to equality."""
    if agreement.level:
        return 0.0
    return agreement.weight - log2(weights.m[agreement.field][0] / weights.u[agreement.field][0])


def _with_pairs(spec: Spec, pairs: Sequence[JudgedPair]) -> Spec:
    """Return the waterfall with masked values, a choice of pairs by name, and the household's share as a bar.

    Splink knows no households, so its bars sum to a weight without them; the rest is what they took off.
    """
    by_pair: dict[int, list[dict[str, Any]]] = {}
    for record in spec["data"]["values"]:
        by_pair.setdefault(record["record_number"], []).append(record)
    values = [
        record
        for place, records in sorted(by_pair.items())
        for record in _with_household(records, pairs[place])
    ]
    names = [f"{pair.left} and {pair.right}, {pair.match_probability:.3f}" for pair in pairs]
    choice = {"input": "select", "options": list(range(len(pairs))), "labels": names, "name": "Pair "}
    params = [{**spec["params"][0], "bind": choice}]
    return {**spec, "data": {"values": values}, "params": params}


def _with_household(records: Sequence[Mapping[str, Any]], pair: JudgedPair) -> list[dict[str, Any]]:
    *bars, final = records
    shown = {one.field: one for one in pair.agreements}
    household = pair.match_weight - sum(bar["log2_bayes_factor"] for bar in bars)
    bar = {
        **final,
        "column_name": "household",
        "label_for_charts": "what people of one home share, taken off",
        "log2_bayes_factor": household,
        "bayes_factor": float(np.exp2(np.clip(household, -300, 300))),
    }
    told = []
    for place, record in enumerate([*bars, bar, final]):
        values = shown.get(record["column_name"])
        sides = (_shortened(values.left), _shortened(values.right)) if values else ("", "")
        told.append({**record, "bar_sort_order": place, "value_l": sides[0], "value_r": sides[1]})
    return told


def _shortened(value: str) -> str:
    """Return as much of a value as a bar has room for."""
    return value if len(value) <= _ROOM else value[: _ROOM - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _for_the_page(spec: Spec) -> Spec:
    """Return the specification in the page's colours and letters, without a title: the page has its own."""
    plain: Spec = _coloured(
        {key: value for key, value in spec.items() if key not in ("$schema", "title", "data")}
    )
    return {**plain, "data": {"values": [_counted(row) for row in spec["data"]["values"]]}}


def _counted(row: Mapping[str, Any]) -> Spec:
    """Return a row of a chart's data with DuckDB's decimals, the edges of narrow bins, as plain numbers."""
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in row.items()}


def _coloured(part: Any) -> Any:  # noqa: ANN401
    if isinstance(part, dict):
        return {
            key: _coloured(value)
            if isinstance(value, dict | list | str)
            else _LETTERS.get((key, value), value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_coloured(value) for value in part]
    return _COLOURS.get(part, part) if isinstance(part, str) else part


def vega() -> list[str]:
    """Return the scripts that draw the charts, as Splink ships them."""
    from splink.internals.html_utils import load_chart_libraries

    return list(load_chart_libraries().values())


def state_folder(store: Path) -> Path:
    """Return the folder of what the store's build decided about identities.

    Raises
    ------
    NotBuiltError
        When the build kept nothing of it, as an older version's did not.
    """
    folder = StorePaths(store).identity
    if not (folder / "ties.parquet").is_file():
        raise NotBuiltError(
            f"The store '{store}' keeps no ties between identifiers; run `sintonia build` again."
        )
    return folder


def nearest(pairs: pa.Table, match_probability: float, most: int) -> pa.Table:
    """Return the pairs nearest to the border between one customer and two, nearest first."""
    border = np.log2(match_probability / (1 - match_probability))
    away = np.abs(pairs["match_weight"].to_numpy() - border)
    return pairs.take(pa.array(np.argsort(away, kind="stable")[:most]))


def judged_pairs(records: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> list[JudgedPair]:
    """Return pairs of standardised records with what speaks for and against them, values and names masked.

    A record is named by its identifier, `key`, where the records have one, otherwise by its id.
    """
    named = "key" if "key" in records.column_names else "record_id"
    names = dict(
        zip(records["record_id"].to_pylist(), map(masked_key, records[named].to_pylist()), strict=True)
    )
    columns = ("left", "right", "match_weight", "match_probability")
    rows = zip(
        *(pairs[name].to_pylist() for name in columns), agreements(records, pairs, compared), strict=True
    )
    return [JudgedPair(names[left], names[right], *judged) for left, right, *judged in rows]


def stored_fields(state: Path) -> tuple[FieldComparison, ...]:
    """Return what a build compared records on, in its order; nothing where it matched none."""
    path = state / "weights.parquet"
    return comparisons(pq.read_table(path)["field"].to_pylist()) if path.is_file() else ()


def stored_matcher(state: Path, most: int) -> Matcher | None:
    """Return what matched a store's records, with the pairs of least certainty; None where none were matched."""
    model = read_model(state)
    if model is None:
        return None
    compared = stored_fields(state)
    with duckdb.connect() as connection:
        scored = connection.sql(f"FROM {standing(state / 'pairs.parquet')}")
        weights = scored.project("match_weight").to_arrow_table()["match_weight"].to_numpy()
        pairs = scored.order('abs(match_weight), "left", "right"').limit(most).to_arrow_table()
    told = judged_pairs(stored_records(state, pairs), pairs, compared)
    return Matcher(compared, model.weights, weights, tuple(told))


def stored_records(state: Path, pairs: pa.Table) -> pa.Table:
    """Return the records that the pairs are made of."""
    with duckdb.connect() as connection:
        connection.register("pairs", pairs.select(["left", "right"]))
        return connection.sql(f"""
            FROM {standing(state / "records.parquet")}
            SEMI JOIN (SELECT "left" AS record_id FROM pairs UNION SELECT "right" FROM pairs) USING (record_id)
        """).to_arrow_table()
