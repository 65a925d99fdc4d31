"""What two person records are compared on, and how frequent the values of each field are.

Each field has degrees of agreement, SQL conditions for Splink. A degree says only when it holds; its weight is learned
from the table itself. Agreement on a frequent value counts less: two Rossi say less than two of a rare name. The string
distances are those of DuckDB; `_l` and `_r` mark the left and the right record of a pair.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sintonia.data.identity.relations import PERSONS, term_frequencies

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


HOUSEHOLD = frozenset(
    (
        "last_name",
        "birth_place",
        "email",
        "phone",
        "street",
        "street_2",
        "street_number",
        "postcode",
        "city",
        "province",
        "country",
    )
)
"""Fields that people of one home share, brothers and sisters too: they say whose somebody is, not who of them."""


@dataclass(frozen=True)
class AgreementLevel:
    """One degree of agreement: what it is called and when it holds."""

    label: str
    sql: str


@dataclass(frozen=True)
class FieldComparison:
    """One field's degrees of agreement, best first; the first is equality, and what fits none disagrees.

    `by_frequency` weighs equality by how rare the value is: a shared rare name says more than a shared Rossi.
    """

    field: str
    levels: tuple[AgreementLevel, ...]
    by_frequency: bool = True

    @property
    def household(self) -> bool:
        """Whether people who live together share the field."""
        return self.field in HOUSEHOLD

    @property
    def labels(self) -> tuple[str, ...]:
        """The degrees in words, best first, disagreement last."""
        return (*(level.label for level in self.levels), "different")


def comparisons(fields: Collection[str]) -> tuple[FieldComparison, ...]:
    """Return the comparisons that the fields of a table allow, in one fixed order.

    Examples
    --------
    >>> [comparison.field for comparison in comparisons(["email", "birth_date", "shoe_size"])]
    ['birth_date', 'email']
    >>> comparisons(["sex"])[0].labels
    ('same', 'different')
    """
    present = frozenset(fields)
    return tuple(make(present) for field, make in _COMPARISONS.items() if field in present)


def _same(field: str) -> AgreementLevel:
    return AgreementLevel("same", f"{field}_l = {field}_r")


def _jaro(field: str, least: float) -> str:
    return f"jaro_winkler_similarity({field}_l, {field}_r) >= {least}"


def _edits(field: str, most: int) -> str:
    return f"levenshtein({field}_l, {field}_r) <= {most}"


def _slip(field: str) -> str:
    """Return one typing slip: a letter wrong, lost or added, or two neighbours swapped.

    DuckDB's damerau_levenshtein costs ten times its levenshtein, hence asked only where the latter leaves
    room.
    """
    swapped = f"damerau_levenshtein({field}_l, {field}_r) <= 1"
    return f"case when {_edits(field, 1)} then true when {_edits(field, 2)} then {swapped} else false end"


def _short_label(field: str) -> str:
    """Return a short form: one value begins or ends the other (Ale, Alessandra; Betta, Elisabetta)."""
    left, right = f"{field}_l", f"{field}_r"
    ends = f"ends_with({left}, {right}) or ends_with({right}, {left})"
    return f"starts_with({left}, {right}) or starts_with({right}, {left}) or {ends}"


def _name_comparison(field: str, other: str) -> Callable[[frozenset[str]], FieldComparison]:
    def make(present: frozenset[str]) -> FieldComparison:
        levels = [_same(field)]
        if other in present:
            levels.append(AgreementLevel("in the other name's place", _crossed(field, other)))
        levels.append(AgreementLevel("a slip or spelt alike", f"{_slip(field)} or {_jaro(field, 0.93)}"))
        if field == "first_name":
            known = " or list_has_any(first_name_forms_l, first_name_forms_r)"
            levels.append(
                AgreementLevel(
                    "short form", _short_label(field) + (known if "first_name_forms" in present else "")
                )
            )
        return FieldComparison(field, (*levels, AgreementLevel("somewhat alike", _jaro(field, 0.8))))

    return make


def _crossed(field: str, other: str) -> str:
    """Return whether the left record's name stands as the right record's other one.

    One direction only, so that the two name comparisons of a swapped pair each count one name; both
    directions where the other comparison is missing and cannot count.
    """
    one = f"jaro_winkler_similarity({field}_l, {other}_r) >= 0.93"
    back = f"jaro_winkler_similarity({other}_l, {field}_r) >= 0.93"
    return f"{one} or (({other}_l is null or {other}_r is null) and {back})"


def _birth_date_comparison(_: frozenset[str]) -> FieldComparison:
    parts = {"year": (1, 4), "month": (6, 2), "day": (9, 2)}
    same = {
        part: f"substr(birth_date_l, {at}, {size}) = substr(birth_date_r, {at}, {size})"
        for part, (at, size) in parts.items()
    }
    swap = (
        "substr(birth_date_l, 6, 2) = substr(birth_date_r, 9, 2)"
        " and substr(birth_date_l, 9, 2) = substr(birth_date_r, 6, 2)"
    )
    # A year alone is kept as its 1 January: two such dates share day and month, and most digits, for nothing.
    stated = "(substr(birth_date_l, 6) <> '01-01' or substr(birth_date_r, 6) <> '01-01')"
    two = (
        f"({same['year']} and ({same['month']} or {same['day']}))"
        f" or ({same['month']} and {same['day']} and {stated})"
    )
    days = "abs(birth_day_l - birth_day_r)"
    levels = (
        _same("birth_date"),
        AgreementLevel(
            "a slip, or day and month swapped", f"{_slip('birth_date')} or ({same['year']} and {swap})"
        ),
        AgreementLevel("two parts of three, or within a month", f"{two} or {days} <= 31"),
        AgreementLevel(
            "two slips, or within a year", f"({_edits('birth_date', 2)} and {stated}) or {days} <= 366"
        ),
        AgreementLevel("within ten years", f"{days} <= 3653"),
    )
    return FieldComparison("birth_date", levels, by_frequency=False)


def _email(_: frozenset[str]) -> FieldComparison:
    levels = (
        _same("email"),
        AgreementLevel("same before the @", "email_name_l = email_name_r"),
        AgreementLevel("two slips or spelt alike", f"{_edits('email', 2)} or {_jaro('email', 0.92)}"),
        AgreementLevel("alike before the @", _jaro("email_name", 0.88)),
    )
    return FieldComparison("email", levels, by_frequency=False)


def _line(field: str, other: str) -> Callable[[frozenset[str]], FieldComparison]:
    def make(present: frozenset[str]) -> FieldComparison:
        crossed = AgreementLevel("in the other line", f"{field}_l = {other}_r or {other}_l = {field}_r")
        levels = (
            _same(field),
            *([crossed] if other in present else []),
            AgreementLevel("two slips or spelt alike", f"{_edits(field, 2)} or {_jaro(field, 0.92)}"),
            AgreementLevel("somewhat alike", _jaro(field, 0.82)),
        )
        return FieldComparison(field, levels)

    return make


def _plain(
    field: str, *levels: AgreementLevel, by_frequency: bool = True
) -> Callable[[frozenset[str]], FieldComparison]:
    return lambda _: FieldComparison(field, (_same(field), *levels), by_frequency)


_COMPARISONS: dict[str, Callable[[frozenset[str]], FieldComparison]] = {
    "first_name": _name_comparison("first_name", "last_name"),
    "last_name": _name_comparison("last_name", "first_name"),
    "birth_date": _birth_date_comparison,
    "sex": _plain("sex", by_frequency=False),
    "national_id": _plain(
        "national_id",
        AgreementLevel("a slip", _slip("national_id")),
        AgreementLevel("two slips", _edits("national_id", 2)),
        by_frequency=False,
    ),
    "email": _email,
    "phone": _plain(
        "phone",
        AgreementLevel("a slip or the same end", f"{_slip('phone')} or phone_end_l = phone_end_r"),
        by_frequency=False,
    ),
    "street": _line("street", "street_2"),
    "street_2": _line("street_2", "street"),
    "street_number": _plain("street_number", AgreementLevel("a slip", _slip("street_number"))),
    "postcode": _plain(
        "postcode",
        AgreementLevel("a slip", _slip("postcode")),
        AgreementLevel("same start", "left(postcode_l, 2) = left(postcode_r, 2)"),
    ),
    "city": _plain(
        "city",
        AgreementLevel("a slip or spelt alike", f"{_edits('city', 1)} or {_jaro('city', 0.9)}"),
        AgreementLevel("somewhat alike", _jaro("city", 0.8)),
    ),
    "province": _plain("province"),
    "birth_place": _plain("birth_place", AgreementLevel("spelt alike", _jaro("birth_place", 0.9))),
    "occupation": _plain("occupation", AgreementLevel("spelt alike", _jaro("occupation", 0.85))),
}


_UNKNOWN = 1e-3


def write_frequencies(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], learned: "pa.Table | None"
) -> None:
    """Make the `term_frequencies` of each field's values in PERSONS, as Splink reads them.

    Those `learned` earlier stand (`field`, `value`, `frequency`), and a value that is new since counts as one seen
    once, so that what comes later never changes what a pair weighs.
    """
    if learned is not None:
        connection.register("learned", learned)
    for field in (one.field for one in compared if one.by_frequency):
        rows = f"""select {field}, count(*) / (select count({field}) from {PERSONS})::double as tf_{field}
                   from {PERSONS} where {field} is not null group by {field}"""
        if learned is not None:
            once = f"(select coalesce(min(frequency), {_UNKNOWN}) from learned where field = '{field}')"
            rows = f"""
                with old as (select value, frequency from learned where field = '{field}')
                select distinct {field}, coalesce(frequency, {once}) as tf_{field}
                from {PERSONS} left join old on value = {field} where {field} is not null"""
        term_frequencies(field).create_table(connection, rows)
    if learned is not None:
        connection.unregister("learned")


def frequencies(connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...]) -> "pa.Table":
    """Return the frequencies in use: one row per (field, value), `frequency` in (0, 1]."""
    parts = [
        f"select '{field}' as field, {field} as value, tf_{field} as frequency from {term_frequencies(field)}"
        for field in (one.field for one in compared if one.by_frequency)
    ]
    nothing = "select '' as field, '' as value, 1e0 as frequency where false"
    return connection.sql(" union all ".join([nothing, *parts]) + " order by 1, 2").to_arrow_table()
