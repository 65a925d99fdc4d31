"""Tasks that ship, and tasks of a user's own in YAML: the question in words, and who is asked about what."""

from dataclasses import asdict
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from brand import FEATURES, MODEL, SPLIT, build_brand
from sintonia.api import pipelines
from sintonia.core.config import QuestionConfig, ScoreSettings, TaskConfig, TrackingConfig, TrainSettings
from sintonia.core.config.compose import compose
from sintonia.core.config.convert import from_plain
from sintonia.core.errors import ConfigError, NotBuiltError
from sintonia.training.tasks import define_label, describe, find_task, label_rows

NEXT_VISIT = """
name: next_visit
active_days: 30
horizon_days: 10
question:
  eligible_kinds: [purchase]
  label_kinds: [visit]
  population: customers who bought in the last {active_days} days
  outcome: visits
"""
AS_OF = datetime(2025, 6, 1)


def test_a_task_of_the_users_own_is_a_yaml_file_in_a_folder_of_options(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "next_visit.yaml").write_text(NEXT_VISIT)
    chosen = compose("train", {"task": "next_visit"}, config_dir=tmp_path)
    assert describe(chosen.task) == (
        "customers who bought in the last 30 days",
        "visits in the 10 days after the as-of date",
    )
    assert define_label(chosen.task) == (
        "1 when an interaction of kind visit falls into (as_of, as_of + 10 days], else 0."
    )


def test_its_label_is_what_its_question_says():
    question = QuestionConfig(["purchase"], ["visit"], "buyers", "does not visit", absence=True)
    config = TaskConfig(name="stays_away", active_days=30, horizon_days=10, question=question)
    days = {"visits": (-5, 3), "stays away": (-5,), "never bought": (3,)}
    kinds = {"visits": ("purchase", "visit"), "stays away": ("purchase",), "never bought": ("visit",)}
    rows = sorted((who, at, kind) for who in days for at, kind in zip(days[who], kinds[who], strict=True))
    moments = pa.array([AS_OF + timedelta(days=at) for _, at, _ in rows], pa.timestamp("us"))
    interactions = pa.table(
        {
            "customer_id": [who for who, *_ in rows],
            "occurred_at": moments,
            "known_at": moments,
            "kind": [kind for *_, kind in rows],
        }
    )
    table = label_rows(interactions, [AS_OF], config)
    assert dict(zip(table["customer_id"].to_pylist(), table["label"].to_pylist(), strict=True)) == {
        "visits": 0,
        "stays away": 1,
    }


def test_a_model_brings_the_question_back_from_its_file():
    question = QuestionConfig(["purchase"], ["purchase", "return"], "buyers", "spends", label="amount")
    config = TaskConfig(name="spend_soon", question=question)
    assert from_plain(TaskConfig, asdict(config), "task") == config
    assert find_task(config).label == "amount"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_kinds": ["purchse"]}, "did you mean 'purchase'"),
        ({"label_kinds": []}, "task.question.label_kinds is empty"),
        ({"label": "number"}, "task.question.label"),
        ({"label": "amount", "absence": True}, "an amount has no absence"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(changes, message):
    right = {"eligible_kinds": ["purchase"], "label_kinds": ["visit"], "population": "a", "outcome": "b"}
    with pytest.raises(ConfigError, match=message):
        QuestionConfig(**{**right, **changes})


def test_the_name_of_a_task_that_ships_and_a_name_no_column_can_bear_are_refused():
    question = QuestionConfig(["purchase"], ["visit"], "buyers", "visits")
    with pytest.raises(ConfigError, match="'churn' is a built-in task"):
        find_task(TaskConfig(name="churn", question=question))
    with pytest.raises(ConfigError, match="is no name"):
        TaskConfig(name="Next visit")


def test_it_walks_the_whole_road_and_a_list_has_its_columns_under_its_name(tmp_path):
    workspace = str(build_brand(tmp_path, customers=200).rounds.parent)
    question = QuestionConfig(
        ["purchase"], ["view"], "buyers of the last {active_days} days", "looks at something"
    )
    tracking = TrackingConfig(prefix="own")
    figures = pipelines.train(
        TrainSettings(
            workspace=workspace,
            features=FEATURES,
            task=TaskConfig(name="next_look", active_days=56, horizon_days=28, force=True, question=question),
            model=MODEL,
            split=SPLIT,
            tracking=tracking,
        )
    )
    assert figures["task"] == "next_look"
    (tmp_path / "list.csv").write_text("card\n0000\n0001\n0002\n")
    list_and_out = {"list": str(tmp_path / "list.csv"), "out": str(tmp_path / "scored.csv"), "key": "card"}
    # No task is named: every task with a registered model is scored, one's own among them.
    pipelines.score(ScoreSettings(workspace=workspace, **list_and_out, tracking=tracking, force=True))
    header = (tmp_path / "scored.csv").read_text().splitlines()[0].split(",")
    assert {"next_look_propensity", "next_look_band", "next_look_reason_1"} <= set(header)
    with pytest.raises(NotBuiltError, match="did you mean 'next_look'"):
        pipelines.score(
            ScoreSettings(
                workspace=workspace, **list_and_out, tasks=["next_lok"], tracking=tracking, force=True
            )
        )
