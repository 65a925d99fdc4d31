"""How well records became customers: sizes, rules, what was held or shared, agreement with the truth, and a page.

The page is a template filled with figures: the same bytes for the same figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.config import IdentityConfig
from sintonia.core.errors import InputError, hint
from sintonia.core.html import count, number, percent, template
from sintonia.core.paths import StorePaths, WorkspacePaths
from sintonia.data.identity.evidence import (
    FINDINGS,
    JudgedPair,
    Matcher,
    judged_pairs,
    masked_key,
    nearest,
    splink_charts,
    state_folder,
    stored_matcher,
    vega,
)
from sintonia.data.identity.grouping import cluster
from sintonia.data.identity.match_model import MatchConfig, match_pairs
from sintonia.data.identity.previous_build import standing
from sintonia.data.identity.quality import Quality, quality
from sintonia.data.identity.standardise import standardise

TRUTH = ("source", "source_key", "person_id")
"""Columns of a file that says whose each identifier truly is."""


MOST_SHOWN = 50
"""How many of each kind of finding are shown."""

WATERFALLS = 12
"""How many pairs are drawn bit by bit."""


@dataclass(frozen=True)
class Example:
    """One thing to look at: who it is about, since when it is known, how probable it is, and why; all fit to show."""

    who: str
    why: str
    match_probability: float | None = None
    known_at: datetime | None = None

    def __str__(self) -> str:
        """Return it on one line."""
        probability = "" if self.match_probability is None else f", {self.match_probability:.3f}"
        return f"{self.who}{probability}: {self.why}"


@dataclass(frozen=True)
class IdentityReport:
    """Figures of records grouped into customers; `source` says what was read, a store or a file.

    `sizes` counts customers by their number of records, `rules` ties by what made them; `findings` counts what
    waits for a person, by kind, and `examples` shows some of it and the least certain pairs, masked. `matcher` is
    what its charts are drawn from, where records were matched by weights.
    """

    source: str
    what: str
    records: int
    sizes: Mapping[int, int]
    rules: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    quality: Quality | None = None
    matcher: Matcher | None = None

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return sum(self.sizes.values())


def report_store(store: Path, workspace: Path, truth: Path | None, source: str) -> IdentityReport:
    """Return the report of a store's crosswalk as it holds now, and of what its build found.

    Raises
    ------
    InputError
        When the file of the truth is missing, lacks a column of TRUTH, or knows none of the identifiers.
    """
    columns = [*TRUTH[:2], "customer_id"] if truth else ["customer_id"]
    now = pc.field("unlinked_at").is_null()
    crosswalk = pq.read_table(StorePaths(store).crosswalk, columns=columns, filters=now)
    state = state_folder(store)
    found = {
        name: pq.read_table(WorkspacePaths(workspace).identity_finding(name))
        for name in FINDINGS
        if WorkspacePaths(workspace).identity_finding(name).is_file()
    }
    return IdentityReport(
        source=source,
        what="identifiers",
        records=crosswalk.num_rows,
        sizes=_sizes(crosswalk["customer_id"]),
        rules=_ties(state),
        findings={name: table.num_rows for name, table in found.items() if name != "borderline"},
        examples={name: _shown(table.slice(0, MOST_SHOWN)) for name, table in found.items()},
        quality=None if truth is None else _against(crosswalk, truth),
        matcher=stored_matcher(state, WATERFALLS),
    )


def report_records(
    table: pa.Table, fields: Mapping[str, str], truth: str | None, config: IdentityConfig, source: str
) -> IdentityReport:
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
    clusters = cluster(records["record_id"], matches.pairs, config.match_probability)["cluster"]
    least = pc.greater_equal(matches.pairs["match_probability"], config.match_probability)
    pairs = judged_pairs(
        records, nearest(matches.pairs, config.match_probability, MOST_SHOWN), matches.compared
    )
    return IdentityReport(
        source=source,
        what="person records",
        records=records.num_rows,
        sizes=_sizes(clusters),
        rules={"match": int(pc.sum(least).as_py() or 0)},
        examples={"borderline": [_example(pair) for pair in pairs]},
        quality=quality(clusters.to_pylist(), table[truth].to_pylist()) if truth else None,
        matcher=Matcher(
            matches.compared,
            matches.model.weights,
            matches.pairs["match_weight"].to_numpy(),
            tuple(pairs[:WATERFALLS]),
        ),
    )


def _example(pair: JudgedPair) -> Example:
    why = "; ".join(map(str, pair.agreements))
    return Example(f"{pair.left} and {pair.right}", why, pair.match_probability)


def read_records(path: Path, key: str = "records", what: str = "person records") -> pa.Table:
    """Return a CSV (any delimiter, text throughout) or Parquet file, the names of its columns trimmed.

    Raises
    ------
    InputError
        When it is missing or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"No file '{path}'; give {key}=FILE with a CSV or Parquet of {what}.")
    scan = (
        "read_parquet(?)" if path.suffix == ".parquet" else "read_csv(?, all_varchar = true, header = true)"
    )
    with duckdb.connect() as connection:
        try:
            table = connection.sql(f"SELECT * FROM {scan}", params=[str(path)]).to_arrow_table()
        except duckdb.Error as error:
            raise InputError(f"'{path}' cannot be read: {str(error).splitlines()[0]}") from None
    return table.rename_columns([name.strip() for name in table.column_names])


