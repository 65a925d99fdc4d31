"""Decisions on a model: whose, on which bytes, and for how long they hold."""

import json
from pathlib import Path

import pytest

from sintonia.core.config import SignSettings, TrackingConfig
from sintonia.core.errors import ConfigError, NotBuiltError
from sintonia.registry.approval import (
    TAG,
    ReviewDecision,
    latest_decision,
    objection,
    review_decisions,
    sign_decision,
)
from sintonia.registry.promotion_checks import is_approved
from sintonia.registry.runs import log_page
from sintonia.registry.tracking import Registered, Tracking, open_tracking

NAME = "shop-churn"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tracking, Path]:
    folder: Path = tmp_path_factory.mktemp("registry")
    place = open_tracking(TrackingConfig(prefix="shop"), folder)
    place.client.create_registered_model(NAME)
    place.client.create_experiment(NAME, artifact_location=place.artifacts)
    return place, folder


@pytest.fixture
def made(registry):
    """A registry with one more version, its page, and the file of its trees."""
    place, folder = registry
    experiment = place.client.get_experiment_by_name(NAME).experiment_id
    run_id = place.client.create_run(experiment).info.run_id
    trees = folder / run_id / "data" / "sintonia" / "model.txt"
    trees.parent.mkdir(parents=True)
    trees.write_text("a tree")
    version = place.client.create_model_version(NAME, source=str(folder / run_id), run_id=run_id).version
    registered = Registered(NAME, str(version), "", run_id)
    log_page(place, registered, "<p>a page</p>")
    return place, registered, trees


def test_an_approval_holds_while_model_and_page_are_what_was_read(made):
    place, registered, _ = made
    assert not is_approved(place, registered).passed
    signed = sign_decision(place, registered, "approve", "risk", "")
    assert objection(place, registered, signed) is None
    passed = is_approved(place, registered)
    assert (passed.name, passed.passed) == ("approval", True)
    assert signed.page_digest[:12] in passed.explanation


@pytest.mark.parametrize("what", ["page", "model"])
def test_a_changed_page_or_model_voids_the_approval_and_the_same_bytes_again_do_not(made, what):
    place, registered, trees = made
    sign_decision(place, registered, "approve", "risk", "")
    log_page(place, registered, "<p>a page</p>")
    assert is_approved(place, registered).passed
    if what == "page":
        log_page(place, registered, "<p>another page</p>")
    else:
        trees.write_text("another tree")
    found = is_approved(place, registered)
    assert not found.passed
    assert f"its {what} has changed since" in found.explanation


def test_the_last_decision_on_a_version_counts_and_none_is_lost(made):
    place, registered, _ = made
    before = len(review_decisions(place, NAME))
    sign_decision(place, registered, "approve", "risk", "fine")
    sign_decision(place, registered, "reject", "privacy", "not for the young")
    assert [one.reviewer for one in review_decisions(place, NAME)[before:]] == ["risk", "privacy"]
    assert is_approved(place, registered).explanation.startswith("rejected by privacy on ")
    sign_decision(place, registered, "approve", "privacy", "mended")
    assert is_approved(place, registered).passed
    assert len(review_decisions(place, NAME)) == before + 3


def test_a_model_without_a_page_cannot_be_signed(made):
    place, registered, _ = made
    bare = place.client.create_run(place.client.get_experiment_by_name(NAME).experiment_id).info.run_id
    with pytest.raises(NotBuiltError, match="run `sintonia review` and read it first"):
        sign_decision(place, Registered(NAME, registered.version, "", bare), "approve", "risk", "")


def test_a_decision_on_one_version_says_nothing_of_another():
    one = ReviewDecision("2026-01-01", "approve", "risk", "", "1", "m", "p")
    other = ReviewDecision("2026-01-02", "reject", "risk", "", "2", "m", "p")
    assert latest_decision([one, other], "1") is one
    assert latest_decision([one, other], "3") is None


def test_a_decision_is_refused_without_a_name_or_with_a_remark_too_long_to_keep(made):
    with pytest.raises(ConfigError, match="reviewer=NAME"):
        SignSettings(reviewer=" ")
    with pytest.raises(ConfigError, match="letters"):
        SignSettings(reviewer="risk", remark="x" * 2000)
    place, registered, _ = made
    longest = SignSettings(reviewer="risk", remark="\u00e9" * 1996)
    sign_decision(place, registered, "reject", longest.reviewer, longest.remark)
    assert review_decisions(place, NAME)[-1].remark == longest.remark
    tags = place.client.get_registered_model(NAME).tags
    assert all(json.loads(tags[key])["reviewer"] for key in tags if key.startswith(TAG))
