"""A candidate policy before promotion: decisions worked by hand, and the road from training to champion."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from sintonia.core.errors import NotBuiltError
from sintonia.core.pseudonyms import COLUMN
from sintonia.registry import policy_promotion_checks
from sintonia.registry.policy_promotion_checks import (
    align_actions,
    beats_nothing,
    difference_to_nothing,
    is_randomised,
    policy_checks,
)
from sintonia.registry.tracking import Registered

RNG = np.random.default_rng(3)
DAY = np.datetime64("2026-01-01", "us")


def _rows(mail_brings, chosen, n=400):
    """Decisions at which doing nothing brings about 1, a mail so much more, and the policy mails with a probability."""
    nothing = 1 + 0.1 * RNG.normal(size=n)
    brings = np.column_stack([nothing, nothing + mail_brings + 0.1 * RNG.normal(size=n)])
    policy = np.tile([1 - chosen, chosen], (n, 1))
    return pa.table(
        {
            COLUMN: [f"{at:04d}" for at in range(n)],
            "as_of": pa.array(np.full(n, DAY), pa.timestamp("us")),
            "dr_scores": list(brings),
            "policy_probabilities": list(policy),
        }
    )


def _nothing(rows):
    return beats_nothing(difference_to_nothing(rows), len(rows))


def test_a_policy_that_brings_nothing_is_told_so_and_one_that_does_passes():
    assert _nothing(_rows(0.5, 1.0)).passed
    assert not _nothing(_rows(-0.5, 1.0)).passed
    idle = _nothing(_rows(0.5, 0.0))
    assert (idle.passed, idle.explanation) == (
        False,
        "0.000 [0.000, 0.000] per decision against doing nothing, on 400 decisions",
    )


def test_an_observational_log_is_no_randomised_one():
    assert is_randomised("logged propensities").passed
    assert not is_randomised("observational").passed
    assert not is_randomised("unknown").passed


def test_an_action_the_candidate_s_log_does_not_know_cannot_be_compared():
    assert align_actions(np.array([[1.0, 0.0]]), ["none", "fax"], ["none", "mail"]).tolist() == [[1, 0]]
    with pytest.raises(NotBuiltError, match="'fax'"):
        align_actions(np.array([[0.0, 1.0]]), ["none", "fax"], ["none", "mail"])


class _Client:
    """Runs with tags and nothing else."""

    def __init__(self, tags):
        self.tags = tags

    def get_run(self, run_id):
        data = type("Data", (), {"tags": self.tags[run_id], "params": {"seed": "7"}})
        return type("Run", (), {"data": data})


@pytest.fixture
def runs(monkeypatch):
    """Two runs by their id, and their requirements in the order told."""
    tables, tags, recorded = {}, {}, {}
    logged = {"sintonia.evidence": "logged propensities", "sintonia.labels_until": "2026-02-01"}
    monkeypatch.setattr(policy_promotion_checks, "read_table", lambda _, run, __: tables[run])
    monkeypatch.setattr(policy_promotion_checks, "read_evaluation", lambda _, one: recorded[one.run_id])
    monkeypatch.setattr(policy_promotion_checks, "read_document", lambda *_: {"actions": ["none", "mail"]})
    place = type("Place", (), {"client": _Client(tags)})

    def ask(candidate, champion):
        tables.update(new=candidate, old=champion)
        tags.update(new=logged, old=logged)
        recorded["new"] = {
            "against_nothing": asdict(difference_to_nothing(candidate)),
            "judged_decisions": len(candidate),
            "evidence": "logged propensities",
        }
        pair = (Registered("p", "2", "candidate", "new"), Registered("p", "1", "champion", "old"))
        return {one.name: one for one in policy_checks(place, None, *pair)}

    return ask


def test_a_candidate_is_compared_to_the_champion_on_the_same_decisions(runs):
    rows = _rows(0.5, 1.0)
    rarely = rows.set_column(3, "policy_probabilities", [list(np.tile([0.9, 0.1], (400, 1)))])
    better = runs(rows, rarely)["champion"]
    assert better.passed
    assert "against the champion, version 1, on the same 400 decisions" in better.explanation
    assert not runs(rarely, rows)["champion"].passed
    assert not runs(rows, rows)["champion"].passed  # not better than itself


def test_a_champion_that_learnt_from_the_candidate_s_decisions_is_no_judge(runs):
    rows = _rows(0.5, 1.0)
    others = rows.set_column(0, COLUMN, [[f"x{at}" for at in range(400)]])
    found = runs(rows, others)["champion"]
    assert not found.passed
    assert (
        "was trained on rewards until 2026-02-01, the candidate is evaluated from 2026-01-01"
        in found.explanation
    )


def test_a_policy_run_from_before_its_evaluation_was_written_is_judged_by_the_decisions_it_kept(
    runs, monkeypatch
):
    def without(_, registered):
        raise NotBuiltError(f"Run {registered.run_id} keeps no evaluation.json; train its model again.")

    rows = _rows(0.5, 1.0)
    written = runs(rows, rows)
    monkeypatch.setattr(policy_promotion_checks, "read_evaluation", without)
    assert runs(rows, rows) == written
