"""`sintonia train task=next_best_action` on a small shop whose customers answer differently, from files to registry."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from sintonia.cli import main
from sintonia.core.config import TrackingConfig
from sintonia.core.html import number
from sintonia.explain.sample import CONTRIBUTIONS_FILE
from sintonia.registry import models, runs
from sintonia.registry.names import metric_keys
from sintonia.registry.tracking import open_tracking
from sintonia.uplift.model import PolicyModel

SOURCE = """name: shop
root: {root}
today: "2026-01-01"
silos:
  events:
    path: events.csv
    identifiers: {{card: card}}
    occurred_at: at
    data_until: "2025-04-01"
    constants: {{channel: store}}
    interactions: {{thread_id: "card || at", kind: kind, amount: amount}}
    attributes: {{keen: keen}}
  log:
    path: decisions.csv
    identifiers: {{card: card}}
    occurred_at: at
    decisions:
      decision_id: card
      round_id: "'spring'"
      action_id: action
      cost: "0.5"
      eligible_actions: {eligible}
      logging_propensities: {shares}
"""
WORDS = [
    "task=next_best_action",
    "effects.reward.name=spend",
    "effects.reward.horizon_days=14",
    "effects.folds=2",
]
SMALL = ["features.families=[rfm,profile]", "features.windows_days=[30]", "engine.buckets=2"]
TREES = [
    "model.threads=1",
    "model.max_trees=60",
    "model.early_stopping_rounds=10",
    "model.min_data_in_leaf=40",
]


def write_shop(folder, moved, targeted=False, customers=1500):
    """Customers of two kinds: by mail those that are keen spend `moved` more, the others as much less."""
    rng = np.random.default_rng(5)
    events, log = ["card,at,kind,amount,keen"], ["card,at,action"]
    for card in range(1, customers + 1):
        keen = int(rng.random() < 0.5)
        action = "mail" if (keen if targeted else rng.random() < 0.5) else "none"
        spend = 20 + rng.exponential(5) + (moved * (2 * keen - 1) if action == "mail" else 0)
        events += [f"{card},2025-02-01,register,,{keen}", f"{card},2025-03-05,purchase,{spend:.2f},"]
        log.append(f"{card},2025-03-01,{action}")
    (folder / "events.csv").write_text("\n".join(events) + "\n")
    (folder / "decisions.csv").write_text("\n".join(log) + "\n")


def train(folder, capsys, logged=True, **shop):
    write_shop(folder, **shop)
    options = folder / "conf" / "source"
    options.mkdir(parents=True)
    eligible, shares = (
        ("\"'[none, mail]'\"", "\"'[0.5, 0.5]'\"") if logged else ("null::VARCHAR", "null::VARCHAR")
    )
    (options / "shop.yaml").write_text(SOURCE.format(root=folder, eligible=eligible, shares=shares))
    where = ["--config-dir", str(folder / "conf"), "source=shop", f"workspace={folder / 'ws'}"]
    assert main(["build", *where, "identity=deterministic", "engine.buckets=2"]) == 0
    capsys.readouterr()
    code = main(["train", *where, *WORDS, *SMALL, *TREES, "output=json"])
    said = capsys.readouterr()
    return code, (json.loads(said.out.splitlines()[-1]) if code == 0 else said.err)


def explained_as_the_policy_has_it(page, policy, place, run_id):
    """What the page's own data say of each customer is what the registered policy says of the values that were kept."""
    data = json.loads(re.search(r'id="customers-data">(.*?)</script>', page, re.DOTALL)[1])
    kept = {row["sample"]: row for row in runs.read_table(place, run_id, CONTRIBUTIONS_FILE).to_pylist()}
    values = {
        at: np.array([[row[f"value.{name}"] for name in policy.names]], np.float32)
        for at, row in kept.items()
    }
    assert {"sleeping dogs", "confident and wrong", "gains most", "borderline"} <= {
        one["kind"] for one in data["customers"]
    }
    for one in data["customers"]:
        gain = policy.predict(values[one["sample"]])[0, 1]
        steps = sum(part[2] for part in one["parts"]) + sum(size for _, size in one["rest"])
        assert one["base"] + steps == pytest.approx(gain, abs=1e-6)
        assert one["gains"][0][1] == pytest.approx(gain, abs=1e-6)
        assert one["what_if"]["outcomes"][:1] in ([], [pytest.approx(1000 * gain, abs=1)])
    for row in list(kept.values())[:50]:
        moved = sum(size for name, size in row.items() if name.startswith("contribution."))
        effect = policy.effects.predict(values[row["sample"]])[0, 1]
        assert row["base"] + moved == pytest.approx(effect, abs=1e-6)


