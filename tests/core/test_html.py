"""Pages write figures for readers, escape what comes from outside, and have no silent gaps."""

import pytest

from sintonia.core.html import count, number, percent, template


def test_figures_have_a_true_minus_sign_and_nothing_has_minus_zero():
    assert number(-1.25, 2) == "\N{MINUS SIGN}1.25"
    assert number(-0.0004) == "0.000"
    assert number(0.5, 1, signed=True) == "+0.5"
    assert count(1234567) == "1,234,567"
    assert percent(0.5) == "50\N{NARROW NO-BREAK SPACE}%"


def test_a_name_that_a_page_does_not_get_is_an_error_and_never_an_empty_place():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        template("list.html.j2").render(name="list.csv")


def test_a_filter_of_one_page_is_not_on_the_others():
    assert "shout" in template("list.html.j2", {"shout": str.upper}).environment.filters
    assert "shout" not in template("list.html.j2").environment.filters
