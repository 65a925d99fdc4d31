"""Every option of every primary composes, and settings refuse what cannot work."""

from pathlib import Path

import pytest

from sintonia.api.workspace import Workspace
from sintonia.cli.manual import examples
from sintonia.core.config import (
    VERBS,
    ActionConfig,
    CheckSettings,
    DecideSettings,
    EngagementConfig,
    EngineConfig,
    ForgetSettings,
    ScoreSettings,
    SimulateSettings,
    SourceConfig,
    SplitConfig,
    TaskConfig,
    conf_dir,
    data_dir,
    iso_time,
)
from sintonia.core.config.compose import compose
from sintonia.core.config.overrides import config_groups, options
from sintonia.core.errors import ConfigError

NEEDED = {"score": ["list=customers.csv"], "forget": ["customer=C17"]}
NEEDED |= {verb: ["reviewer=risk"] for verb in ("approve", "reject")}
OPTIONS = [
    (verb, group, option) for verb in VERBS for group in config_groups(verb) for option in options(group)
]
BRAND_ACTIONS = ["hillstrom", "starbucks_offers"]
"""Actions that the rules of the synthetic brand do not fit."""


def _settings(verb: str, *words: str) -> object:
    return compose(verb, [*NEEDED.get(verb, []), *words])


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_composes_by_default(verb: str):
    assert type(_settings(verb)) is VERBS[verb]


@pytest.mark.parametrize(("verb", "group", "option"), OPTIONS)
def test_every_option_of_every_group_composes(verb: str, group: str, option: str):
    if verb == "decide" and option == "logged":
        with pytest.raises(ConfigError, match="names no action"):
            _settings(verb, "actions=logged")
        return
    fitting = ["engagement=unrestricted"] if group == "actions" and option in BRAND_ACTIONS else []
    words = [f"{group}={option}", *(fitting if verb in ("score", "decide") else [])]
    assert type(_settings(verb, *words)) is VERBS[verb]


def test_every_yaml_file_is_a_primary_or_an_option_of_a_primary():
    used = {f"{group.partition('@')[0]}/{option}.yaml" for _, group, option in OPTIONS}
    found = {path.relative_to(conf_dir()).as_posix() for path in conf_dir().rglob("*.yaml")}
    assert found == used | {f"{verb}.yaml" for verb in VERBS}


@pytest.mark.parametrize("verb", VERBS)
def test_a_primary_is_short_and_opens_with_two_commands_to_try(verb: str):
    assert len((conf_dir() / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()) <= 30
    assert len(examples(verb)) == 2


def test_the_workspace_is_named_after_the_source():
    found = _settings("build", "source=complete_journey")
    assert getattr(found, "workspace", None) == "workspace/complete_journey"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EngineConfig(threads=0), "engine.threads=0 is too small; give at least 1."),
        (lambda: EngineConfig(name="spak"), "Unknown engine 'spak'"),
        (lambda: TaskConfig(horizon_days=0), "task.horizon_days=0 is too small"),
        (lambda: SplitConfig(test_as_of=["24/09/2017"]), "split.test_as_of='24/09/2017' is not a date"),
        (lambda: SimulateSettings(start="2026-01-01", end="2025-01-01"), "is not after start=2026-01-01"),
        (lambda: CheckSettings(dates=0), "dates=0 is too small; give at least 1."),
        (lambda: CheckSettings(strong_auc=70), "strong_auc=70 is no such AUC; give 0.5 <= strong_auc < 1."),
        (lambda: ScoreSettings(list="a.csv", segment="tier = 1"), "each say who is scored; give one of them"),
        (lambda: DecideSettings(), "names no action; give actions=synthetic"),
        (
            lambda: ScoreSettings(list="a.csv", tasks=["churn", "next_best_action"]),
            "names no action; give actions=synthetic",
        ),
        (
            lambda: ScoreSettings(
                list="a.csv",
                tasks=["next_best_action"],
                actions={"mail": ActionConfig("email")},
                engagement=EngagementConfig(fallback="sms"),
            ),
            "Unknown action in engagement.fallback: 'sms'",
        ),
        (
            lambda: SourceConfig(currency="eur"),
            "source.currency='eur' is not a currency code; write three capital letters, as EUR.",
        ),
        (lambda: ForgetSettings(customer=" "), "forget needs a customer"),
        (lambda: ScoreSettings(list="a.csv", bands={"high": 91}), "leaves the lowest percentiles without"),
        (lambda: ScoreSettings(list="a.csv", output="xml"), "Unknown output 'xml'"),
        (
            lambda: iso_time("source.until", "soon"),
            "source.until='soon' is not a date; write it as 2026-01-31.",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(make: object, message: str):
    assert callable(make)
    with pytest.raises(ConfigError) as raised:
        make()
    assert message in str(raised.value)


def test_an_interpolation_that_leads_nowhere_names_its_key(tmp_path: Path):
    (tmp_path / "own.yaml").write_text("name: ${nowhere}\n")
    with pytest.raises(
        ConfigError, match=r"Cannot resolve task\.name: Interpolation key 'nowhere' not found"
    ):
        compose("train", {"task": tmp_path / "own.yaml"})


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SINTONIA_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("SINTONIA_DATA")
    assert data_dir() is None


def test_a_path_may_begin_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = ScoreSettings(
        workspace="~/shop", list="~/customers.csv", out="~/out.csv", suppress="~/stop.csv"
    )
    assert settings.paths.root == tmp_path / "shop"
    assert (settings.list, settings.out, settings.suppress) == tuple(
        str(tmp_path / name) for name in ("customers.csv", "out.csv", "stop.csv")
    )
    assert Workspace("~/shop").path == tmp_path / "shop"
    assert ScoreSettings(list="~customers.csv").list == "~customers.csv"
