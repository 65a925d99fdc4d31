"""Settings composed from words and from mappings, for the command line and for Python."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from sintonia.core.config import ModelConfig, TuneConfig
from sintonia.core.config.compose import compose, sweep
from sintonia.core.errors import ConfigError, InputError


def test_a_mapping_chooses_options_and_sets_keys_as_the_words_do():
    words = ["task=purchase", "model=large", "seed=11", "split.test_as_of=[2026-03-31]", "experiment=null"]
    mapping = {
        "task": "purchase",
        "model": "large",
        "seed": 11,
        "split": {"test_as_of": ["2026-03-31"]},
        "experiment": None,
    }
    assert compose("train", mapping) == compose("train", words)


def test_a_mapping_under_a_group_sets_keys_of_its_default_option():
    default = compose("train").model
    assert compose("train", {"model": {"num_leaves": 15}}).model == replace(default, num_leaves=15)
    assert compose("train", {"model.num_leaves": 15}).model == replace(default, num_leaves=15)
    assert compose("demo", {"tasks": {"churn": {"horizon_days": 7}}}).tasks["churn"].horizon_days == 7


def test_a_group_may_have_no_option():
    assert compose("train", ["tune=null"]).tune == compose("train", {"tune": None}).tune == TuneConfig()


def test_a_mapping_with_defaults_is_an_option_itself():
    silo = {"path": "a ${x}.csv", "identifiers": {"customer": "the 'card', (no.)"}}
    source = compose("build", {"source": {"defaults": [], "name": "shop", "silos": {"till": silo}}}).source
    assert list(source.silos) == ["till"]
    assert source.silos["till"].path == "a ${x}.csv"
    assert source.silos["till"].identifiers == {"customer": "the 'card', (no.)"}
    large = compose("train", {"model": {"defaults": ["large"], "max_trees": 5}}).model
    assert large == replace(compose("train", ["model=large"]).model, max_trees=5)


def test_values_python_has_are_taken_for_what_yaml_would_hold(tmp_path: Path):
    settings = compose(
        "train",
        {
            "workspace": tmp_path,
            "model": ModelConfig(num_leaves=9),
            "seed": np.int64(3),
            "split": {"test_as_of": (date(2026, 3, 31),)},
        },
    )
    assert (settings.workspace, settings.seed) == (str(tmp_path), 3)
    assert settings.model == ModelConfig(num_leaves=9)
    assert settings.split.test_as_of == ["2026-03-31"]


def test_the_mapping_is_as_before_when_the_settings_are_there():
    mapping = {"model": {"num_leaves": 15}, "model.max_trees": 5}
    settings = compose("train", mapping)
    assert (settings.model.num_leaves, settings.model.max_trees) == (15, 5)
    assert mapping == {"model": {"num_leaves": 15}, "model.max_trees": 5}


@pytest.mark.parametrize("folder", ["mine", "task"])
def test_a_file_of_one_s_own_wins_over_an_option_of_its_name_and_builds_on_options_that_ship(
    tmp_path: Path, folder: str
):
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "churn.yaml"
    path.write_text("defaults: [purchase]\nhorizon_days: 9\n")
    purchase = compose("train", ["task=purchase"]).task
    expected = replace(purchase, horizon_days=9)
    assert compose("train", {"task": path}).task == expected
    assert compose("train", {"task": str(path)}).task == expected
    assert compose("train", [f"task={path}"]).task == expected
    assert compose("demo", {"task@tasks.churn": path}).tasks["churn"] == expected


def test_a_file_in_a_folder_named_as_its_group_builds_on_its_neighbours(tmp_path: Path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "base.yaml").write_text("name: churn\nhorizon_days: 9\n")
    (tmp_path / "task" / "mine.yaml").write_text("defaults: [base]\nactive_days: 8\n")
    task = compose("train", {"task": tmp_path / "task" / "mine.yaml"}).task
    assert (task.horizon_days, task.active_days) == (9, 8)
    task = compose("train", {"task": "mine"}, config_dir=tmp_path).task
    assert (task.horizon_days, task.active_days) == (9, 8)


def test_an_experiment_of_one_s_own_sets_keys_everywhere(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("# @package _global_\ndefaults:\n  - override /task: value\nseed: 99\n")
    settings = compose("train", {"experiment": path})
    assert (settings.task.name, settings.seed) == ("value", 99)


@pytest.mark.parametrize(
    ("verb", "overrides", "message"),
    [
        ("trian", {}, "Unknown verb 'trian'; did you mean 'train'?"),
        (
            "train",
            {"task": "chrun"},
            "Unknown task 'chrun'; did you mean 'churn'? Choose category, churn, label, next_",
        ),
        ("train", {"horizn_days": 3}, "did you mean 'task.horizon_days'?"),
        (
            "train",
            {"model": {"num_leafs": 3}},
            "Unknown key 'model.num_leafs'; did you mean 'model.num_leaves'?",
        ),
        ("train", {"model": {"num_leaves": "3"}}, "model.num_leaves=3 is not a whole number."),
        ("train", {"model": {"num_leaves": True}}, "model.num_leaves=True is not a whole number."),
        ("train", {"model": 3}, "model=3 is one value, but model holds keys; set them as model.KEY=VALUE."),
        ("train", {"preset": {"seed": 3}}, "Unknown key 'preset'"),
        ("forget", {}, "customer must be given: write customer=..."),
        ("train", "task=churn", "Overrides are a list of words or a mapping; write ['task=churn']."),
        ("train", ["task=churn,purchase"], "Several values are a sweep: write `sintonia train -m ...`"),
    ],
)
def test_what_cannot_be_composed_is_answered_in_one_line(verb: str, overrides: object, message: str):
    with pytest.raises(ConfigError) as raised:
        compose(verb, overrides)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_and_folders_that_are_not_there_are_named():
    with pytest.raises(
        InputError, match=r"^source=my/shop.yaml is no file; looked for /.*Give a YAML file, or"
    ):
        compose("build", {"source": "my/shop.yaml"})
    with pytest.raises(InputError, match=r"^--config-dir nowhere is no folder; looked for /"):
        compose("build", config_dir="nowhere")


def test_texts_that_must_be_given_may_be_missing_for_reading():
    assert compose("forget", partial=True).customer == "???"


def test_a_sweep_is_every_combination_and_the_last_word_changes_fastest():
    assert sweep("train", ["task=churn,value", "seed=range(1,3)"]) == [
        ["task=churn", "++seed=1"],
        ["task=churn", "++seed=2"],
        ["task=value", "++seed=1"],
        ["task=value", "++seed=2"],
    ]


def test_a_sweep_reads_what_hydra_s_grammar_reads(tmp_path: Path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "churned.yaml").write_text("name: churn\n")
    assert sweep("train", ["task=glob([c*],exclude=cat*)"], tmp_path) == [["task=churn"], ["task=churned"]]
    assert sweep("train", ["model.lambda_l2=sort(choice(3,1.5),reverse=true)"]) == [
        ["++model.lambda_l2=3"],
        ["++model.lambda_l2=1.5"],
    ]
    assert sweep("train", ["groups=[a,b],[c]"]) == [["++groups=[a,b]"], ["++groups=[c]"]]


def test_a_word_without_several_values_goes_into_every_run_as_typed():
    words = ["workspace=a, b ${x}", "~tracking.uri", "seed=1,2"]
    assert [run[:2] for run in sweep("train", words)] == [words[:2], words[:2]]
