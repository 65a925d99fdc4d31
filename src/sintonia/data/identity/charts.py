"""Splink's own charts of a matcher and of some pairs, as Vega-Lite; only masked values ever reach them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import log2
from typing import Any

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.data.identity.comparisons import FieldComparison
from sintonia.data.identity.findings import FieldAgreement
from sintonia.data.identity.scoring import splink_settings
from sintonia.data.identity.training import Weights

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