def _sizes(clusters: pa.ChunkedArray) -> dict[int, int]:
    """Return how many clusters there are of each size, smallest first."""
    sizes = pc.value_counts(pc.value_counts(clusters).field("counts"))
    return dict(
        sorted(zip(sizes.field("values").to_pylist(), sizes.field("counts").to_pylist(), strict=True))
    )


def _ties(state: Path) -> dict[str, int]:
    """Return how many ties hold by rule, most first, and after them how many were refused."""
    with duckdb.connect() as connection:
        query = f"SELECT rule, holds, COUNT(*) AS rule_count FROM {standing(state / 'ties.parquet')} GROUP BY 1, 2"
        counted = connection.sql(query).to_arrow_table().to_pylist()
    ordered = sorted(counted, key=lambda row: (not row["holds"], -row["rule_count"], row["rule"]))
    return {row["rule"] if row["holds"] else f"{row['rule']}, refused": row["rule_count"] for row in ordered}


def _shown(table: pa.Table) -> list[Example]:
    if "shown" in table.column_names:
        rows = table.select(["source", "shown", "refused", "known_at"]).to_pylist()
        return [
            Example(
                f"{row['source']} {row['shown']}", f"ties refused: {row['refused']}", None, row["known_at"]
            )
            for row in rows
        ]
    rows = table.select(["left", "right", "match_probability", "arrived_at", "evidence"]).to_pylist()
    return [
        Example(
            f"{masked_key(row['left'])} and {masked_key(row['right'])}",
            row["evidence"],
            row["match_probability"],
            row["arrived_at"],
        )
        for row in rows
    ]


def _against(crosswalk: pa.Table, path: Path) -> Quality:
    truth = read_records(path, "truth", ", ".join(TRUTH))
    for column in TRUTH:
        if column not in truth.column_names:
            raise InputError(f"'{path.name}' has no column '{column}'; {hint(column, truth.column_names)}")
    keys = list(TRUTH[:2])
    both = crosswalk.select([*keys, "customer_id"]).join(truth.select(list(TRUTH)), keys, join_type="inner")
    if not both.num_rows:
        raise InputError(f"'{path.name}' knows none of the {crosswalk.num_rows:,} identifiers of the store.")
    return quality(both["customer_id"].to_pylist(), both["person_id"].to_pylist())


SIGNS = {"good": "▲", "open": "●", "bad": "▼"}
LISTED = 5
"""How many findings of a kind are in sight before the rest unfolds."""

