"""E-mails and phones as compared: what a provider ignores is dropped, numbers are E.164."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sintonia.core.errors import InputError
from sintonia.data.identity import spelling

if TYPE_CHECKING:
    import pyarrow as pa


def email(written: "pa.Array") -> "pa.Array":
    """Return addresses in lower case without a +tag; one without an @ is missing.

    Google reads no dots before the @ and owns googlemail.com; elsewhere dots tell people apart. A misspelt
    domain stays: the comparison allows two slips, and a rule could turn a real domain into another.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    bare = pc.replace_substring_regex(spelling.fold_case(written), r"\s+|^mailto:|\+[^@]*(@)", r"\1")
    bare = pc.replace_substring_regex(bare, r"@googlemail\.com$", "@gmail.com")
    google = pc.match_substring_regex(bare, r"[^@.]\.*@gmail\.com$")
    name = pc.replace_substring(pc.replace_substring_regex(bare, r"@gmail\.com$", ""), ".", "")
    bare = pc.if_else(google, pc.binary_join_element_wise(name, "gmail.com", "@"), bare)
    return pc.if_else(pc.match_substring_regex(bare, r"^[^@]+@[^@]+$"), bare, pa.scalar(None, pa.string()))


def phone_reader(region: str) -> Callable[[str], str | None]:
    """Return the function from a number as written to E.164, to its digits when it is none, or to null.

    What fits phonenumbers' national pattern of the region needs no parsing, which costs twenty times as much.

    Raises
    ------
    InputError
        When the region is no country of two letters.
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
