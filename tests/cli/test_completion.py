"""What TAB offers, in words and in a real bash."""

import shutil
import sys
from pathlib import Path
from subprocess import run

import pytest

from sintonia import cli


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sintonia tr", ["train"]),
        ("sintonia config tr", ["train"]),
        (
            "sintonia train task=",
            [
                "task=category",
                "task=churn",
                "task=label",
                "task=next_best_action",
                "task=purchase",
                "task=value",
            ],
        ),
        ("sintonia train -m task.hor", ["task.horizon_days="]),
        ("sintonia train tas", ["task=", "task."]),
        ("sintonia train --config-dir conf source=sh", ["source=shop"]),
        ("sintonia config train task=pur", ["task=purchase"]),
        ("sintonia score list=cust", ["list=customers.csv"]),
        ("sintonia score list=sub/", ["list=sub/more.csv"]),
        ("sintonia trian task=", []),
        ("sintonia train task='a b", []),
    ],
)
def test_tab_offers_what_may_follow(
    line: str,
    offered: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "sub").mkdir()
    (tmp_path / "conf" / "source").mkdir(parents=True)
    (tmp_path / "conf" / "source" / "shop.yaml").touch()
    for name in ("customers.csv", "customers of old.csv", "sub/more.csv"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_LINE", line)
    assert cli.main(["-sc", "query=bash"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == offered
    assert said.err == ""


def test_a_space_asks_for_every_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COMP_LINE", "sintonia ")
    assert cli.main(["-sc", "query=fish"]) == 0
    assert capsys.readouterr().out.split() == [
        "simulate",
        "build",
        "identity",
        "check",
        "features",
        "train",
        "compare",
        "approve",
        "reject",
        "promote",
        "score",
        "decide",
        "review",
        "forget",
        "upgrade",
        "demo",
        "config",
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_after_the_line_the_help_gives(tmp_path: Path):
    program = tmp_path / "sintonia"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sintonia "$@"\n')
    program.chmod(0o755)
    script = """
        PATH=$1:$PATH
        eval "$(sintonia -sc install=bash)"
        complete -p sintonia > /dev/null || echo 'not registered'
        COMP_LINE='sintonia train task=pu' COMP_CWORD=2
        _sintonia_complete
        echo "${COMPREPLY[@]}"
    """
    ended = run(["bash", "-c", script, "bash", str(tmp_path)], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("task=purchase\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-sc", "install=bsh"], "Unknown shell 'bsh'; did you mean 'bash'? Choose bash, fish."),
        (["train", "-sc"], "Completion takes one word; write `sintonia -sc install=bash`"),
    ],
)
def test_a_shell_that_cannot_be_taught_is_named(words, message, capsys: pytest.CaptureFixture[str]):
    assert cli.main(words) == 2
    assert capsys.readouterr().err.startswith(message)
