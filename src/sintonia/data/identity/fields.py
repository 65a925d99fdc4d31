"""Which column of a table holds which field of a person, told by its name in English or Italian."""

import re
from collections.abc import Sequence

PATTERNS: dict[str, str] = {
    "record_id": r"unique_?id|rec(ord)?_?id|row_?id|person_?id|customer_?id|contact_?id|crm_?id|id",
    "full_name": r"full_?name|name|first_and_surname|nominativo|complete_name|nome_e?_?cognome",
    "first_name": r"(first|given|fore|christian)_?names?|fname(_c1)?|name_first|nome|vorname|prenom|nombre",
    "last_name": r"(last|family|sur)_?names?|lname(_c1)?|name_last|cognome|nachname|apellidos?",
    "birth_date": r"dob|birth_?date|date_?of_?birth|birth_?day|born(_on)?|data_(di_)?nascita",
    "birth_year": r"birth_?year|year_of_birth|yob|by",
    "birth_month": r"birth_?month|month_of_birth|bm",
    "birth_day": r"day_of_birth|bd",
    "birth_place": r"(birth_?place|place_?of_?birth|pob|(luogo|comune)_(di_)?nascita)",
    "sex": r"sex|gender|sesso",
    "email": r"e_?mail(_?addr(ess)?)?",
    "phone": r"(tele)?phone(_?(number|no|nr))?|tel|mobile(_?(phone|number|no))?|cell(_?phone)?"
    r"|telefono|cellulare",
    "street_number": r"(street|house|building)_?(number|no|nr|num)|numero_civico|civico",
    "street": r"street(_?(name|address))?|addr(ess)?(_?(line)?_?1)?|street_?(line)?_?1|indirizzo|via|road",
    "street_2": r"(addr(ess)?|street)_?(line)?_?2",
    "postcode": r"post_?code|postal_?code|zip(_?code)?|cap|plz",
    "city": r"city|town|suburb|municipality|locality|village|comune|citta",
    "province": r"state|province|provincia|county|region|regione",
    "country": r"country(_?code)?|nazione|paese",
    "national_id": r"ssn|soc(ial)?_?sec(urity)?(_?(id|no|nr|num|number))?|national_?(id|insurance)(_?number)?"
    r"|nhs(_?(no|number))?|nino|tax_?(id|code)|codice_?fiscale|passport(_?(no|number))?",
    "occupation": r"occupation|job(_?title)?|profession(e)?",
}
"""Which column names mean which field, as whole names in lower case with underscores."""

_NOISE = r"(customer|client|person|user|contact|member|patient|home|primary|main|fake|raw|clean|std)"


def recognise(columns: Sequence[str]) -> dict[str, str]:
    """Return which of the columns holds which field, by their names; the first fitting column wins.

    A name that fits as a whole goes before one that fits without its decoration (`customer_email`,
    `postcode_fake`); separators and capitals do not matter.

    Examples
    --------
    >>> recognise([" given_name", "Surname", "postcode_fake", "shoe size"])
    {'first_name': ' given_name', 'last_name': 'Surname', 'postcode': 'postcode_fake'}
    """
    spelt = {column: _snake(column) for column in columns}
    bare = {column: re.sub(rf"(^|_){_NOISE}(?=_|$)", "", name).strip("_") for column, name in spelt.items()}
    found: dict[str, str] = {}
    for names in (spelt, bare):
        for column, name in names.items():
            field = next((f for f, p in PATTERNS.items() if re.fullmatch(p, name)), None)
            if field and field not in found and column not in found.values():
                found[field] = column
    if "birth_year" in found and bare.get(found.get("birth_date", "")) == "birth_day":  # not a birthday
        found["birth_day"] = found.pop("birth_date")
    return {field: found[field] for field in PATTERNS if field in found}


def _snake(column: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
