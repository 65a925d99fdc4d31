"""Old names of keys and groups answer with the new one, wherever they are written."""

from pathlib import Path

import pytest

from sintonia import cli
from sintonia.core.config import renamed
from sintonia.core.config.compose import compose
from sintonia.core.config.renamed import new_name
from sintonia.core.errors import ConfigError

TABLE = dict(renamed.RENAMED_KEYS)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch):
    """Names that no verb has today stand for those that were renamed."""
    names = {"learner": "model", "model.leaves": "model.num_leaves", "tasks.*.days": "tasks.*.horizon_days"}
    names["seed"] = "task"  # a name of today is never called old
    monkeypatch.setattr(renamed, "RENAMED_KEYS", names)


@pytest.mark.parametrize(
    ("verb", "overrides", "message"),
    [
        ("train", ["learner=large"], "learner is called model now; write model=large"),
        ("train", {"learner": "large"}, "learner is called model now; write model=large"),
        (
            "train",
            ["+learner.max_bin=3"],
            "learner.max_bin is called model.max_bin now; write model.max_bin=3",
        ),
        (
            "train",
            ["learner.leaves=3"],
            "learner.leaves is called model.num_leaves now; write model.num_leaves=3",
        ),
        ("train", {"learner": {"leaves": 3}}, "learner is called model now; write model=..."),
        (
            "train",
            {"model": {"leaves": 3}},
            "model.leaves is called model.num_leaves now; write model.num_leaves=3",
        ),
        (
            "demo",
            ["tasks.churn.days=7"],
            "tasks.churn.days is called tasks.churn.horizon_days now; write tasks.churn.horizon_days=7",
        ),
    ],
)
def test_an_old_name_answers_with_the_new_one(verb: str, overrides: object, message: str):
    with pytest.raises(ConfigError) as raised:
        compose(verb, overrides)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# @package _global_\nmodel: {leaves: 3}\n",
            "model.leaves is called model.num_leaves now; write mo",
        ),
        ("# @package _global_\nlearner: {max_bin: 3}\n", "learner is called model now; write model=..."),
        ("defaults: [/learner: large]\n", "learner is called model now; write model=large"),
        (
            "# @package _global_\ndefaults: [override /learner: large]\n",
            "learner is called model now; write mod",
        ),
    ],
)
def test_an_old_name_in_a_file_of_the_user_s_answers_too(tmp_path: Path, text: str, message: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        compose("train", {"experiment": path})
    assert str(raised.value).startswith(message)


def test_on_the_command_line_it_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["train", "learner=large"]) == 2
    assert capsys.readouterr().err == "learner is called model now; write model=large\n"


def test_a_name_of_today_keeps_its_meaning():
    assert compose("train", ["seed=3"]).seed == 3


def test_a_table_that_goes_round_in_circles_ends():
    assert new_name("a.x", {"a": "b", "b": "a"}) is None


OLD_KEYS = [
    ("train", "policy=margin", "policy is called effects now; write effects=margin"),
    (
        "decide",
        "effects=mine.parquet",
        "effects is called effects_table now; write effects_table=mine.parquet",
    ),
    ("train", "policy.folds=3", "policy.folds is called effects.folds now; write effects.folds=3"),
    (
        "train",
        "policy.reward.cap_eur=200",
        "policy.reward.cap_eur is called effects.reward.cap now; write effects.reward.cap=200",
    ),
    (
        "train",
        "policy.actions.mail.cost_eur=0.1",
        "policy.actions.mail.cost_eur is called actions.mail.cost now; write actions.mail.cost=0.1",
    ),
    (
        "decide",
        "engagement.actions.mail.cost_eur=0.1",
        "engagement.actions.mail.cost_eur is called actions.mail.cost now; write actions.mail.cost=0.1",
    ),
    (
        "decide",
        "engagement.budget_eur=500",
        "engagement.budget_eur is called engagement.budget now; write engagement.budget=500",
    ),
    (
        "train",
        "profit.customer_value_eur=90",
        "profit.customer_value_eur is called profit.customer_value now; write profit.customer_value=90",
    ),
    (
        "train",
        "profit.contact_eur=1",
        "profit.contact_eur is called profit.contact_cost now; write profit.contact_cost=1",
    ),
]


@pytest.fixture
def todays_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(renamed, "RENAMED_KEYS", TABLE)


@pytest.mark.usefixtures("todays_table")
@pytest.mark.parametrize(("verb", "word", "message"), OLD_KEYS)
def test_an_old_key_of_actions_effects_and_amounts_answers_with_its_name_of_today(
    verb: str, word: str, message: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main([verb, word]) == 2
    assert capsys.readouterr().err == f"{message}\n"


@pytest.mark.usefixtures("todays_table")
@pytest.mark.parametrize(
    ("verb", "overrides", "message"),
    [
        ("train", {"policy": "margin"}, "policy is called effects now; write effects=margin"),
        (
            "decide",
            {"effects": "mine.parquet"},
            "effects is called effects_table now; write effects_table=mine.parquet",
        ),
        ("train", {"policy": {"folds": 3}}, "policy is called effects now; write effects=..."),
        (
            "train",
            {"effects": {"reward": {"cap_eur": 200}}},
            "effects.reward.cap_eur is called effects.reward.cap now; write effects.reward.cap=200",
        ),
        (
            "decide",
            {"engagement": {"actions": {"mail": {"cost_eur": 0.1}}}},
            "engagement.actions is called actions now; write actions=...",
        ),
        (
            "decide",
            {"actions": {"mail": {"channel": "email", "cost_eur": 0.1}}},
            "actions.mail.cost_eur is called actions.mail.cost now; write actions.mail.cost=0.1",
        ),
    ],
)
def test_an_old_key_in_python_answers_with_its_name_of_today(verb: str, overrides: object, message: str):
    with pytest.raises(ConfigError) as raised:
        compose(verb, overrides)
    assert str(raised.value) == message


@pytest.mark.usefixtures("todays_table")
@pytest.mark.parametrize(
    ("group", "text", "message"),
    [
        (
            "engagement",
            "budget_eur: 500\n",
            "engagement.budget_eur is called engagement.budget now; write engagement.budget=500",
        ),
        (
            "engagement",
            "actions: {mail: {channel: email}}\n",
            "engagement.actions is called actions now; write actions=...",
        ),
        (
            "actions",
            "mail: {channel: email, cost_eur: 0.1}\n",
            "actions.mail.cost_eur is called actions.mail.cost now; write actions.mail.cost=0.1",
        ),
    ],
)
def test_an_old_key_in_yaml_is_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str, text: str, message: str
):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert cli.main(["decide", f"{group}={path}"]) == 2
    assert capsys.readouterr().err == f"{message}\n"
