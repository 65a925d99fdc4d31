"""The whole page, with evidence and customers: what its data say, what it escapes, and how it works in a browser."""

import json
import re
from functools import cache

import numpy as np
import pytest

from chromium import chromium
from review.example_review import CATALOGUE, HOSTILE, Linear, review, sample
from sintonia.core.html import number, percent
from sintonia.core.intervals import Estimate
from sintonia.review import page as views
from sintonia.review import render_review, texts
from sintonia.review.page import TWO_DIGITS
from sintonia.review.texts import data_warnings, group_warnings

MEANINGS = {entry.name: entry for entry in CATALOGUE}


@cache
def page():
    return render_review(review())


def data():
    """The customers as the page's own script reads them."""
    text = re.search(r'<script type="application/json" id="customers-data">(.*?)</script>', page(), re.S)[1]
    return json.loads(text)


def test_contributions_on_the_page_add_up_to_the_raw_score():
    told = data()
    assert len(told["customers"]) == 200
    for one in told["customers"]:
        parts = sum(part[2] for part in one["parts"]) + sum(size for _, size in one["rest"])
        assert one["base"] + parts == pytest.approx(one["raw"], abs=1e-6)
        row = sample().rows.values[one["sample"] - 1]
        assert one["raw"] == pytest.approx(float(Linear().raw_scores(row[None])[0]), abs=1e-6)


def test_what_if_on_the_page_is_the_models_answer():
    for one in data()["customers"][:20]:
        assert one["what_if"]["outcomes"][0] == pytest.approx(10_000 * one["outcome"], abs=1)
        assert len(one["what_if"]["outcomes"]) == np.prod([len(of) for of in one["what_if"]["values"]])


def test_every_figure_of_the_metric_table_is_the_evaluations():
    judged = review().evaluation
    for name, of in judged.estimates.items():
        row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page(), re.S)[1]
        for metric in judged.metrics:
            digits = 2 if metric.name in TWO_DIGITS else 3
            assert (
                f"<td>{number(of[metric.name].value, digits)}<small>{texts.interval_range(of[metric.name], digits)}"
                in row
            )


def test_figures_of_groups_families_and_drift_are_the_evidences():
    evidence, text = review().evidence, page()
    assert evidence.groups
    for one in evidence.groups:
        assert (
            f"<td>{one.rows:,}</td><td>{number(one.ranking.value)}<small>{texts.interval_range(one.ranking)}"
            in text
        )
        assert f"<td>{percent(one.predicted, 1)}</td><td>{percent(one.observed, 1)}</td>" in text
    for one in evidence.families:
        assert f"{one.family}</th><td>{one.features}</td><td>{number(one.mean_absolute, 2)}</td>" in text
    for row in views.drift_rows(review(), MEANINGS):
        for figure, far in (row["test"], row["now"]):
            assert f"<td><b>{figure}</b></td>" in text if far else f"<td>{figure}</td>" in text
    assert "The shares overlap by at least 75\u202f%." in text
    assert f"their scores against the test's: {views.current_score_drift(review())[0]}." in text


def test_what_a_silo_wrote_cannot_become_markup():
    text = page()
    assert "alert(1)" in text
    assert "<img" not in text
    assert len(re.findall("<script", text)) == len(re.findall("</script>", text)) == 2
    assert HOSTILE in json.dumps(data(), ensure_ascii=False).replace('\\"', '"').replace("\\'", "'")


def test_the_script_is_the_only_one_the_page_allows():
    from base64 import b64encode
    from hashlib import sha256

    script = re.search(r"<script>(.*?)</script>", page(), re.S)[1]
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in page()
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval\(|fetch\(|XMLHttp", script)


def test_without_its_script_the_page_shows_one_customer_of_each_kind():
    static = re.sub(r"<script.*?</script>", "", page(), flags=re.S)
    for kind in {one.kind for one in review().customers}:
        assert re.search(rf"<h3>Sample \d+: {kind}</h3>", static)
    assert static.count('class="waterfall"') == 7
    assert "<noscript>" in static


def test_the_page_asks_nothing_of_a_network_names_nobody_and_is_small():
    text = page()
    named = text.replace("http://www.w3.org/2000/svg", "")  # the name of a vocabulary, no address
    assert not re.search(r"https?:|//[a-z]|src=[\"']|@import|url\(", named)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', text))
    assert not re.search(r"customer-\d", text)
    assert len(text.encode()) < 1_000_000


def test_links_lead_to_ids_that_are_there_once():
    ids = re.findall(r'\bid="([^"]+)"', page())
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in re.findall(r'href="([^"]*)"', page())} <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page())) <= set(ids)


