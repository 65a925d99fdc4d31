"""Measures written in YAML: each aggregation worked by hand, and errors in plain words."""

import numpy as np
import pytest

from features.rows import FITTED, day, row, table
from sintonia.core.config import FeaturesConfig, MeasureConfig
from sintonia.core.errors import ConfigError
from sintonia.features import catalogue, compute

ROWS = [
    row("ann", 2, category="gifts", amount=500),
    row("ann", 26, category="gifts", amount=300),
    row("ann", 27, category="tea", amount=900),
    row("ann", 28, category=None, amount=100),
    row("ann", 29, kind="view", category="gifts", amount=None),
]


def of(measure, as_of=31):
    config = FeaturesConfig(windows_days=[7], measures={"m": measure})
    (features,) = compute(table(ROWS), [day(as_of)], config, FITTED).to_pylist()
    return {name.removeprefix("own__m_"): value for name, value in features.items()}


def test_a_truth_is_counted_and_shared_among_the_interactions_asked_for():
    gifts = MeasureConfig("category = 'gifts'", "kind = 'purchase'", ["sum", "count", "share", "days_since"])
    found = of(gifts)
    assert [found["sum__7d"], found["count__7d"], found["days_since"]] == [1, 1, 5]
    assert found["share__7d"] == np.float32(1 / 3)


def test_a_number_is_added_averaged_and_its_extremes_and_last_are_known():
    paid = MeasureConfig("amount", None, ["sum", "mean", "max", "min", "last"], unit="cents")
    found = of(paid)
    assert [found[f"{name}__7d"] for name in ("sum", "max", "min")] == [1300, 900, 100]
    assert found["mean__7d"] == np.float32(1300 / 3)  # the view has no amount
    assert found["last"] == 100


def test_windows_of_its_own_and_an_empty_one():
    found = of(MeasureConfig("amount", aggregations=["sum", "mean"], windows_days=[30, 1]), 40)
    assert [found["sum__30d"], found["sum__1d"]] == [1300, 0]
    assert np.isnan(found["mean__1d"])


def test_the_catalogue_tells_it_in_the_words_given_or_in_its_own():
    gifts = MeasureConfig("category = 'gifts'", "kind = 'purchase'", ["share"], why="Presents bring guests")
    (feature,) = catalogue(FeaturesConfig(windows_days=[7], measures={"gift": gifts}), FITTED)
    assert feature.name == "own__gift_share__7d"
    assert feature.definition == (
        "Part of the interactions with category = 'gifts' where kind = 'purchase' in the last 7 days"
    )
    assert (feature.unit, feature.why) == ("share", "Presents bring guests")


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (
            {"expression": "amout > 5"},
            "Unknown column in features.measures.m.expression: 'amout'; did you mean 'amount'",
        ),
        ({"expression": "amount", "where": "chanel = 'web'"}, "did you mean 'channel'"),
        ({"expression": "sentiment"}, "features.measures.m.expression=sentiment gives fractions"),
        ({"expression": "channel"}, "gives text; give whole units or a truth value"),
        ({"expression": "amount >"}, "Cannot read the measure"),
        ({"expression": "customer_id = 'x'"}, "Unknown column"),
        ({"expression": "upper(kind) = 'X'"}, "which is not understood; use arithmetic"),
        ({"expression": "kind > 3"}, "features.measures.m.expression: The measure 'kind > 3' takes text"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_plain_words(measure, message):
    config = FeaturesConfig(windows_days=[7], measures={"m": MeasureConfig(**measure)})
    with pytest.raises(ConfigError) as raised:
        catalogue(config, FITTED)
    assert message in str(raised.value)


def test_a_measure_of_nothing_and_an_unknown_aggregation_are_refused():
    with pytest.raises(ConfigError, match="has no expression"):
        MeasureConfig()
    with pytest.raises(ConfigError, match="Unknown aggregation of a measure 'avg'; choose"):
        MeasureConfig("amount", aggregations=["avg"])


@pytest.mark.parametrize("aggregation", ["sum", "count", "share", "mean", "max", "last"])
def test_what_needs_a_sentiment_is_missing_where_none_is_known(aggregation):
    low = MeasureConfig(
        "ROUND(100 * sentiment)" if aggregation != "share" else "sentiment < 0", None, [aggregation]
    )
    (value,) = (value for name, value in of(low).items() if name.startswith(aggregation))
    assert np.isnan(value)


def test_a_sentiment_known_in_the_window_is_counted_and_what_does_not_need_one_stays_0(monkeypatch):
    monkeypatch.setitem(globals(), "ROWS", [*ROWS, row("ann", 27, kind="contact", sentiment=0.5)])
    found = of(MeasureConfig("sentiment < 0", None, ["count", "share", "sum"]))
    assert [found[f"{name}__7d"] for name in ("count", "share", "sum")] == [0, 0, 0]
    assert of(MeasureConfig("1", "sentiment < 0", ["sum"]))["sum__7d"] == 0
    assert of(MeasureConfig("sentiment IS NOT NULL", None, ["count"]))["count__7d"] == 1
    assert of(MeasureConfig("COALESCE(sentiment, 0) < 0", None, ["count"]))["count__7d"] == 0
