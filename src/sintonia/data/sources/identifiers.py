r"""Identifiers in one spelling, for silos, lists and contact data, and what stands for none of them.

- White space of any Unicode kind and invisible characters around it are no part of an identifier.
- Whole numbers have no point: `1001.0`, as programs write a column of floats, is 1001.
- E-mail addresses are in lower case, without `mailto:` and `<>`. Their domains are in ASCII (RFC 3490), so that no
  accent is lost: exämple.org is xn--exmple-cua.org, and not example.org.
- A number that a spreadsheet shortened (`3.93331E+11`) has lost its digits and identifies nobody.
- Nor do placeholders: `NULL`, `N/A`, `-`, `0`, `unknown`, `test@test.com` and others.

What SQL can tell is written as it should be (`needs_no_change`) stays there; only other texts come to Python.
"""

import re
import unicodedata
from collections.abc import Collection

import duckdb
from duckdb.func import FunctionNullHandling

from sintonia.data.sources.reader import literal
from sintonia.data.sources.values import BLANKS, INVISIBLE

EMAIL, PHONE = "email", "phone"

PLACEHOLDERS = frozenset((
    "null", "(null)", "<null>", "[null]", "\\n", "n/a", "#n/a", "n.a.", "n.a", "na", "<na>", "n/d", "n.d.", "nd",
    "nan", "nat", "none", "nil", "undefined", "unknown", "(unknown)", "missing", "empty", "(empty)", "not available",
    "not applicable", "test", "xxx", "sconosciuto", "sconosciuta", "nessuno", "nessuna", "non disponibile", "vuoto",
    "anonymous", "anonimo",
))  # fmt: skip
"""What is written where there is no identifier, in lower case; `source.placeholders` adds to it."""

_SYMBOLS_AND_ZEROS = r"""[-+_.,/\\*#?!~=()'" 0]+"""
_FIRST_OF_A_SEQUENCE = "0{2,4}"  # card 0000 before card 0001; longer zeros fill a field
_WITHOUT = r"(?:no|non|not|senza|sin|sans)"
_THING = r"(?:e?-?mail|address|indirizzo|given|provided|available|ha)"
_NOBODY = r"(?:null|none|n\.a\.?|unknown|undefined|missing|nessuno|nessuna|anonymous|anonimo|[-_0]+|x{3,})"
_TRIED = r"(?:test|prova|fake|dummy|asd)"
PLACEHOLDER_ADDRESS = rf"(?:{_WITHOUT}[-_.]?{_THING}\d*|{_NOBODY})@.*|{_TRIED}\d*@{_TRIED}\.[a-z]{{2,}}"
"""Addresses of nobody: noemail@..., null@..., test@test.com."""

_ONE_DIGIT = "|".join(rf"\D*{digit}[\D{digit}]*" for digit in range(1, 10))
"""Telephone numbers of one digit only."""

SHORTENED = r"[-+]?\d(?:[.,]\d+[eE]\+?|[.,]?[eE]\+)\d{1,3}"
"""A number whose last digits are gone, as spreadsheets show long ones."""

_WITH_POINT = r"([-+]?\d+)[.,]00?"
_CODE = r"\+?[0-9A-Za-z][0-9A-Za-z _-]*[1-9][0-9A-Za-z _-]*[0-9A-Za-z]"
"""Letters and digits, with one that is not zero in between."""

EXACT_IN_FLOATS = {"DOUBLE": 2**53, "FLOAT": 2**24}
"""Above these, whole numbers are rounded in floats of 64 and of 32 bits."""


def trimmed(text: str) -> str:
    r"""Return the text without white space and invisible characters around it.

    Examples
    --------
    >>> trimmed("\ufeff ann@example.org\u00a0\t")
    'ann@example.org'
    """
    return text.strip(BLANKS)


def without_point(text: str) -> str:
    """Return a whole number as it is written without a point, other text as it is.

    Examples
    --------
    >>> without_point("1001.0"), without_point("1001.5"), without_point("1.000"), without_point("A1.0")
    ('1001', '1001.5', '1.000', 'A1.0')
    """
    match = re.fullmatch(_WITH_POINT, text)
    return match[1] if match else text


