"""Person records in one spelling: names, e-mails, phones, dates and addresses as the matcher compares them.

Columns are recognised by their names; whatever subset is present is standardised, the rest is left alone.
Text is cleaned column by column with Arrow's kernels; a phone is parsed once per distinct spelling.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sintonia.errors import InputError, hint
from sintonia.identity.fields import PATTERNS, recognise

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_TITLES = (
    r"^(mr|mrs|ms|miss|mx|dr|prof|rev|sir|sig ra|sigra|sigg|sig|signora|signor|dott ssa|dottssa|dott|dottor"
    r"|dottoressa|avv|ing|geom|rag)\s+"
)
_MISSING = ["", "nan", "none", "null", "na", "n a", "nd", "unknown", "missing", "test", "xxx"]
_SEXES = {"m": "m", "male": "m", "man": "m", "maschio": "m", "uomo": "m", "f": "f", "female": "f"}
_SEXES |= {"w": "f", "woman": "f", "femmina": "f", "donna": "f"}


def standardise(
    records: "pa.Table", fields: Mapping[str, str] | None = None, region: str = "IT"
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

    Returns
    -------
    Text columns, null where unknown: `record_id` and those of `first_name, last_name, sex, birth_date` (ISO
    when it is a date), `birth_place, email, phone` (E.164 when it is a number), `street, street_2,
    street_number, postcode, city, province, national_id, occupation` for which there was a column.

    Raises
    ------
    InputError
        When a field or column is unknown, no field is recognised, or a record id is missing or repeated.
    """
    known = _checked(records, fields)
    raw = {field: records.column(column) for field, column in known.items()}
    ready = {"record_id": _record_ids(raw.pop("record_id", None), records.num_rows)}
    text = {field: _text(column) for field, column in raw.items()}
    ready |= _names(text)
    ready |= {"birth_date": date} if (date := _birth_date(text)) is not None else {}
    if "sex" in text:
        ready["sex"] = _by_value(_words(text["sex"]), lambda value: _SEXES.get(value))
    if "email" in text:
        ready["email"] = _email(text["email"])
    if "phone" in text:
        ready["phone"] = _by_value(text["phone"], _phone_reader(region))
    for field in ("birth_place", "street", "street_2", "city", "province", "country", "occupation"):
        if field in text:
            ready[field] = _known(_words(text[field]))
    for field in ("street_number", "postcode", "national_id"):
        if field in text:
            ready[field] = _known(_squeezed(text[field]))
    import pyarrow as pa

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


def _text(column: "pa.ChunkedArray") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.utf8_trim_whitespace(whole.cast(pa.string()))


def _plain(text: "pa.Array") -> "pa.Array":
    """Return the text in lower case without accents (NFKD, marks dropped)."""
    import pyarrow.compute as pc

    parts = pc.utf8_normalize(pc.utf8_lower(text), form="NFKD")
    return pc.replace_substring_regex(parts, r"\p{M}+", "")


def _words(text: "pa.Array") -> "pa.Array":
    """Return the words of the text, letters and digits only; an apostrophe joins (D'Angelo is dangelo)."""
    import pyarrow.compute as pc

    joined = pc.replace_substring_regex(_plain(text), "['`\u2019\u00b4]", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(joined, r"[^\p{L}\p{N}]+", " "))


