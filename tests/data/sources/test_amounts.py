# ruff: noqa: RUF001
"""Amounts as people write them: read whole or the row is rejected, and in one currency."""

import math

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import build_store
from data.sources.small import HEADER, TILL, mapped
from sintonia.core.errors import ConfigError, InputError
from sintonia.data.sources import values
from sintonia.data.sources.mapping import Money


def read(texts, decimal="."):
    """Return texts as numbers."""
    with duckdb.connect() as connection:
        connection.register("cells", pa.table({"cell": pa.array(texts, pa.string())}))
        trimmed = f"SELECT {values.trimmed('cell')} AS cell FROM cells"
        rows = connection.execute(f"SELECT {values.number('cell', decimal)} FROM ({trimmed})").fetchall()
    return [number for (number,) in rows]


def sold(folder, *amounts, kind="purchase", **changes):
    """Return what becomes of rows with these amounts."""
    rows = "".join(f'{at},C1,2026-01-02,{kind},"{amount}",a\n' for at, amount in enumerate(amounts))
    return mapped(folder, HEADER + rows, **changes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.50", 12.5), ("1,234.56", 1234.56), ("1,234,567", 1234567), ("0.005", 0.005), (".5", 0.5), ("12.", 12),
        ("$149.00", 149), ("149.00 $", 149), ("($59.00)", -59), ("-$59", -59), ("$-59", -59), ("59.00-", -59),
        ("−5", -5), ("–5", -5), ("+5", 5), ("1'234.50", 1234.5), ("1 234.50", 1234.5), ("1\u202f234.50", 1234.5),
        ("CHF 12.00", 12), ("12 EUR", 12), ("US$ 5", 5), ("5 kr.", 5), ("5 zł", 5), ("EUR -3", -3), ("(5) EUR", -5),
        ("\u00a05\u00a0", 5), ("1e3", 1000), ("1.5E+02", 150), ("", None), ("  ", None), ("n/a", None), ("-", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text, value):
    assert read([text]) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "12,50", "1.234,56", "1,2,3", "1,,0", "0,123", "12 ABC", "NaN", "inf", "(-5)", "--5", "1 2", "5%", "59.-",
        "1.234.567", "1_000", "12.5.0", "5 or 6", "$", "1,2345", "0x10", "12-50", "free",
    ],
)  # fmt: skip
def test_what_is_not_one_number_is_not_understood(text):
    assert math.isnan(read([text])[0])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=50), st.sampled_from([".", ","]))
def test_what_python_writes_with_groups_of_three_is_read_back(amounts, decimal):
    other = "," if decimal == "." else "."
    texts = [f"{amount:,.2f}".translate({ord(","): other, ord("."): decimal}) for amount in amounts]
    assert read(texts, decimal) == [float(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("amounts", "cents"),
    [
        (["12,50", "1.234,56", "7"], [1250, 123456, 700]),
        (["12.50", "1,234.56", "7"], [1250, 123456, 700]),
        (["1.234", "12,50"], [123400, 1250]),
        (["1,234", "12.50"], [123400, 1250]),
        (["1.234.567", "5"], [123456700, 500]),
        (["0,123", "1,234"], [12, 123]),
        (["€ 12,50", "(€ 3,00)"], [1250, -300]),
    ],
)
def test_the_decimal_sign_of_a_column_is_found_from_its_values(tmp_path, amounts, cents):
    assert sold(tmp_path, *amounts).column("i__amount") == cents


def test_the_decimal_sign_is_found_from_all_values_and_not_the_first_only(tmp_path):
    found = sold(tmp_path, *["7"] * 10_010, "12,50", "1.234,00")
    assert found.column("i__amount")[-2:] == [1250, 123400]
    assert "decimal comma" in found.report.reading


def test_where_values_tell_nothing_the_delimiter_does(tmp_path):
    row = "1;C1;2026-01-02;purchase;1.234;a\n"
    assert mapped(tmp_path, HEADER.replace(",", ";") + row).column("i__amount") == [123400]
    assert mapped(tmp_path, HEADER + row.replace(";", ",")).column("i__amount") == [123]


def test_a_decimal_sign_that_is_given_wins_and_what_does_not_fit_is_rejected(tmp_path):
    found = sold(tmp_path, "12,50", "1.234,56", "3.5", csv={"decimal": "."})
    assert (found.column("i__amount"), found.reasons) == ([350], {"amount not understood": 2})


def test_an_amount_computed_of_what_is_not_understood_rejects_the_row(tmp_path):
    silo = {**TILL.interactions, "amount": "number(amount) * 2 - coalesce(number(amount), 0)"}
    found = sold(tmp_path, "1.50", "one", interactions=silo)
    assert (found.column("i__amount"), found.reasons) == ([150], {"amount not understood": 1})


def test_an_attribute_that_is_no_number_rejects_the_row(tmp_path):
    found = sold(
        tmp_path, "1.50", "one", interactions={"kind": "kind"}, attributes={"spent": "number(amount)"}
    )
    assert (found.column("a__spent"), found.reasons) == (["1.5"], {"spent not understood": 1})


def test_a_till_of_dollars_keeps_its_revenue(tmp_path):
    found = sold(tmp_path, "$149.00", "($59.00)", money=Money("USD"))
    assert (found.column("i__amount"), found.report.warnings) == ([14900, -5900], ())
    told = sold(tmp_path, "$149.00", money=Money("EUR")).report.warnings
    assert told == (
        "Silo 't': amounts are written in $ and counted as EUR; say `currency:` of the silo or the source.",
    )


def test_positive_amounts_of_returns_are_an_error_of_the_mapping_unless_it_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"2 returns have a positive amount; write `returns: positive`"):
        sold(tmp_path, "5", "6", kind="return")
    found = sold(tmp_path, "5", "-6", kind="return", returns="positive")
    assert found.column("i__amount") == [-500, -600]
    assert sold(tmp_path, "5", returns="positive").column("i__amount") == [500]