def test_the_verdict_names_what_promotion_would_stop_on():
    (*_, found) = texts.outcome_verdict(review())
    assert (found.state, found.headline) == ("bad", "Does not pass the gate")
    assert found.evidence.startswith("calibration: ")


def test_warnings_name_groups_that_are_off_and_features_that_moved():
    from dataclasses import replace

    told = review()
    group = told.evidence.groups[0]
    off = replace(group, by="region", name="south", wrong=True, weak=True, gap=Estimate(0.2, 0.1, 0.3))
    two = told.evidence.profiles[:2]
    moved = tuple(replace(one, moved=replace(one.moved, psi=0.4, chance=0.1)) for one in two)
    steady = replace(told.evidence.stability, rank_correlation=(0.2, 1.0))
    fairness = tuple(replace(one, ratio=0.5) for one in told.evidence.fairness)
    apart = replace(told.evidence.retold, common=(0.6, 1.0))
    other = replace(told.evidence, groups=(off,), profiles=moved, stability=steady, fairness=fairness)
    other = replace(other, retold=apart)
    found = [*group_warnings(replace(told, evidence=other)), *data_warnings(replace(told, evidence=other))]
    assert [line for line in found if "miscalibrated for region south" in line]
    assert [line for line in found if "Ranking is significantly worse than overall for region south" in line]
    assert [line for line in found if line.startswith("By sex, the top decile selects one group only 50")]
    assert [line for line in found if line.startswith("2 of 2 features have drifted in the test")]
    assert [line for line in found if "rank correlation down to 0.20" in line]
    assert [line for line in found if "overlap by only 60\u202f%" in line]


@pytest.mark.browser
def test_in_a_browser_search_waterfall_and_what_if_work_and_nothing_is_wider_than_the_screen(tmp_path):
    path = tmp_path / "review.html"
    path.write_text(page(), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.open(path.as_uri())
        first = browser.run("document.querySelector('#chosen').textContent")
        before = browser.run("document.querySelector('#waterfall tbody').textContent")
        assert browser.run("document.title") == "Review: churn, version 3"
        asked = review().customers[40].sample
        typed = f"query.value = '{asked}'; query.dispatchEvent(new Event('input')); hits.children.length"
        assert browser.run(typed) == 1
        assert browser.run("count.textContent") == "1 of 200 customers"
        browser.run("hits.querySelector('button').click()")
        assert (
            browser.run("document.querySelector('#chosen').textContent").startswith(f"Sample {asked}: ")
            != first
        )
        assert browser.run("document.querySelector('#waterfall tbody').textContent") != before
        stands = browser.run("answer.textContent")
        (told,) = [one for one in data()["customers"] if one["sample"] == asked]
        assert stands == f"Prediction with the original values: {told['said']}."
        changed = (
            "const choice = document.querySelector('#what-if-0'); choice.selectedIndex = choice.length - 1;"
        )
        browser.run(f"{changed} choice.dispatchEvent(new Event('change'))")
        assert browser.run("answer.textContent") != stands
        assert browser.run("answer.textContent").startswith("Prediction: ")
        browser.run("query.value = 'region north'; query.dispatchEvent(new Event('input'))")
        norths = sum(one.groups.get("region") == "north" for one in review().customers)
        assert browser.run("count.textContent").startswith(f"{norths} of 200")
        browser.run("query.value = 'nobody is called so'; query.dispatchEvent(new Event('input'))")
        assert browser.run("count.textContent") == "0 of 200 customers"
        for width in (1440, 390):
            for dark in (False, True):
                browser.open(path.as_uri(), width, dark=dark)
                assert browser.run("document.documentElement.scrollWidth") == width
        assert browser.console == []
        assert {url for url in browser.requests if not url.startswith("file:")} == set()
