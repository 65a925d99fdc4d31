"""The review page: honest words, the same bytes, nobody's data, readable by people and machines."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from sintonia.core.errors import InputError
from sintonia.core.intervals import Estimate
from sintonia.evaluation.evaluate import evaluate, evaluate_amounts
from sintonia.explain.contributions import Contributions, Swarm, feature_swarms
from sintonia.review import DataPart, ReviewData, charts, drawings, feature_weights, render_review, texts
from sintonia.review.page import metric_table
from sintonia.review.texts import review_warnings

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Entry:
    definition, family = "Days since the <last> order & more", "rfm"


@cache
def review(customers=300, snapshots=4):
    """A model that knows the truth beside a blurred one and a constant, on customers with plain ids."""
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(customers), snapshots)
    truth = 1 / (1 + np.exp(-1.5 * rng.normal(size=customers)[owner]))
    labels = (rng.random(len(owner)) < truth).astype(int)
    blurred = np.clip(truth + rng.normal(0, 0.3, len(truth)), 0.01, 0.99)
    said = {"model": truth, "RFM logistic": blurred, "constant": np.full(len(truth), 0.5)}
    values = np.column_stack([truth - 0.5, rng.normal(0, 0.1, len(truth)), np.zeros(len(truth))])
    found = Contributions(("recency", "orders", "idle"), values, -0.2)
    table = np.column_stack([truth, np.where(rng.random(len(truth)) < 0.3, np.nan, 1.0), truth])
    return ReviewData(
        task="churn",
        population="customers who bought in the last 56 days",
        outcome="buys nothing in the 28 days after the as-of date",
        label="1 when no purchase falls into (as_of, as_of + 28 days]",
        limits=("A propensity is no uplift.",),
        parts=(
            DataPart("train", ("2026-01-01", "2026-01-29"), 2400, 290, 0.5),
            DataPart("test", ("2026-04-23", "2026-05-21"), 1200, 300, 0.5),
        ),
        evaluation=evaluate(labels, said, np.char.add("customer-", owner.astype(str))),
        weights=feature_weights(found, {"recency": Entry}),
        swarms=tuple(feature_swarms(found, table, rows=200)),
        fingerprint="sha256:4b1e0f6c9d",
        source="complete_journey",
        synthetic=False,
        created_at="2026-06-01T08:30:00+00:00",
        model_name="sintonia-churn",
        model_version="3",
        run_id="8f3c2b1a",
    )


@cache
def page():
    return render_review(review())


def against(estimates=None, difference=None):
    """The review with other figures: of the model by metric, or of its AUC difference to each baseline."""
    judged = review().evaluation
    own = judged.estimates | {"model": judged.estimates["model"] | (estimates or {})}
    gaps = judged.differences
    if difference is not None:
        gaps = {name: of | {"auc": difference} for name, of in gaps.items()}
    return replace(review(), evaluation=replace(judged, estimates=own, differences=gaps))


class Outline(HTMLParser):
    """What a screen reader meets: tags with their attributes, and the text of headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.open.append(tag)
            self.headings.append((tag, ""))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_same_figures_give_the_same_bytes_also_after_a_journey_through_json():
    told = json.dumps(review().to_plain(), allow_nan=False)
    again = ReviewData.from_plain(json.loads(told))
    assert again == review()
    assert render_review(again) == page()


def test_figures_of_another_shape_are_refused_with_what_to_do():
    plain = review().to_plain()
    del plain["label"]
    for broken in (plain, {"unknown": 1}, review().to_plain() | {"parts": [{"name": "train"}]}):
        with pytest.raises(InputError, match="train the model again"):
            ReviewData.from_plain(broken)


def test_the_page_is_small_and_asks_nothing_of_a_network():
    assert len(page().encode()) < 200_000
    assert not re.search(r"https?:|//[a-z]|src=|href=|<script|@import|url\(", page())
    assert "default-src 'none'" in page()


def test_no_customer_is_on_the_page_or_in_its_figures():
    told = json.dumps(review().to_plain())
    for text in (page(), told):
        assert "customer-" not in text
        assert not re.search(r"[\w.]+@[\w.]+\.\w+", text)


def test_text_from_outside_is_escaped():
    assert "Days since the &lt;last&gt; order &amp; more" in page()
    assert "<last>" not in page()
    hostile = replace(review(), label="<img onerror=x>", source='"><script>')
    assert "<img" not in render_review(hostile)
    assert "<script" not in render_review(hostile)


def test_headings_and_landmarks_lead_through_the_page():
    outline = Outline(page())
    assert [text for tag, text in outline.headings if tag == "h1"] == [
        "Among customers who bought in the last 56 days: "
        "who buys nothing in the 28 days after the as-of date?"
    ]
    titles = [text for tag, text in outline.headings if tag == "h2"]
    for title in (
        "Calibration",
        "Gains",
        "What moves the score",
        "Out of time, compared with baselines",
        "Data",
    ):
        assert title in titles
    for landmark in ("header", "main", "footer"):
        assert len(outline.all(landmark)) == 1
    assert outline.all("html") == [{"lang": "en"}]


