"""Who is champion, and since when: in a registry of its own, without a model."""

from pathlib import Path

import pytest

from sintonia.core.config import PromoteSettings, TrackingConfig
from sintonia.core.errors import ConfigError, GateError, NotBuiltError
from sintonia.registry.models import CHAMPION, find_by_alias, find_candidate, list_versions
from sintonia.registry.promotion import champion_history, promote, roll_back
from sintonia.registry.promotion_checks import Requirement
from sintonia.registry.tracking import Registered, Tracking, open_tracking

GOOD = Requirement("champion", True, "better than the champion")
BAD = Requirement("calibration", False, "error 0.060 [0.030, 0.080]")
NAME = "shop-churn"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """A registry with three versions of a model, none of them champion."""
    folder: Path = tmp_path_factory.mktemp("registry")
    place = open_tracking(TrackingConfig(prefix="shop"), folder)
    client = place.client
    client.create_registered_model(NAME)
    experiment = client.create_experiment(NAME, artifact_location=place.artifacts)
    for _ in range(3):
        run = client.create_run(experiment)
        client.create_model_version(NAME, source=f"{folder}/model", run_id=run.info.run_id)
    client.set_registered_model_alias(NAME, "candidate", "3")
    return place


@pytest.fixture(autouse=True)
def nobody(place: Tracking) -> None:
    """No champion and no history yet."""
    model = place.client.get_registered_model(NAME)
    for tag in model.tags:
        place.client.delete_registered_model_tag(NAME, tag)
    if CHAMPION in model.aliases:
        place.client.delete_registered_model_alias(NAME, CHAMPION)


def version(number: int) -> Registered:
    return Registered(NAME, str(number), "", "run")


def champion(place: Tracking) -> Registered | None:
    return find_by_alias(place, "churn", CHAMPION)


def test_a_candidate_that_shows_everything_is_champion_and_the_history_grows(place):
    promote(place, version(1), champion(place), [GOOD], force=False)
    promote(place, version(2), champion(place), [GOOD], force=False)
    now = champion(place)
    assert now is not None
    assert now.version == "2"
    assert [(entry.version, entry.before, entry.forced) for entry in champion_history(place, NAME)] == [
        ("1", None, False),
        ("2", "1", False),
    ]


def test_a_candidate_that_fails_changes_nothing_and_every_failure_is_named(place):
    naive = Requirement("naive rule", False, "not distinguishable from the recency rule")
    with pytest.raises(GateError) as refused:
        promote(place, version(1), None, [naive, GOOD, BAD], force=False)
    assert str(refused.value).startswith("shop-churn version 1 stays a candidate: naive rule: not disting")
    assert "calibration: error 0.060 [0.030, 0.080]" in str(refused.value)
    assert "better than the champion" not in str(refused.value)
    assert (champion(place), champion_history(place, NAME)) == (None, [])
    assert GateError.exit_code == 2


def test_force_goes_through_the_gate_and_is_recorded_with_what_failed(place):
    entry = promote(place, version(1), None, [GOOD, BAD], force=True)
    assert (entry.forced, entry.failed) == (True, ("calibration",))
    assert champion_history(place, NAME) == [entry]
    assert not promote(place, version(2), champion(place), [GOOD], force=True).forced


def test_a_rollback_returns_to_the_champion_before_and_another_to_the_one_before_that(place):
    for number in (1, 2, 3):
        promote(place, version(number), champion(place), [GOOD], force=False)
    assert roll_back(place, NAME, champion(place)).version == "2"
    assert roll_back(place, NAME, champion(place)).version == "1"
    with pytest.raises(NotBuiltError, match="no previous champion to roll back to"):
        roll_back(place, NAME, champion(place))
    promote(place, version(3), champion(place), [GOOD], force=False)
    assert roll_back(place, NAME, champion(place)).version == "1"
    assert [entry.action for entry in champion_history(place, NAME)] == [
        *["promote"] * 3,
        *["rollback"] * 2,
        "promote",
        "rollback",
    ]


def test_an_alias_moved_by_hand_was_a_reign_too(place):
    place.client.set_registered_model_alias(NAME, CHAMPION, "1")
    promote(place, version(2), champion(place), [GOOD], force=False)
    assert roll_back(place, NAME, champion(place)).version == "1"


def test_more_than_nine_changes_stay_in_order(place):
    for turn in range(11):
        promote(place, version(turn % 3 + 1), champion(place), [GOOD], force=False)
    assert [entry.version for entry in champion_history(place, NAME)] == [
        str(turn % 3 + 1) for turn in range(11)
    ]


def test_versions_bear_their_alias_and_the_champions_goes_first(place):
    place.client.set_registered_model_alias(NAME, CHAMPION, "3")
    assert [(one.version, one.alias) for one in list_versions(place, "churn")] == [
        ("1", ""),
        ("2", ""),
        ("3", "champion"),
    ]
    assert find_candidate(place, "churn", None).version == "3"
    assert find_candidate(place, "churn", "2").version == "2"
    with pytest.raises(ConfigError, match="Unknown version of shop-churn '9'"):
        find_candidate(place, "churn", "9")
    with pytest.raises(NotBuiltError, match="run `sintonia train task=purchase` first"):
        find_candidate(place, "purchase", None)


def test_nobody_was_ever_promoted(place):
    assert champion_history(place, "no such model") == []
    with pytest.raises(NotBuiltError):
        roll_back(place, NAME, champion(place))


def test_forward_and_back_at_once_is_refused():
    with pytest.raises(ConfigError, match="rollback=true returns"):
        PromoteSettings(rollback=True, force=True)
