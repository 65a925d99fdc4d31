"""The page on a golden record: a template filled with figures, the same bytes for the same figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sintonia.core.html import count, number, percent, template
from sintonia.data.identity.charts import splink_charts, vega
from sintonia.data.identity.report import IdentityReport

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
