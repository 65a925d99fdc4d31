"""The tour of a workspace in docs/python.md runs word for word, from silos to a round of decisions."""

import re
import warnings

import pandas as pd
import pytest

import sintonia as sn

SOURCE = """
defaults:
  - synthetic
  - _self_
name: shop
"""
CUSTOMERS = 1200
pytestmark = pytest.mark.slow

BUDGET_CENTS = 500 * 100
"""The budget of the tour; the store has costs in whole cents."""


@pytest.fixture(scope="module")
def tour(project, tmp_path_factory):
    """The names that the tour defines; the current folder is the one it ran in."""
    text = (project / "docs" / "python.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(shop = .*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    folder = tmp_path_factory.mktemp("tour")
    (folder / "my" / "source").mkdir(parents=True)
    (folder / "my" / "source" / "shop.yaml").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of shap's own import
        patch.chdir(folder)
        sn.Workspace("workspace/shop").simulate(customers=CUSTOMERS)
        registrations = folder / "workspace" / "shop" / "silos" / "crm" / "registrations_0000.csv"
        names = {"sn": sn, "customers_df": pd.read_csv(registrations, dtype=str)[["crm_id"]].head(50)}
        exec(code, names)
        yield names


def test_features_and_scores_are_frames(tour):
    assert {"customer_id", "as_of"} < set(tour["x"].columns)
    assert tour["scored"]["churn_propensity"].dropna().between(0, 1).all()
    assert len(tour["scored"]) == 50


def test_a_run_of_either_kind_of_task_has_metrics_contributions_and_a_page(tour):
    assert tour["run"].metrics["auc"] > 0.5
    assert "doubly_robust" in tour["policy"].metrics
    for run in (tour["run"], tour["policy"]):
        assert run.shap().values.shape[1] > 10
        assert run.page().read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_round_stays_within_its_budget_and_decides_once_for_each_customer(tour):
    decisions = tour["round_"].frame
    assert decisions["customer_id"].is_unique
    assert decisions["cost"].sum() <= BUDGET_CENTS


def test_a_round_takes_its_effects_from_a_table_as_from_the_registered_policy(tour):
    shop = tour["shop"]
    table = pd.read_parquet(shop.path / "effects.parquet")
    by_table = shop.decide("july-2", budget=500, effects_table=table)
    assert by_table.name == "july-2"
    assert by_table.frame["cost"].sum() <= BUDGET_CENTS
    assert set(by_table.frame["customer_id"]) == set(tour["round_"].frame["customer_id"])
