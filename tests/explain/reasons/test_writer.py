"""Reasons are sentences a marketer would say, with the customer's own numbers and never a column's name."""

import numpy as np
import pytest

from explain.reasons.everything import CATEGORIES, FEATURES, FITTED, model_of, row_of
from sintonia.core.config import FeaturesConfig, MeasureConfig, ReasonsConfig
from sintonia.core.config.verbs import LANGUAGES
from sintonia.explain.reasons import ReasonWriter
from sintonia.explain.reasons.sentences import phrases_of
from sintonia.explain.reasons.texts import read_texts
from sintonia.training.profile import Deciles, TrainingProfile

WITHOUT_NUMBER = {"yes or no", "weekday", "place", "category"}
UP, DOWN = np.array([True]), np.array([False])


def speaker(task="churn", language="en", reference=None, **config):
    return ReasonWriter(model_of(task, reference=reference), ReasonsConfig(**config), language)


def said(by, feature, up=UP, **values):
    """What the speaker says of a feature of one customer."""
    row = row_of(by.model, **values)
    names = np.array(["Women's shoes"], object)
    return by.write_feature(by.model.names.index(feature), row, up, names)[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", ["churn", "category"])
@pytest.mark.parametrize("given", ["value", "everything", "nothing"])
def test_every_measure_of_every_family_is_a_sentence_with_its_number(language, task, given):
    by = speaker(task, language)
    names = np.array(["Women's shoes"], object)
    for at, feature in enumerate(by.model.catalogue):
        row = np.full((1, len(by.model.names)), 3.0 if given == "everything" else np.nan, np.float32)
        row[0, at] = np.nan if given == "nothing" else 3.0
        (sentence,) = by.write_feature(at, row, UP, names)
        assert sentence, feature.name
        assert "_" not in sentence, sentence
        assert "{" not in sentence, sentence
        assert feature.definition not in sentence, f"{feature.name} has no sentence in {language}"
        assert sentence.endswith(f"({by.texts.direction(task, True)})")
        if given != "nothing" and feature.unit not in WITHOUT_NUMBER:
            fact = sentence.replace(by.texts.window(feature.window_days), "")
            assert any(digit in fact for digit in "0123456789"), sentence


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Last purchase 74 days ago; usually every 21 (makes leaving likelier)"),
        ("it", "Ultimo acquisto 74 giorni fa; di solito ogni 21 (rende più probabile l'abbandono)"),
    ],
)
def test_a_silence_is_told_beside_the_customers_own_gap(language, sentence):
    told = said(
        speaker(language=language),
        "rfm__days_since_purchase",
        rfm__days_since_purchase=74.2,
        rfm__mean_gap=20.9,
    )
    assert told == sentence


def test_what_is_not_known_is_left_out_of_the_sentence():
    by = speaker()
    assert said(by, "rfm__days_since_purchase", DOWN, rfm__days_since_purchase=1) == (
        "Last purchase 1 day ago (makes leaving less likely)"
    )
    assert said(by, "rfm__days_since_purchase") == "No purchase yet (makes leaving likelier)"
    assert said(by, "clock__best_weekday__365d", clock__best_weekday__365d=5).startswith(
        "Comes mostly on a Saturday in the last 365 days"
    )


@pytest.mark.parametrize(("value", "told"), [(1, "is gold"), (0, "is not gold"), (None, "not known")])
def test_yes_no_and_not_known_are_three_sentences(value, told):
    values = {} if value is None else {"profile__loyalty_tier_is_gold": value}
    sentence = said(speaker(), "profile__loyalty_tier_is_gold", **values)
    assert sentence == f"Loyalty tier {told} (makes leaving likelier)"


def test_a_category_is_called_by_its_name():
    by = speaker("category")
    told = said(by, "category__days_since", category__days_since=12, category__mean_gap=30)
    assert told.startswith("Women's shoes last bought 12 days ago; usually every 30 (")
    amount = said(by, "category__amount__30d", category__amount__30d=1999)
    assert amount.startswith("Spent 19.99 on Women's shoes in the last 30 days (")
    assert said(speaker(), "affinity__caffe_share__365d", affinity__caffe_share__365d=0.5).startswith(
        "50 % of the purchases were CAFFÈ in the last 365 days"
    )


def reference(names, alike="profile__tenure", **medians):
    """Two kinds of people, with us for up to 100 days and for longer, and their medians."""
    table = np.full((2, len(names)), np.nan)
    for name, values in medians.items():
        table[:, names.index(name)] = values
    return TrainingProfile(10, tuple(Deciles((), (0.0, 1.0)) for _ in names), alike, (100.0,), table)


def test_people_alike_stand_beside_the_customers_number_unless_it_reads_the_same():
    names = model_of().names
    by = speaker(reference=reference(names, rfm__amount__30d=[1800, 900], rfm__orders__30d=[1, np.nan]))
    new, old = {"profile__tenure": 100}, {"profile__tenure": 101}
    spent = {"rfm__amount__30d": 3520}
    assert said(by, "rfm__amount__30d", **spent, **new).startswith(
        "Spent 35.20 in the last 30 days; people like them 18.00 ("
    )
    assert "people like them 9.00" in said(by, "rfm__amount__30d", **spent, **old)
    assert said(by, "rfm__orders__30d", rfm__orders__30d=1, **new).startswith("1 order in the last 30 days (")
    assert "people" not in said(by, "rfm__orders__30d", rfm__orders__30d=2, **old)


