"""Person records in one spelling: names, e-mails, phones, dates and addresses as the matcher compares them.

Columns are recognised by their names; whatever subset is present is standardised, the rest is left alone.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from sintonia.core.errors import InputError, hint
from sintonia.data.identity import spelling
from sintonia.data.identity.addresses import address
from sintonia.data.identity.contact_points import email, phone_reader
from sintonia.data.identity.dates import read_birth_date
from sintonia.data.identity.fields import PATTERNS, recognise
from sintonia.data.identity.naming import names

if TYPE_CHECKING:
    import pyarrow as pa

_SEXES = {"m": "m", "male": "m", "man": "m", "maschio": "m", "uomo": "m", "f": "f", "female": "f"}
_SEXES |= {"w": "f", "woman": "f", "femmina": "f", "donna": "f"}


def standardise(
    records: "pa.Table",
    fields: Mapping[str, str] | None = None,
    region: str = "IT",
    seen: "pa.Table | None" = None,
) -> "pa.Table":
    """Return one row per record, in the same order, with each field present in its standard spelling.

    Parameters
    ----------
    records
        One row per person record.
    fields
        Field to column, as `recognise` gives it (the default) or a correction of it: `{"city": "suburb"}`.
    region
        Country of phone numbers written without a country code, as two letters.
    seen
        Frequencies of names (`field`, `value`, `frequency`) by which first and last names are told apart; those
        of the records themselves when none are given.

    Returns
    -------
    Text columns, null where unknown: `record_id` and those of `first_name, last_name, birth_date` (ISO when it
    is a date), `sex, email, phone` (E.164 when it is a number), `street, street_2, street_number,
    birth_place, city, province, country, occupation, postcode, national_id` for which something was given.
    `first_name_forms` is a list of text: the names that the first name may be short for.

    Raises
    ------
    InputError
        When a field or column is unknown, no field is recognised, or a record id is missing or repeated.
    """
    import pyarrow as pa

    columns = _checked(records, fields)
    raw = {field: records.column(column) for field, column in columns.items()}
    ready = {"record_id": _record_ids(raw.pop("record_id", None), records.num_rows)}
    text = {field: spelling.text(column) for field, column in raw.items()}
    ready |= names(text, seen)
    ready |= {"birth_date": written} if (written := _birth_date(text)) is not None else {}
    if "sex" in text:
        ready["sex"] = spelling.by_value(spelling.words(text["sex"]), lambda value: _SEXES.get(value))
    if "email" in text:
        ready["email"] = email(text["email"])
    if "phone" in text:
        ready["phone"] = spelling.by_value(text["phone"], phone_reader(region))
    ready |= address(text)
    for field in ("birth_place", "city", "province", "country", "occupation"):
        if field in text:
            ready[field] = spelling.known(spelling.words(text[field]))
    for field in ("postcode", "national_id"):
        if field in text:
            ready[field] = spelling.known(spelling.squeezed(text[field]))
    return pa.table(ready)


def _checked(records: "pa.Table", fields: Mapping[str, str] | None) -> dict[str, str]:
    known = recognise(records.column_names)
    for field, column in (fields or {}).items():
        if field not in PATTERNS:
            raise InputError(f"Unknown field '{field}'; {hint(field, PATTERNS)}")
        if column not in records.column_names:
            raise InputError(
                f"No column '{column}' for the field {field}; {hint(column, records.column_names)}"
            )
        known = {f: c for f, c in known.items() if c != column} | {field: column}
    if not set(known) - {"record_id"}:
        found = ", ".join(records.column_names[:20])
        raise InputError(f"No field of a person recognised among the columns {found}; name some in `fields`.")
    return known


def _record_ids(column: "pa.ChunkedArray | None", rows: int) -> "pa.ChunkedArray | pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None:
        return pa.array(range(rows), pa.int64()).cast(pa.string())
    ids = column.cast(pa.string())
    if ids.null_count or pc.count_distinct(ids).as_py() != rows:
        raise InputError(
            f"The record ids are not unique: {rows} records, {pc.count_distinct(ids).as_py()} different ids, "
            f"{ids.null_count} missing. Give a column of unique ids, or none."
        )
    return ids


def _birth_date(text: Mapping[str, "pa.Array"]) -> "pa.Array | None":
    import pyarrow.compute as pc

    today = date.today()
    if "birth_date" in text:
        return spelling.by_value(text["birth_date"], lambda value: read_birth_date(value, today))
    if "birth_year" not in text:
        return None
    parts = [text["birth_year"]] + [
        pc.utf8_lpad(text[part], 2, "0") for part in ("birth_month", "birth_day") if part in text
    ]
    joined = pc.binary_join_element_wise(*parts, "-")
    return spelling.by_value(joined, lambda value: read_birth_date(value, today))
