"""The command line as people and programs meet it."""

import errno
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen, run
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given
from hypothesis import settings as checked
from hypothesis import strategies as st

import sintonia
from sintonia import cli
from sintonia.core.config import VERBS, ScoreSettings, TrainSettings
from sintonia.core.errors import NotBuiltError

SINTONIA = [sys.executable, "-m", "sintonia"]


def _train(chosen: TrainSettings) -> dict[str, Any]:
    """Stand in for a run: figures that follow from the settings, and what other packages would chatter."""
    logging.getLogger("sintonia").info("Training %s", chosen.task.name)
    logging.getLogger("alembic").info("chatter")
    warnings.warn("chatter", stacklevel=1)
    if chosen.model.num_leaves == 13:
        raise NotBuiltError("No store in 'x'.\nRun `sintonia build` first.")
    leaves = chosen.model.num_leaves
    return {
        "task": chosen.task.name,
        "auc": 0.5 + leaves / 100,
        "rfm": {"auc": float("nan")},
        "say": ["Done, è."],
    }


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """The verbs' work, replaced: what a verb is given lands in `given`; the current folder is empty."""
    fake = SimpleNamespace(given=[])

    def keep(chosen: object) -> dict[str, Any]:
        fake.given.append(chosen)
        return _train(chosen) if isinstance(chosen, TrainSettings) else {"rows": 3}

    for verb in VERBS:
        setattr(fake, verb, keep)
    fake.run = lambda verb, settings: getattr(fake, verb)(settings)
    monkeypatch.setitem(sys.modules, "sintonia.api.pipelines", fake)
    monkeypatch.setattr(sintonia, "pipelines", fake, raising=False)
    monkeypatch.chdir(tmp_path)
    return fake


def _raising(error: BaseException) -> Callable[[object], dict[str, Any]]:
    def verb(_: object) -> dict[str, Any]:
        raise error

    return verb


def test_a_run_hands_typed_settings_over_and_says_what_came_of_it(pipelines, capsys, tmp_path):
    assert cli.main(["train", "task=purchase", "task.horizon_days=14", "seed=11"]) == 0
    (chosen,) = pipelines.given
    assert (chosen.task.name, chosen.task.horizon_days, chosen.seed) == ("purchase", 14, 11)
    said = capsys.readouterr()
    assert said.out == "Done, è.\n"
    assert said.err == "Training purchase\n"
    assert list(tmp_path.iterdir()) == []


def test_json_is_the_last_line_sorted_and_without_nan_or_words_for_people(pipelines, capsys):
    assert cli.main(["train", "output=json", "model.num_leaves=15"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == '{"auc": 0.65, "rfm": {"auc": null}, "task": "churn"}'


def test_figures_without_words_are_listed(pipelines, capsys):
    assert cli.main(["build"]) == 0
    assert capsys.readouterr().out == "rows: 3\n"


@checked(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_characters="\0"), min_size=1).filter(
        lambda text: text not in ("null", "???")
    )
)
@example("clienti, è nuovi (1).csv")
@example("a=b ${source.name} 'c' \\")
def test_free_text_reaches_the_program_as_typed(pipelines, text):
    pipelines.given.clear()
    assert cli.main(["score", f"list={text}", f"+key={text}", f"++source.root={text}"]) == 0
    (chosen,) = pipelines.given
    assert isinstance(chosen, ScoreSettings)
    assert (chosen.list, chosen.key, chosen.source.root) == (text, text, text)