def test_every_chart_has_words_or_is_hidden_and_every_header_cell_a_scope():
    outline = Outline(page())
    assert all(svg.get("aria-label") or svg.get("aria-hidden") == "true" for svg in outline.all("svg"))
    assert all(cell.get("scope") in ("col", "row") for cell in outline.all("th"))
    assert len(outline.all("figcaption")) == len(outline.all("figure")) == 2


def test_ids_are_unique_and_every_reference_finds_one():
    outline = Outline(page())
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["aria-labelledby"] for _, attrs in outline.tags if "aria-labelledby" in attrs} <= set(ids)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2 contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_marks_stand_out_in_light_and_dark():
    palettes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", page(), re.S)
    ]
    assert len(palettes) == 3
    for palette in palettes[:2]:
        for text in ("ink", "soft", "accent"):
            assert contrast(palette[text], palette["paper"]) >= 4.5, text
        for mark in ("v0", "v1", "v2", "v3", "v4"):
            assert contrast(palette[mark], palette["paper"]) >= 3, mark


@pytest.mark.parametrize(
    ("gap", "state", "headline"),
    [
        (Estimate(0.04, 0.01, 0.07), "good", "Ranks better than the best of 2 baselines, the RFM logistic"),
        (
            Estimate(0.01, -0.01, 0.03),
            "open",
            "Not distinguishable from the best of 2 baselines, the RFM logistic",
        ),
        (Estimate(-0.04, -0.07, -0.01), "bad", "Ranks worse than the best of 2 baselines, the RFM logistic"),
    ],
)
def test_the_verdict_follows_the_paired_interval(gap, state, headline):
    found = texts.ranking_verdict(against(difference=gap))
    assert (found.state, found.headline) == (state, headline)


def test_a_model_without_baselines_is_said_to_be_compared_with_none():
    judged = review().evaluation
    alone = replace(judged, differences={}, estimates={"model": judged.estimates["model"]})
    data = replace(review(), evaluation=replace(alone, gains={"model": judged.gains["model"]}))
    assert texts.ranking_verdict(data).headline == "Not compared with any baseline"
    assert "Not compared with any baseline" in render_review(data)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Estimate(0.012, 0.0, 0.03), "good"),
        (Estimate(0.03, 0.0, 0.045), "open"),
        (Estimate(0.0, 0.0, 0.08), "open"),
        (Estimate(0.06, 0.03, 0.09), "bad"),
    ],
)
def test_calibration_is_called_good_only_where_the_data_can_tell(error, state):
    assert texts.calibration_verdict(against({"calibration_error": error})).state == state


@pytest.mark.parametrize(
    ("low", "high", "state"), [(1.2, 2.0, "good"), (0.8, 1.5, "open"), (0.3, 0.9, "bad")]
)
def test_the_highest_tenth_is_called_richer_only_when_it_surely_is(low, high, state):
    assert texts.lift_verdict(against({"lift_top10": Estimate((low + high) / 2, low, high)})).state == state


def test_an_error_that_chance_explains_is_not_called_zero():
    told = texts.calibration_verdict(against({"calibration_error": Estimate(0.0, 0.0, 0.02)})).evidence
    assert told.startswith("Propensities are no further off the observed rates than expected by chance (95")
    assert "0.0 to 2.0 points" in told


def test_warnings_name_few_outcomes_a_single_date_leaks_dominance_and_shift():
    quiet = replace(review(), weights=())
    assert review_warnings(quiet) == []
    assert "one feature" in review_warnings(review())[0]
    auc = against({"auc": Estimate(0.97, 0.96, 0.98)})
    assert any("no feature leaks the outcome" in worry for worry in review_warnings(auc))
    one_date = replace(
        quiet, parts=(DataPart("train", ("a",), 10, 9, 0.2), DataPart("test", ("b",), 10, 9, 0.5))
    )
    assert [worry.split(":")[0] for worry in review_warnings(one_date)] == [
        "Only one test date",
        "The outcome rate changed from 20.0\u202f% in training to 50.0\u202f% in the test.",
    ]
    few = replace(quiet, evaluation=replace(review().evaluation, rows=150))
    assert review_warnings(few)[0].startswith("Only 69 test rows")


def test_synthetic_data_are_called_so():
    assert "synthetic data" not in page()
    assert "synthetic data" in render_review(replace(review(), synthetic=True))


def test_the_table_shows_every_model_and_the_difference_with_its_verdict():
    rows = metric_table(review())
    assert [row["name"] for row in rows] == ["model", "RFM logistic", "constant", "model minus RFM logistic"]
    figure, interval, state, told = rows[-1]["cells"][0]
    assert (state, told) == ("good", "better")
    assert figure.startswith("+")
    assert " to " in interval