def trained(task_features=None):
    """A speaker whose model has a tree on each of four features: two of one family, one sensitive, one of tenure."""
    from dataclasses import replace

    import lightgbm

    features = FeaturesConfig(families=["rfm", "kinds", "profile"], windows_days=[30])
    model = model_of(features=features)
    rng = np.random.default_rng(5)
    values = rng.integers(0, 40, (4000, len(model.names))).astype(np.float32)
    wanted = [
        "rfm__days_since_purchase",
        "rfm__mean_gap",
        "profile__age",
        "profile__tenure",
        "kinds__view__30d",
    ]
    places = [model.names.index(name) for name in wanted]
    odds = values[:, places] @ np.array([0.05, 0.04, 0.3, 0.02, 0.06]) - 9
    label = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    data = lightgbm.Dataset(values, label, feature_name=[*model.names])
    told = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train(told, data, num_boost_round=40)
    return replace(model, trees=booster.model_to_string()), values


@pytest.fixture(scope="module")
def learnt():
    return trained()


def test_a_family_speaks_once_and_by_its_strongest_feature(learnt):
    model, values = learnt
    by = ReasonWriter(model, ReasonsConfig(count=3), "en")
    told = by.write(values[:50])
    each = model.booster.predict(values[:50], pred_contrib=True)[:, :-1]
    families = np.array([feature.family for feature in model.catalogue])
    allowed = by.groups >= 0
    for row in range(50):
        sums = {name: each[row, (families == name) & allowed].sum() for name in ("rfm", "kinds", "profile")}
        ranked = sorted(sums, key=lambda name: -abs(sums[name]))
        assert families[told.features[row]].tolist() == ranked
        np.testing.assert_allclose(told.contributions[row], [sums[name] for name in ranked], atol=1e-9)
        for name, leader in zip(ranked, told.features[row].tolist(), strict=True):
            mine = np.where((families == name) & allowed, each[row] * np.sign(sums[name]), -np.inf)
            assert mine[leader] == pytest.approx(mine.max(), abs=1e-9)


def test_what_a_person_is_is_told_only_where_it_is_allowed(learnt):
    model, values = learnt
    quiet = ReasonWriter(model, ReasonsConfig(), "en").write(values[:200])
    age = model.names.index("profile__age")
    assert age not in quiet.features
    assert "profile__tenure" in {model.names[at] for at in np.unique(quiet.features)}
    open_ = ReasonWriter(model, ReasonsConfig(allow_sensitive=["age"]), "en").write(values[:200])
    assert age in open_.features
    assert any("years old" in sentence for sentence in open_.sentences[0])


@pytest.mark.parametrize(
    ("feature", "attribute"),
    [
        ("profile__age", "age"),
        ("profile__generation_x", "age"),
        ("profile__region_is_forli", "region"),
        ("profile__days_since_region_changed", "region"),
        ("profile__house_size", "house_size"),
        ("profile__tenure", None),
        ("profile__consent_email", None),
        ("identity__card_identifiers", None),
    ],
)
def test_it_is_known_which_features_tell_what_a_person_is(feature, attribute):
    model = model_of()
    phrases = phrases_of(model.catalogue, FITTED, read_texts("en"))
    assert phrases[model.names.index(feature)].attribute == attribute


def test_reasons_of_a_row_do_not_depend_on_the_others(learnt):
    model, values = learnt
    by = ReasonWriter(model, ReasonsConfig(), "it")
    whole = by.write(values[:60]).sentences
    for row in (0, 17, 59):
        assert [column[0] for column in by.write(values[row : row + 1]).sentences] == [c[row] for c in whole]
    assert [column.tolist() for column in by.write(values[:0]).sentences] == [[], [], []]


def test_fewer_families_than_reasons_leave_the_last_ones_empty(learnt):
    model, values = learnt
    told = ReasonWriter(model, ReasonsConfig(count=5), "en").write(values[:4])
    assert [set(column) == {""} for column in told.sentences] == [False, False, False, True, True]
    assert ReasonWriter(model, ReasonsConfig(count=0), "en").write(values[:4]).sentences == ()


def test_a_measure_of_ones_own_is_told_by_its_definition():
    own = {"gift": MeasureConfig(expression="channel = 'store'", definition="gifts", aggregations=["share"])}
    features = FeaturesConfig(families=["rfm"], windows_days=[30], measures=own)
    by = ReasonWriter(model_of(features=features), ReasonsConfig(), "it")
    told = said(by, "own__gift_share__30d", own__gift_share__30d=0.25)
    assert told.startswith("Part of the interactions with gifts in the last 30 days: 25 % (")
    assert "non noto" in said(by, "own__gift_share__30d")


def test_the_category_names_itself_where_nothing_else_does():
    assert CATEGORIES[0] in said(speaker("category"), "category__which", category__which=0)
    assert len(FEATURES.families) == 15