def _squeezed(text: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc

    return pc.replace_substring_regex(_plain(text), r"[^\p{L}\p{N}]+", "")


def _known(text: "pa.Array") -> "pa.Array":
    """Return the text with the words that stand for a missing value set to null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(text, pa.array(_MISSING)), pa.scalar(None, pa.string()), text)


def _by_value(text: "pa.Array", change: Callable[[str], str | None]) -> "pa.Array":
    """Return the text changed value by value, each distinct value once."""
    import pyarrow as pa

    coded = text.dictionary_encode()
    changed = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)


def _names(text: Mapping[str, "pa.Array"]) -> dict[str, "pa.Array"]:
    import pyarrow.compute as pc

    first, last = (_name(text[field]) if field in text else None for field in ("first_name", "last_name"))
    if "full_name" in text and (first is None or last is None):
        whole_first, whole_last = _split(text["full_name"])
        first = whole_first if first is None else first
        last = whole_last if last is None else last
    if first is None or last is None:
        return {
            name: value for name, value in (("first_name", first), ("last_name", last)) if value is not None
        }
    swapped = _swapped(first, last)
    return {
        "first_name": pc.if_else(swapped, last, first),
        "last_name": pc.if_else(swapped, first, last),
    }


def _name(text: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc

    return _known(pc.replace_substring_regex(_words(text), _TITLES, ""))


def _split(full: "pa.Array") -> tuple["pa.Array", "pa.Array"]:
    """Return first and last names of full ones: 'Rossi, Maria' and 'Maria Rossi' are the same person."""
    import pyarrow.compute as pc

    turned = pc.replace_substring_regex(full, r"^\s*([^,]+?)\s*,\s*([^,]+?)\s*$", r"\2 \1")
    name = _name(turned)
    first = pc.replace_substring_regex(name, r"^(\S+)(\s.*)?$", r"\1")
    last = pc.if_else(
        pc.match_substring(name, " "), pc.replace_substring_regex(name, r"^.*\s(\S+)$", r"\1"), None
    )
    return first, last


def _swapped(first: "pa.Array", last: "pa.Array") -> "pa.Array":
    """Return where the two names stand in each other's place, as the rest of the table uses them.

    A name seen n times as a first and m times as a last name speaks for its place by log((n + 1/2) / (m +
    1/2)); the record itself is left out of both counts, and only a clear surplus (a factor of 20) turns names
    round.
    """
    import numpy as np
    import pyarrow as pa

    firsts, lasts = first.to_pandas(), last.to_pandas()
    surplus = _elsewhere(firsts, lasts) + _elsewhere(lasts, firsts)
    return pa.array(surplus > np.log(20))


def _elsewhere(names: "pd.Series[str]", others: "pd.Series[str]") -> "NDArray[np.float64]":
    """Return the log odds that each name belongs among the others; 0 where it is missing."""
    import numpy as np

    columns = (names.value_counts(), others.value_counts())
    here, there = (names.map(counts).to_numpy(np.float64, na_value=0) for counts in columns)
    odds: NDArray[np.float64] = np.log((there + 0.5) / (np.maximum(here - 1, 0) + 0.5))
    return np.where(names.isna().to_numpy(), 0.0, odds)


def _email(text: "pa.Array") -> "pa.Array":
    """Return addresses in lower case without a +tag; one without an @ is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.replace_substring_regex(_plain(text), r"\s+|^mailto:|\+[^@]*(@)", r"\1")
    return pc.if_else(pc.match_substring_regex(plain, r"^[^@]+@[^@]+$"), plain, pa.scalar(None, pa.string()))


def _phone_reader(region: str) -> Callable[[str], str | None]:
    """Return the function from a number as written to E.164, to its digits when it is none, or to null.

    What fits phonenumbers' national pattern of the region needs no parsing, which costs twenty times as much.
    """
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region.upper())
    if metadata is None:
        raise InputError(
            f"Unknown region '{region}' of phone numbers; give a country as two letters, such as IT."
        )
    pattern = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    fits = re.compile(str(pattern or r"\b\B")).fullmatch  # without a pattern nothing fits
    code, trunk = str(metadata.country_code), metadata.national_prefix or ""

    def read(value: str) -> str | None:
        written = re.sub(r"\(0\)|[^\d+]", "", value)
        digits = written.replace("+", "")
        if len(digits) < 6 or len(set(digits)) == 1:
            return None
        national = re.sub(rf"^(\+|00){code}", "", written)
        national = national.removeprefix(trunk) if national == written else national
        if fits(national):
            return f"+{code}{national}"
        try:
            parsed = phonenumbers.parse(written, region.upper())
        except phonenumbers.NumberParseException:
            return digits
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    return read


def _birth_date(text: Mapping[str, "pa.Array"]) -> "pa.Array | None":
    import pyarrow.compute as pc

    if "birth_date" in text:
        return _by_value(text["birth_date"], _iso_date)
    if "birth_year" not in text:
        return None
    parts = [text["birth_year"]] + [
        pc.utf8_lpad(text[part], 2, "0") for part in ("birth_month", "birth_day") if part in text
    ]
    return _by_value(pc.binary_join_element_wise(*parts, "-"), _iso_date)


def _iso_date(value: str) -> str | None:
    """Return a date as 1984-05-31, read year first or day first; what is no date keeps its digits.

    Examples
    --------
    >>> [_iso_date(text) for text in ("19840531", "31/05/1984", "5/31/1984", "1984-05-31 00:00", "?")]
    ['1984-05-31', '1984-05-31', '1984-05-31', '1984-05-31', None]
    """
    parts = re.match(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})(?:\D|$)", value)
    if parts:
        year, month, day = parts.groups()
    elif parts := re.match(r"(\d{1,2})\D(\d{1,2})\D(\d{4})(?:\D|$)", value):
        day, month, year = parts.groups()
    else:
        return re.sub(r"\D", "", value) or None
    if int(month) > 12 >= int(day):
        month, day = day, month
    return f"{year}-{month:0>2}-{day:0>2}"