_STEPS = ((11, 20), (21, 50), (51, 100), (101, 500))
_SECTION_TITLES = {
    "held": "Merges held for a person to decide",
    "borderline": "Pairs nearest to the border",
    "shared": "Identifiers of several people",
}
_MEANINGS = {
    "held": "The records match and contradict each other: two birth dates, or two sexes and two first names. "
    "Settle them by must-link or cannot-link in a file, identity.overrides=FILE.",
    "borderline": "The pairs of which the weights are least sure. If many here are on the wrong side, move "
    "identity.match_probability.",
    "shared": "They glue nobody: the first person keeps them, the ties of the others were refused.",
}


@dataclass(frozen=True)
class Verdict:
    """One sentence of the verdict: its sign ('good', 'open' or 'bad'), its headline and its evidence."""

    state: str
    headline: str
    evidence: str


@dataclass(frozen=True)
class Bar:
    """One row of a table of counts: what is counted, how many, and the bar's length in per cent of the longest."""

    name: str
    count: int
    length: float


def render_identity_page(report: IdentityReport) -> str:
    """Return the report as one self-contained HTML page that opens offline; every value in it is masked.

    The same report gives the same bytes.
    """
    charts = splink_charts(report.matcher) if report.matcher else []
    return template("identity.html.j2").render(
        report=report,
        verdict=[agreement(report), tied(report), waiting(report)],
        signs=SIGNS,
        sizes=bars(grouped(report.sizes)),
        rules=bars(report.rules),
        titles=_SECTION_TITLES,
        meanings=_MEANINGS,
        listed=LISTED,
        charts=charts,
        scripts=vega() if charts else [],
    )


def agreement(report: IdentityReport) -> Verdict:
    """Return how well customers agree with the truth, where it is given."""
    found = report.quality
    if found is None:
        return Verdict(
            "open",
            "Not compared with any truth",
            "Give truth= to see how many ties are right and how many missing.",
        )
    pairs = found.pairwise
    evidence = (
        f"Of the pairs that were joined {percent(pairs.precision, 1)} belong together; of those that belong together "
        f"{percent(pairs.recall, 1)} were joined ({count(found.people)} people, {count(found.clusters)} customers)."
    )
    return Verdict("open", f"Pairwise F1 {number(pairs.f1)} against the truth", evidence)


def tied(report: IdentityReport) -> Verdict:
    """Return how many records found company, and the largest customer."""
    several = sum(many for size, many in report.sizes.items() if size > 1)
    alone, most = report.sizes.get(1, 0), max(report.sizes, default=0)
    evidence = f"{count(alone)} have one of the {report.what} only; the largest has {count(most)}."
    return Verdict("open", f"{count(several)} of {count(report.customers)} customers unite several", evidence)


def waiting(report: IdentityReport) -> Verdict:
    """Return what waits for a person."""
    held, shared = (report.findings.get(name, 0) for name in ("held", "shared"))
    if not held:
        told = (
            f"{count(shared)} identifiers of several people glue nobody." if shared else "No merge was held."
        )
        return Verdict("good", "Nothing waits for a decision", told)
    evidence = (
        f"They match and contradict each other. {count(shared)} identifiers of several people glue nobody."
    )
    return Verdict("bad", f"{count(held)} merges wait for a person", evidence)


def grouped(sizes: Mapping[int, int]) -> dict[str, int]:
    """Return customers by number of records, the large numbers in steps.

    Examples
    --------
    >>> grouped({1: 9, 2: 4, 14: 2, 15: 1, 900: 1})
    {'1': 9, '2': 4, '11 to 20': 3, 'over 500': 1}
    """
    found: dict[str, int] = {}
    for size, many in sorted(sizes.items()):
        name = str(size) if size < _STEPS[0][0] else _step(size)
        found[name] = found.get(name, 0) + many
    return found


def _step(size: int) -> str:
    return next((f"{low} to {high}" for low, high in _STEPS if size <= high), f"over {_STEPS[-1][1]}")


def bars(counts: Mapping[str, int]) -> Sequence[Bar]:
    """Return the rows of a table of counts, in the order given."""
    longest = max(counts.values(), default=0) or 1
    return [Bar(name, many, round(100 * many / longest, 1)) for name, many in counts.items()]
