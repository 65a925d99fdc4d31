"""Numbers as people of a language write them: many at once, each different one written once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Texts
from sintonia.explain.reasons.texts import LanguageTexts

SHARE_UNITS = ("share", "probability")
TENTHS = 10
WHOLE_FROM = {"days": 2}
"""By unit from where on a decimal says nothing that matters to a reader; of the others, from 10."""


def format_numbers(values: NDArray[Any], unit: str, words: LanguageTexts) -> Texts:
    """Return numbers in words, without their unit: money with two decimals, shares in per cent, days whole.

    Money comes in cents and goes out in the coin they are hundredths of. Bits, the evenness of a mix, go out as of how
    many things, all alike, the mix would be as even. None of the values is missing.

    Examples
    --------
    >>> from sintonia.explain.reasons.texts import read_texts
    >>> format_numbers(np.array([123456.0]), "cents", read_texts("it")).tolist()
    ['1.234,56']
    >>> format_numbers(np.array([0.347, 0.004]), "share", read_texts("en")).tolist()
    ['35 %', '0.4 %']
    >>> format_numbers(np.array([0.5, 3.4, 74.3]), "days", read_texts("en")).tolist()
    ['0.5', '3', '74']
    """
    keys, write = _rounded(np.asarray(values, np.float64), unit, words)
    distinct, index = np.unique(keys, return_inverse=True)
    written = np.array([write(int(key)) for key in distinct], object)
    return np.asarray(written[index.ravel()], object)


def with_unit(numbers: Texts, unit: str, words: LanguageTexts) -> Texts:
    """Return numbers with what they count, of one in the singular; those that say their unit already stay.

    Examples
    --------
    >>> from sintonia.explain.reasons.texts import read_texts
    >>> with_unit(np.array(["1", "2,5"], object), "days", read_texts("it")).tolist()
    ['1 giorno', '2,5 giorni']
    """
    if unit not in words.units:
        return numbers
    singular, plural = words.units[unit]
    names = np.where(numbers == "1", singular, plural).astype(object)
    return np.asarray(numbers + " " + names, object)


def _rounded(
    values: Floats, unit: str, words: LanguageTexts
) -> tuple[NDArray[np.int64], Callable[[int], str]]:
    """Return each value as a whole number to the precision it is told in, and how such a number is written."""
    if unit == "cents":
        return _to_integers(values), lambda cents: _decimal_text(cents / 100, 2, words)
    if unit in SHARE_UNITS:
        per_cent = 100 * values
        small = (np.abs(per_cent) < 1) & (per_cent != 0)
        return _to_integers(np.where(small, TENTHS * per_cent, TENTHS * np.round(per_cent))), (
            lambda tenths: f"{_tenths_text(tenths, words)} %"
        )
    if unit == "yes or no":
        return _to_integers(values != 0), lambda yes: words.yes_and_no[0 if yes else 1]
    if unit == "hour of the day":
        return _to_integers(values), lambda hour: f"{hour}:00"
    if unit in ("weekday", "place"):
        names = words.weekdays if unit == "weekday" else words.moments
        return _to_integers(values), lambda index: names[index]
    if unit in ("-1 to 1", "difference"):
        return _to_integers(100 * values), lambda hundredths: _decimal_text(hundredths / 100, 2, words)
    number = np.exp2(values) if unit == "bits" else values
    small_number = np.abs(number) < WHOLE_FROM.get(unit, 10)
    return _to_integers(np.where(small_number, TENTHS * number, TENTHS * np.round(number))), (
        lambda tenths: _tenths_text(tenths, words)
    )


def _to_integers(values: NDArray[Any]) -> NDArray[np.int64]:
    return np.round(values).astype(np.int64)


def _tenths_text(tenths: int, words: LanguageTexts) -> str:
    """Return a number of tenths: with a decimal only where it has one."""
    return _decimal_text(tenths / TENTHS, 1 if tenths % TENTHS else 0, words)


def _decimal_text(value: float, decimals: int, words: LanguageTexts) -> str:
    text = f"{value:,.{decimals}f}"
    return text.translate({ord(","): words.thousands, ord("."): words.decimal})