def is_shortened(text: str) -> bool:
    """Return whether a number has lost digits: to a spreadsheet, or as a float above 2^53.

    Examples
    --------
    >>> is_shortened("3.93331E+11"), is_shortened("9007199254740994.0"), is_shortened("393331234567")
    (True, True, False)
    """
    if re.fullmatch(SHORTENED, text):
        return True
    match = re.fullmatch(_WITH_POINT, text)
    return match is not None and abs(int(match[1])) > EXACT_IN_FLOATS["DOUBLE"]


def is_placeholder(kind: str, text: str, more: Collection[str] = ()) -> bool:
    """Return whether a trimmed text stands for no identifier; `more` placeholders are in lower case.

    Examples
    --------
    >>> [is_placeholder("card", text) for text in ("NULL", "n/a", "-", "000-0000", "K1")]
    [True, True, True, True, False]
    >>> is_placeholder("email", "NoEmail@example.org"), is_placeholder("email", "noemi@example.org")
    (True, False)
    """
    lower = text.lower()
    if lower in PLACEHOLDERS or lower in more:
        return True
    if re.fullmatch(_SYMBOLS_AND_ZEROS, text) and not re.fullmatch(_FIRST_OF_A_SEQUENCE, text):
        return True
    if kind == EMAIL:
        return re.fullmatch(PLACEHOLDER_ADDRESS, lower) is not None
    return kind == PHONE and re.fullmatch(_ONE_DIGIT, text) is not None and sum(map(str.isdigit, text)) > 5


def email_address(text: str) -> str:
    """Return an e-mail address in lower case, bare, with its domain in ASCII; a text without an @ in lower case.

    Examples
    --------
    >>> [email_address(text) for text in ("<Ann@Example.org>", "mailto:ann@exämple.org", "ann@XN--EXMPLE-CUA.org")]
    ['ann@example.org', 'ann@xn--exmple-cua.org', 'ann@xn--exmple-cua.org']
    """
    bare = unicodedata.normalize("NFC", text.translate(_NO_INVISIBLE)).lower()
    named = re.fullmatch(r"[^<>]*<([^<>]*@[^<>]*)>", bare)
    bare = (named[1] if named else bare).strip(BLANKS).removeprefix("mailto:").strip(BLANKS)
    name, at, domain = bare.rpartition("@")
    return f"{name}@{ascii_domain(domain)}" if at else bare


_NO_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))


def ascii_domain(domain: str) -> str:
    """Return a domain's ASCII form, as the domain name system has it; what can be none stays as it is.

    Examples
    --------
    >>> ascii_domain("exämple.org"), ascii_domain("straße.example"), ascii_domain("a..b")
    ('xn--exmple-cua.org', 'xn--strae-oqa.example', 'a..b')
    """
    if domain.isascii():
        return domain.lower()
    parts = re.split("[.\u3002\uff0e\uff61]", domain)
    return ".".join(map(_ascii_label, parts))


def _ascii_label(label: str) -> str:
    label = label.lower()
    try:
        # The codec follows RFC 3490, which writes ss for the letter that RFC 5891 tells from it.
        if re.search("[\u00df\u03c2]", label):
            return "xn--" + unicodedata.normalize("NFC", label).encode("punycode").decode("ascii")
        return label.encode("idna").decode("ascii")
    except UnicodeError:
        return label


def identifier(kind: str, text: str, more: Collection[str] = ()) -> str | None:
    """Return an identifier of this kind in the spelling in which it is stored and looked up; None if it is none.

    Examples
    --------
    >>> identifier("card", " 1001.0 "), identifier("card", "N/A"), identifier("phone", "3.93331E+11")
    ('1001', None, None)
    """
    bare = trimmed(text)
    spelt = email_address(bare) if kind == EMAIL else without_point(bare)
    if not spelt or is_placeholder(kind, spelt, more) or is_shortened(bare):
        return None
    return spelt


