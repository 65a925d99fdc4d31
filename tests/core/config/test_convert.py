"""Plain values into dataclasses."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.config.convert import convert
from sintonia.core.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    """A group."""

    size: int = 1
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    """A verb's settings."""

    name: str = "a"
    until: str | None = None
    inner: Inner = field(default_factory=Inner)
    days: list[int] = field(default_factory=list)
    named: dict[str, Inner] = field(default_factory=dict)


def test_given_values_are_taken_and_the_others_keep_their_defaults():
    plain = {"until": "2026-01-31", "inner": {"share": 1}, "days": [7, 30], "named": {"x": {"size": 2}}}
    assert convert(Outer, plain, "") == Outer("a", "2026-01-31", Inner(1, 1.0), [7, 30], {"x": Inner(2, 0.5)})


def test_a_number_may_stand_for_text_and_a_whole_number_for_any():
    assert convert(Outer, {"name": 2024, "inner": {"share": 2}}, "") == Outer(
        name="2024", inner=Inner(share=2.0)
    )


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"inner": {"siz": 1}}, "Unknown key 'inner.siz'; did you mean 'inner.size'?"),
        ({"inner": {"size": "abc"}}, "inner.size=abc is not a whole number."),
        ({"inner": {"size": 1.5}}, "inner.size=1.5 is not a whole number."),
        ({"inner": {"size": True}}, "inner.size=True is not a whole number."),
        ({"inner": {"share": "x"}}, "inner.share=x is not a number."),
        ({"inner": 3}, "inner=3 is one value, but inner holds keys; set them as inner.KEY=VALUE."),
        ({"days": 7}, "days=7 is not a list, [a, b]."),
        ({"days": [7, "x"]}, "days=x is not a whole number."),
        ({"named": 1}, "named=1 is not a list of keys and values, {a: 1}."),
        ({"named": {"x": {"y": 1}}}, "Unknown key 'named.x.y'"),
        ({"name": None}, "name=null is not text."),
        ({"name": "???"}, "name must be given: write name=..."),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_it_should_be(plain: dict[str, object], message: str):
    with pytest.raises(ConfigError) as raised:
        convert(Outer, plain, "")
    assert message in str(raised.value)


def test_a_text_not_given_yet_may_be_shown_but_a_number_may_not():
    assert convert(Outer, {"name": "???"}, "", partial=True).name == "???"
    with pytest.raises(ConfigError, match="must be given"):
        convert(Outer, {"inner": {"size": "???"}}, "", partial=True)


@given(st.builds(Inner, st.integers(), st.floats(allow_nan=False)))
def test_what_was_a_dataclass_comes_back_the_same(inner: Inner):
    assert convert(Inner, {"size": inner.size, "share": inner.share}, "") == inner