def test_a_single_positive_return_is_a_rejected_row(tmp_path):
    found = sold(tmp_path, "5", "-6", "-7", kind="return")
    assert (found.column("i__amount"), found.reasons) == ([-600, -700], {"positive amount of a return": 1})


def test_purchases_without_an_amount_are_counted_and_many_are_a_headline(tmp_path):
    found = sold(tmp_path, "5", "", "n/a")
    assert (found.report.stored, found.report.missing_amounts) == (2, 1)
    assert found.report.warnings[-1] == (
        "Silo 't': 1 of 2 purchases have no amount; check the mapping of `amount`."
    )
    assert sold(tmp_path, *["5"] * 40, "").report.warnings == ()


RATES = "date,currency,rate\n2025-01-01,USD,0.80\n2026-01-02,USD,0.90\n2025-01-01,EUR,0.85\n"


def rates(folder, text=RATES):
    """Return the brand's currency, with a table of rates."""
    (folder / "rates.csv").write_text(text)
    return Money("GBP", folder / "rates.csv")


def test_a_silo_in_another_currency_is_converted_by_the_rate_of_the_day(tmp_path):
    rows = "1,C1,2026-01-01,purchase,10,a\n2,C1,2026-01-02,purchase,10,a\n3,C1,2024-01-02,purchase,10,a\n"
    found = mapped(tmp_path, HEADER + rows, currency="USD", money=rates(tmp_path))
    assert (found.column("i__amount"), found.reasons) == ([800, 900], {"no rate of its currency": 1})


def test_a_column_may_say_the_currency_of_a_row(tmp_path):
    text = "unit," + HEADER + "eur,1,C1,2026-01-01,purchase,10,a\nGBP,2,C1,2026-01-01,purchase,10,a\n"
    text += "CHF,3,C1,2026-01-01,purchase,10,a\nCHF,4,C1,2026-01-01,purchase,,a\n"
    found = mapped(tmp_path, text, currency="unit", money=rates(tmp_path))
    assert found.column("i__amount") == [850, 1000, None]
    assert found.reasons == {"no rate of its currency": 1}


def test_two_currencies_without_rates_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"are not in GBP \(USD\); give source.rates=FILE"):
        sold(tmp_path, "10", currency="USD", money=Money("GBP"))
    with pytest.raises(ConfigError, match=r"amounts are in several currencies \(\$, €\)"):
        sold(tmp_path, "$10", "€12")
    assert sold(tmp_path, "10", currency="GBP", money=Money("GBP")).column("i__amount") == [1000]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("date,currency\n2025-01-01,USD\n", "have no column 'rate'"),
        ("date,currency,rate\n2025-01-01,USD,cheap\n", "1 rows are no rates"),
        ("date,currency,rate\nsoon,USD,0.9\n", "1 rows are no rates"),
        ("date,currency,rate\n2025-01-01,GBP,1\n", "have no currency but GBP"),
    ],
)
def test_a_table_of_rates_that_cannot_be_used_is_one_line(tmp_path, text, error):
    with pytest.raises((ConfigError, InputError), match=error):
        sold(tmp_path, "10", currency="USD", money=rates(tmp_path, text))


def test_a_store_has_the_brands_currency(tmp_path):
    (tmp_path / "t.csv").write_text(HEADER + "1,C1,2025-01-02 10:00,purchase,£1.50,a\n")
    assert build_store(tmp_path, {"t": TILL}, currency="GBP").currency == "GBP"