def test_a_swarm_holds_every_point_once_within_its_row():
    some = Swarm("f", tuple(np.linspace(-1, 1, 60)), (None, *[0.5] * 58, 1.0))
    drawn = str(charts.swarm(some, -1.0, 1.0))
    assert drawn.count("h0") == 59
    assert drawn.count("v3") == 1
    heights = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)h0", drawn)]
    assert 0 < min(heights) <= max(heights) < 22


@pytest.mark.parametrize(
    ("ranks", "word"),
    [
        ((0.0, 0.3, 0.6, 1.0), "raises"),
        ((1.0, 0.6, 0.3, 0.0), "lowers"),
        ((0.0, 1.0, 1.0, 0.0), "mixed"),
        ((None,) * 4, "category"),
        ((0.5,) * 4, "mixed"),
        ((0.5, None, None, None), "mixed"),
    ],
)
def test_a_features_direction_is_the_sign_of_its_rank_correlation(ranks, word):
    assert charts.direction(Swarm("f", (-1.0, -0.5, 0.5, 1.0), ranks)) == word


def test_a_model_that_learnt_nothing_still_has_a_page():
    assert "0 test rows" in render_review(replace(review(), weights=(), swarms=()))


def test_rare_outcomes_get_an_axis_of_their_own():
    labels = np.tile([0.0] * 99 + [1.0], 40)
    rare = evaluate(labels, {"m": np.full(4000, 0.01)}, np.arange(4000))
    assert "2\u202f%" in charts.reliability(rare.bins["m"])
    assert "100\u202f%" not in charts.reliability(rare.bins["m"])


@pytest.fixture
def browse(tmp_path):
    """A browser without a network: page in; what it became, its console and who asked for something out."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (chromium or google-chrome on the path)")
    log = tmp_path / "net.json"
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-sync",
        "--dump-dom",
    ]
    options += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}"]

    def run(text):
        path = tmp_path / "review.html"
        path.write_text(text, encoding="utf-8")
        command = [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        # The browser's own requests (updates, clock) have no origin; a page from a file has the origin null.
        asked = set(re.findall(r'"initiator":"([^"]*)"', log.read_text())) - {"not an origin"}
        return seen.stdout, seen.stderr, asked

    return run


@pytest.mark.browser
def test_a_browser_shows_its_headings_and_charts_and_makes_no_request(browse):
    shown, console, asked = browse(page())
    outline = Outline(shown)
    assert len([tag for tag, _ in outline.headings if tag == "h2"]) == 8
    assert len(outline.all("svg")) == 2 + len(review().swarms) + 1
    assert "CONSOLE" not in console
    assert asked == set()


@pytest.mark.browser
def test_a_browser_would_have_told_of_a_request(browse):
    leaking = re.sub('<meta http-equiv="Content.*', '<img src="http://canary.invalid/x.png" alt="">', page())
    assert browse(leaking)[2] == {"null"}


@cache
def amounts():
    """A review of expected spend: a model with a median beside one that has none."""
    rng = np.random.default_rng(2)
    mean = rng.gamma(1.0, 30.0, 500)
    spent = np.where(rng.random(500) < 0.5, rng.exponential(2 * mean), 0.0)
    judged = evaluate_amounts(
        spent, {"model": mean, "spend so far": mean[::-1]}, np.arange(500), medians={"model": mean / 2}
    )
    return replace(review(), task="value", evaluation=judged)


def test_a_page_on_amounts_says_total_and_capture_and_shows_no_calibration():
    page = render_review(amounts())
    headlines = [finding.headline for finding in texts.outcome_verdict(amounts())]
    assert headlines[0] == "Ranks better than the spend so far"
    assert headlines[1] == "The total is unbiased"
    assert headlines[2].startswith("The top 20\u202f% account for ")
    assert "<h2>Calibration</h2>" not in page
    assert "Spend captured, highest expected amounts first" in page
    assert "Error of the median" in page


def test_a_total_is_bad_only_when_it_is_surely_a_tenth_off():
    states = {}
    for low, high in ((1.11, 1.3), (0.7, 0.89), (1.05, 1.3), (0.95, 1.1)):
        own = {"total_ratio": Estimate((low + high) / 2, low, high)}
        judged = amounts().evaluation
        of = judged.estimates | {"model": judged.estimates["model"] | own}
        found = texts.total_verdict(replace(amounts(), evaluation=replace(judged, estimates=of)))
        states[low, high] = found.state
    assert list(states.values()) == ["bad", "bad", "open", "good"]


def test_drawings_stand_alone():
    drawn = drawings(review().evaluation)
    assert set(drawn) == {"gains", "calibration"}
    assert set(drawings(amounts().evaluation)) == {"gains"}
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "--accent" in svg