ERRORS = {
    ("trian",): "Unknown verb 'trian'; did you mean 'train'?",
    ("task=churn",): "Unknown verb 'task=churn'; choose",
    ("config", "trian"): "Unknown verb 'trian'; did you mean 'train'?",
    (
        "train",
        "task=chrun",
    ): "Unknown task 'chrun'; did you mean 'churn'? Choose category, churn, label, next_best_action, purchase, value.",
    ("train", "-m", "task=churn,purchse"): "Unknown task 'purchse'; did you mean 'purchase'?",
    ("train", "tsk=churn"): "Unknown key 'tsk'; did you mean 'task'?",
    ("train", "task.horizn_days=3"): "Unknown key 'task.horizn_days'; did you mean 'task.horizon_days'?",
    ("simulate", "customrs=5"): "Unknown key 'customrs'; did you mean 'customers'?",
    ("simulate", "customers=abc"): "customers=abc is not a whole number.",
    ("simulate", "customers=0"): "customers=0 is too small; give at least 1.",
    ("train", "output=xml"): "Unknown output 'xml'; choose json, text.",
    ("train", "split.test_as_of=[1"): "Cannot read 'split.test_as_of=[1'; quote special characters",
    ("train", "task=churn,purchase"): "Several values are a sweep: write `sintonia train -m ...`",
    (
        "score",
        "customers.csv",
    ): "Cannot read 'customers.csv'; write key=value, for example list=customers.csv.",
    ("train", "--foo"): "Unrecognized arguments: --foo; see `sintonia train --help`.",
    ("train", "-m", "--cfg", "job"): "Give one of --multirun and --cfg.",
    ("train", "--cfg", "hydra"): "Argument -c/--cfg: invalid choice: 'hydra'",
    ("train", "--info"): "There is no --info any more; write `sintonia config train ...`.",
    ("train", "--info", "searchpath"): "There is no --info any more",
    ("train", "-cn", "mine", "seed=1"): "There is no --config-name any more; write experiment=NAME",
    ("train", "-m", "task=churn", "seed=interval(1,3)"): "Cannot count the values of 'seed=interval(1,3)'",
    ("train", "-m", "task=glob(x*)"): "'task=glob(x*)' stands for no value; choose category, churn,",
    ("train", "-m", "model.num_leaves=15,1"): "model.num_leaves=1 is too small; give at least 2.",
    ("train", "source=my/shop.yaml"): "source=my/shop.yaml is no file; looked for ",
    ("train", "--config-dir", "nowhere"): "--config-dir nowhere is no folder",
    ("train", "-m", "hydra/launcher=joblib"): "'hydra/launcher=joblib' is a setting of Hydra's",
    ("train", "model.num_leaves=13"): "No store in 'x'. Run `sintonia build` first.",
}


@pytest.mark.parametrize(("words", "message"), ERRORS.items(), ids=[" ".join(words) for words in ERRORS])
def test_what_a_user_can_mend_ends_with_code_2_and_one_line(pipelines, capsys, words, message):
    assert cli.main(words) == 2
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith("Training")]
    assert len(lines) == 1
    assert lines[0].startswith(message)
    assert said.out == ""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
            2,
            "No such file or directory: 'a.csv'.\n",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device: 'the disk'.\n"),
    ],
)
def test_an_interruption_and_a_bad_path_end_in_one_line(pipelines, capsys, error, code, line):
    pipelines.build = _raising(error)
    assert cli.main(["build"]) == code
    assert capsys.readouterr().err == line


