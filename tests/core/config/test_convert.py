"""Plain values into dataclasses."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.config.convert import from_plain
from sintonia.core.errors import ConfigError, InputError


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
    assert from_plain(Outer, plain, "") == Outer(
        "a", "2026-01-31", Inner(1, 1.0), [7, 30], {"x": Inner(2, 0.5)}
    )


def test_a_number_may_stand_for_text_and_a_whole_number_for_any():
    assert from_plain(Outer, {"name": 2024, "inner": {"share": 2}}, "") == Outer(
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
        ({"inner": {"size": "???"}}, "inner.size must be given: write inner.size=..."),
        ({"days": [1], "inner": {"size": "x", "siz": 1}}, "Unknown key 'inner.siz'"),
        (3, "3 is one value"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_it_should_be(plain: dict[str, object], message: str):
    with pytest.raises(ConfigError) as raised:
        from_plain(Outer, plain, "")
    assert message in str(raised.value)


@given(st.builds(Inner, st.integers(), st.floats(allow_nan=False)))
def test_what_was_a_dataclass_comes_back_the_same(inner: Inner):
    assert from_plain(Inner, {"size": inner.size, "share": inner.share}, "") == inner


@dataclass(frozen=True)
class Document:
    """What is stored as JSON."""

    until: datetime
    rows: tuple[tuple[float | None, ...], ...] = ()
    inner: Inner | None = None
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bound: float = inf


def test_a_document_comes_back_the_same_from_json():
    document = Document(
        datetime(2025, 1, 1, 8, 30), ((0.1, None), (1e-300,)), Inner(3, 0.1), {"channel": ("web",)}
    )
    plain = json.loads(json.dumps(asdict(document) | {"until": document.until.isoformat()}))
    assert from_plain(Document, plain, "the document", remedy="write it again") == document


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (
            {"until": "soon"},
            "Cannot read the document (until=soon is not a time, 2026-01-31T00:00:00); write it again.",
        ),
        ({}, "Cannot read the document (until is missing); write it again."),
        (
            {"until": "2025-01-01T00:00:00", "rows": [[1, "x"]]},
            "Cannot read the document (rows=x is not a number); wri",
        ),
        (
            {"until": "2025-01-01T00:00:00", "inner": {"siz": 1}},
            "Cannot read the document (Unknown key 'inner.siz'; did",
        ),
        (
            {"until": "2025-01-01T00:00:00", "levels": {"a": 1}},
            "Cannot read the document (levels.a=1 is not a list, [a",
        ),
    ],
)
def test_a_document_of_another_shape_is_named_with_what_to_do(plain: dict[str, object], message: str):
    with pytest.raises(InputError) as raised:
        from_plain(Document, plain, "the document", remedy="write it again")
    assert str(raised.value).startswith(message)


@given(st.builds(Inner, st.integers(), st.floats(allow_nan=False)))
def test_plain_values_keep_every_bit(inner: Inner):
    assert from_plain(Inner, json.loads(json.dumps(asdict(inner))), "") == inner
