"""Hillstrom's randomised e-mails and a targeted log, as a user meets them; figures are in bench_policy."""

import json

import pytest

from sintonia.cli import main

pytestmark = pytest.mark.real_data


def run(folder, capsys, monkeypatch, real_data_dir, source, *words):
    monkeypatch.setenv("SINTONIA_DATA", str(real_data_dir))
    where = [f"source={source}", f"workspace={folder}"]
    assert main(["build", *where, "identity=deterministic"]) == 0
    capsys.readouterr()
    code = main(["train", *where, "task=next_best_action", *words, "output=json", "model.threads=1"])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.slow
def test_hillstroms_policy_is_never_surely_worse_than_the_best_constant(
    tmp_path, capsys, monkeypatch, real_data_dir
):
    code, out, _ = run(
        tmp_path,
        capsys,
        monkeypatch,
        real_data_dir,
        "hillstrom",
        "actions=hillstrom",
        "effects=hillstrom",
        "features.families=[rfm,profile]",
    )
    assert code == 0
    figures = json.loads(out.splitlines()[-1])
    assert figures["gate"]["constant"] == "mens_email"
    assert figures["policies"]["chosen"]["against_constant"][2] >= 0
    value, low, high = figures["policies"]["always mens_email"]["snips"]
    assert low < 0.182 < high
    assert value > figures["policies"]["nothing"]["snips"][2]


@pytest.mark.slow
def test_a_bank_that_called_everybody_on_its_list_is_refused(tmp_path, capsys, monkeypatch, real_data_dir):
    code, _, error = run(tmp_path, capsys, monkeypatch, real_data_dir, "bank_marketing", "effects=converted")
    assert code == 2
    assert "no effect can be learned" in error