def test_a_check_that_does_not_pass_ends_with_code_1_when_all_is_printed(pipelines, capsys):
    pipelines.check = lambda chosen: {"passed": chosen.seed == 1, "say": [f"Found with seed {chosen.seed}."]}
    assert cli.main(["check", "seed=1"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["check", "seed=2"]) == 1
    said = capsys.readouterr()
    assert said.out == "Found with seed 2.\n"
    assert said.err.startswith("The check did not pass")
    assert cli.main(["check", "output=json", "seed=2"]) == 1
    assert json.loads(capsys.readouterr().out) == {"passed": False}
    assert cli.main(["check", "-m", "seed=2,1"]) == 1
    assert "Found with seed 1." in capsys.readouterr().out


@pytest.mark.parametrize("error", [ValueError("defect"), OSError("no path of the user's")])
def test_a_defect_of_ours_keeps_its_traceback(pipelines, error):
    pipelines.build = _raising(error)
    with pytest.raises(type(error)):
        cli.main(["build"])


def test_a_reader_that_goes_away_is_no_error():
    with Popen([*SINTONIA, "--help"], stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_wrong_key_in_a_process_of_its_own_ends_without_a_traceback():
    ended = run([*SINTONIA, "train", "task.horizn_days=3"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("Unknown key 'task.horizn_days'; did you mean 'task.horizon_days'?")


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_help_takes_less_than_a_second_of_work(words):
    spent = []
    for _ in range(3):
        before = os.times()
        run([*SINTONIA, *words], capture_output=True, check=True)
        after = os.times()
        spent.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(spent) < 1.0


def test_no_words_and_help_show_the_same_page(capsys):
    assert cli.main([]) == 0
    page = capsys.readouterr().out
    assert cli.main(["--help"]) == 0
    assert capsys.readouterr().out == page


@pytest.mark.parametrize("words", [["--version"], ["train", "--version"]])
def test_the_version_is_ours(capsys, words):
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"sintonia {sintonia.__version__}\n"


def test_config_prints_what_a_verb_would_run_with(capsys):
    assert cli.main(["config", "train", "task=purchase", "workspace=ä ${x}"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["task"]["name"], shown["workspace"]) == ("purchase", "ä ${x}")
    assert cli.main(["config", "score", "output=json"]) == 0
    assert json.loads(capsys.readouterr().out)["list"] == ""


def test_a_folder_of_one_s_own_holds_options_too(pipelines, tmp_path):
    (tmp_path / "my, conf" / "task").mkdir(parents=True)
    (tmp_path / "my, conf" / "task" / "lapse.yaml").write_text("name: churn\nhorizon_days: 7\n")
    for sweep in ([], ["-m"]):
        assert cli.main(["train", *sweep, "task=lapse", "--config-dir", "my, conf"]) == 0
        assert pipelines.given[-1].task.horizon_days == 7


def test_a_sweep_runs_every_combination_and_ends_with_what_tells_the_runs_apart(pipelines, capsys, tmp_path):
    assert cli.main(["train", "-m", "task=churn,purchase", "model.num_leaves=15,31", "workspace=a, b"]) == 0
    assert [(chosen.task.name, chosen.model.num_leaves) for chosen in pipelines.given] == [
        ("churn", 15),
        ("churn", 31),
        ("purchase", 15),
        ("purchase", 31),
    ]
    assert {chosen.workspace for chosen in pipelines.given} == {"a, b"}
    said = capsys.readouterr()
    assert said.out.splitlines()[-5:] == [
        "run                                task      auc",
        "task=churn model.num_leaves=15     churn     0.6500",
        "task=churn model.num_leaves=31     churn     0.8100",
        "task=purchase model.num_leaves=15  purchase  0.6500",
        "task=purchase model.num_leaves=31  purchase  0.8100",
    ]
    assert said.err.splitlines()[0].startswith("Run: task=churn model.num_leaves=15")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_s_table_shows_the_row_a_run_gives_for_it(pipelines, capsys):
    pipelines.train = lambda chosen: {
        "seed": chosen.seed,
        "row": {"AUC": f"0.{chosen.seed}"},
        "say": ["Done."],
    }
    assert cli.main(["train", "-m", "seed=1,2"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == ["run     AUC", "seed=1  0.1", "seed=2  0.2"]


def test_a_sweep_prints_one_json_line_a_run(pipelines, capsys):
    assert cli.main(["train", "-m", "model.num_leaves=15,31", "output=json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["auc"] for line in lines] == [0.65, 0.81]
    assert lines[1]["overrides"] == ["model.num_leaves=31", "output=json"]


def test_a_run_that_fails_leaves_the_others_of_its_sweep_alone(pipelines, capsys):
    assert cli.main(["train", "-m", "model.num_leaves=13,15"]) == 2
    said = capsys.readouterr()
    assert "Done, è." in said.out
    assert said.err.splitlines()[-1] == "No store in 'x'. Run `sintonia build` first."


def test_cfg_job_prints_what_the_verb_would_be_run_with(pipelines, capsys, tmp_path):
    assert cli.main(["train", "--cfg", "job", "task=purchase", "--resolve"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["task"]["name"] == "purchase"
    assert (pipelines.given, list(tmp_path.iterdir())) == ([], [])


def test_a_file_of_one_s_own_is_an_option_in_a_run_and_in_a_sweep(pipelines, tmp_path):
    (tmp_path / "own tasks").mkdir()
    for days in (7, 14):
        (tmp_path / "own tasks" / f"lapse_{days}.yaml").write_text(f"name: churn\nhorizon_days: {days}\n")
    assert cli.main(["train", "task=own tasks/lapse_7.yaml"]) == 0
    assert cli.main(["train", "-m", "task=own tasks/lapse_14.yaml,own tasks/lapse_7.yaml,churn"]) == 0
    assert [settings.task.horizon_days for settings in pipelines.given] == [7, 14, 7, 60]


def test_what_is_logged_and_warned_of_is_as_before_when_the_command_is_through(pipelines):
    logger = logging.getLogger("sintonia")
    before = logger.handlers, logger.level, logger.propagate, warnings.filters[:]
    assert cli.main(["train"]) == 0
    assert (logger.handlers, logger.level, logger.propagate, warnings.filters[:]) == before