def earlier_spelling(kind: str, text: str) -> str:
    """Return an identifier as stores had it before they had one spelling: trimmed, e-mail addresses in lower case.

    Examples
    --------
    >>> earlier_spelling("email", " NoEmail@x.org"), earlier_spelling("card", "1001.0 ")
    ('noemail@x.org', '1001.0')
    """
    bare = text.strip()
    return bare.lower() if kind == EMAIL else bare


def written_forms(kind: str, text: str) -> list[str]:
    """Return the forms in which files write an identifier, the spelling of `identifier` first.

    Examples
    --------
    >>> written_forms("card", "1001"), written_forms("email", "ann@xn--exmple-cua.org")
    (['1001', '1001.0', '1001.00', '1001,0', '1001,00'], ['ann@xn--exmple-cua.org', 'ann@exämple.org'])
    """
    if kind != EMAIL:
        whole = re.fullmatch(r"[-+]?\d+", text) is not None
        return [text, *(f"{text}{end}" for end in (".0", ".00", ",0", ",00") if whole)]
    name, _, domain = text.rpartition("@")
    labels = [_unicode_label(label) for label in domain.split(".")]
    return list(dict.fromkeys([text, f"{name}@{'.'.join(labels)}" if name else text]))


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label


FUNCTION = "identifier_spelling"


def register(connection: duckdb.DuckDBPyConnection, more: Collection[str]) -> None:
    """Make `identifier` a function of the engine's, with a source's own placeholders."""
    in_lower_case = frozenset(trimmed(text).lower() for text in more)

    def spelling(kind: str, text: str | None) -> str | None:
        return None if text is None else identifier(kind, text, in_lower_case)

    known = connection.execute(
        "SELECT 1 FROM duckdb_functions() WHERE function_name = ? LIMIT 1", [FUNCTION]
    ).fetchall()
    if known:
        connection.remove_function(FUNCTION)
    connection.create_function(
        FUNCTION, spelling, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling=FunctionNullHandling.SPECIAL
    )


def spelling_sql(kind: str, text: str, more: Collection[str]) -> str:
    """Return the SQL of `identifier` of a text, for a connection in which it is registered."""
    return f"""CASE WHEN {text} IS NULL THEN NULL WHEN {needs_no_change(kind, text, more)}
        THEN {f"LOWER({text})" if kind == EMAIL else text}
        ELSE {FUNCTION}({literal(kind)}, {text}) END"""


def needs_no_change(kind: str, text: str, more: Collection[str]) -> str:
    """Return the SQL of whether a text is as `identifier` spells it, but for the case of an e-mail address.

    It may be false of a text that is, and is never true of one that is not.
    """
    own = {trimmed(word).lower() for word in more}
    every = ", ".join(map(literal, sorted({*PLACEHOLDERS, *own})))
    lower = f"LOWER({text})"
    not_own = f"AND {lower} NOT IN ({', '.join(map(literal, sorted(own)))})" if own else ""
    not_one_digit = f"AND NOT REGEXP_FULL_MATCH({text}, {literal(_ONE_DIGIT)})" if kind == PHONE else ""
    # Most are letters and digits: one pattern tells that they are neither a word, nor zeros, nor a decimal number.
    usual = f"""(REGEXP_FULL_MATCH({text}, {literal(_CODE)}) {not_own}
        OR REGEXP_FULL_MATCH({text}, {literal("[!-~](?:[ -~]*[!-~])?")}) AND {lower} NOT IN ({every})
        AND NOT REGEXP_FULL_MATCH({text}, {literal(f"{_SYMBOLS_AND_ZEROS}|{SHORTENED}|{_WITH_POINT}")}))
        {not_one_digit}"""
    if kind != EMAIL:
        return f"({usual})"
    return f"""(REGEXP_FULL_MATCH({lower}, {literal("[a-z0-9!#$%&*+/=?^_{|}~.-]+@[a-z0-9.-]*[a-z0-9]")})
        AND NOT REGEXP_FULL_MATCH({lower}, {literal(PLACEHOLDER_ADDRESS)}) {not_own}
        OR NOT CONTAINS({text}, '@') AND NOT CONTAINS({lower}, 'mailto:') AND {usual})"""