def test_a_shop_whose_customers_answer_differently_earns_a_personalised_policy(tmp_path, capsys):
    code, figures = train(tmp_path, capsys, moved=6.0)
    assert code == 0
    assert figures["gate"]["passed"]
    # Half gain 6 and half lose 6 by mail at half a euro: to mail the keen brings 2.75 more than to mail nobody.
    value, low, high = figures["policies"]["chosen"]["doubly_robust"]
    nothing = figures["policies"]["nothing"]["doubly_robust"][0]
    assert value - nothing == pytest.approx(2.75, abs=0.6)
    assert low < value < high
    assert figures["policies"]["chosen"]["treated"] == pytest.approx(0.5, abs=0.06)
    assert figures["logging_propensities"] == {
        "logged": True,
        "targeted": False,
        "covered": None,
        "predictable": None,
        "warning": None,
    }
    effects = pq.read_table(tmp_path / "ws" / "effects.parquet")
    mail = effects.filter(np.array(effects["action_id"].to_pylist()) == "mail")["effect"].to_numpy()
    assert len(mail) == 1500
    assert sorted([np.quantile(mail, 0.1), np.quantile(mail, 0.9)]) == pytest.approx([-6, 6], abs=2)
    place = open_tracking(TrackingConfig(prefix=figures["model"].rpartition("-")[0]), tmp_path / "ws")
    policy, registered = models.find_model(place, "next_best_action", PolicyModel)
    assert (policy.passed, registered.version) == (True, "1")
    assert not re.search(r"uplift", json.dumps(figures["policies"]["response score"]))
    seen = figures["effects"]["mail"]
    assert seen["propensity"] == {"least": 0.5, "low": 0.5, "median": 0.5}
    assert seen["observed"][1] < 0 < seen["observed"][2]  # half gain what the others lose
    keen = [one["effects"]["mail"][0] for one in figures["segments"] if "keen" in one["feature"]]
    assert keen == pytest.approx([-6, 6], abs=1.5)
    assert len(figures["curves"]["personalised"]["tenths"]) == 10
    where = ["--config-dir", str(tmp_path / "conf"), "source=shop", f"workspace={tmp_path / 'ws'}"]
    task = ["task=next_best_action", "output=json"]
    checked = ["effects.reward.name=spend", "effects.reward.horizon_days=14", "customers=50", *SMALL]
    assert main(["check", *where, *task, *checked]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["features_hold"]
    assert main(["promote", *where, *task]) == 2
    said = capsys.readouterr().err
    assert "approval" in said  # everything else was shown
    assert "doing nothing" not in said
    assert main(["promote", *where, *task, "force=true"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["champion"] == "1"
    where = ["--config-dir", str(tmp_path / "conf"), "source=shop", f"workspace={tmp_path / 'ws'}"]
    assert main(["review", *where, "task=next_best_action"]) == 0
    page = (tmp_path / "ws" / "review" / "next_best_action.html").read_text(encoding="utf-8")
    assert "Personalisation pays off" in page
    assert re.search(r"<th scope=\"row\">doing nothing</th><td>passed</td>", page)
    own = re.search(r'<tr class="own"><th scope="row">chosen</th>(.*?)</tr>', page)[1]
    assert f"<td>{value:.3f} ({low:.3f} to {high:.3f})</td>" in own
    metrics = place.client.get_run(registered.run_id).data.metrics
    for name, metric in metric_keys(figures["policies"]).items():
        row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page)[1]
        assert f"<td>{number(metrics[f'{metric}.doubly_robust'])} (" in row
    explained_as_the_policy_has_it(page, policy, place, registered.run_id)
    key = pq.read_table(tmp_path / "ws" / "samples" / f"{registered.run_id}.parquet").to_pylist()
    kept = runs.read_table(place, registered.run_id, CONTRIBUTIONS_FILE)
    assert [row["sample"] for row in key] == kept["sample"].to_pylist()
    assert "customer_id" not in kept.column_names
    assert main(["approve", *where, "task=next_best_action", "reviewer=risk"]) == 0


def test_a_shop_whose_customers_answer_alike_keeps_the_constant_policy_and_equal_effects(tmp_path, capsys):
    code, figures = train(tmp_path, capsys, moved=0.0, logged=False)
    assert code == 0
    assert not figures["gate"]["passed"]
    assert figures["gate"]["constant"] == "none"
    assert "Observational" in figures["logging_propensities"]["warning"]
    effects = pq.read_table(tmp_path / "ws" / "effects.parquet").to_pandas()
    assert effects.groupby("action_id")["effect"].nunique().tolist() == [1, 1]


def test_a_shop_that_mailed_the_keen_alone_is_refused(tmp_path, capsys):
    code, said = train(tmp_path, capsys, moved=6.0, targeted=True, logged=False)
    assert code == 2
    assert "no uplift is learned" in said
