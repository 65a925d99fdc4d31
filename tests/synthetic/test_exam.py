"""How hard the synthetic brand is: what exact identifiers and constant actions cannot achieve."""

import numpy as np
import pandas as pd
import pytest


class _Clusters:
    """Union-find over (type, key)."""

    def __init__(self):
        self.parent = {}

    def find(self, node):
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def union(self, nodes):
        first = self.find(nodes[0])
        for node in nodes[1:]:
            self.parent[self.find(node)] = first


@pytest.fixture(scope="module")
def clustered(brand):
    """The truth's records with the cluster that exact identifiers put them in."""
    clusters = _Clusters()
    for silo in brand.source.silos:
        for nodes in brand.identifiers(silo):
            if nodes:
                clusters.union(nodes)
    records = brand.truth("records")
    cluster_of_record = [
        clusters.find(node) for node in zip(records["source"], records["source_key"], strict=True)
    ]
    assert set(clusters.parent) == set(zip(records["source"], records["source_key"], strict=True))
    return records.assign(cluster=pd.factorize(pd.Series(cluster_of_record))[0])


def _pairs(sizes):
    return (sizes * (sizes - 1) // 2).sum()


def test_exact_identifiers_recover_at_most_80_percent_of_a_persons_records(clustered):
    size = clustered.groupby(["person_id", "cluster"]).size()
    records, largest = size.groupby("person_id").sum(), size.groupby("person_id").max()
    share = (largest / records)[records > 1].mean()
    recall = _pairs(size) / _pairs(records)
    assert 0.5 < share <= 0.80
    assert 0.4 < recall <= 0.80


def test_exact_ties_are_nearly_always_right(clustered):
    together = _pairs(clustered.groupby(["person_id", "cluster"]).size())
    assert together / _pairs(clustered.groupby("cluster").size()) >= 0.98


def test_nearly_every_cookie_of_a_customer_logs_in_and_strangers_never_do(brand, clustered):
    web = brand.read("web")
    logged = set(web.loc[web["account_id"].notna(), "cookie_id"])
    cookies = clustered[clustered["source"] == "cookie"]
    known = cookies["person_id"].str.startswith("P")
    has = cookies["source_key"].isin(logged)
    assert has[known].mean() >= 0.98
    assert (~known).sum() > 0.1 * len(brand.truth("people"))
    assert not has[~known].any()


def test_the_best_constant_action_leaves_a_fifth_of_the_oracles_gain_on_the_table(brand):
    outcomes = brand.truth("outcomes")
    outcomes = outcomes[outcomes["round_id"] != "final"]
    outcomes = outcomes.assign(net=outcomes["expected_reward"].astype(float) - outcomes["cost"])
    keys = {"index": ["person_id", "round_id"], "columns": "action_id"}
    net = outcomes.pivot(values="net", **keys)
    eligible = outcomes.pivot(values="eligible", **keys)
    none = net["none"].sum()
    gain = net.where(eligible).max(axis=1).sum() - none
    constant = {action: np.where(eligible[action], net[action], net["none"]).sum() - none for action in net}
    assert gain > 0.1 * none
    assert max(constant.values()) <= 0.8 * gain
    assert max(constant.values()) > 0


def test_customers_are_as_busy_and_as_often_buyers_as_in_the_trade(brand):
    silos = brand.summary.rows
    rows = sum(count for name, count in silos.items() if not name.endswith("decisions.jsonl"))
    assert 40 <= rows / brand.summary.customers <= 75
    web, store = brand.read("web"), brand.read("store")
    buyers = brand.truth("records").set_index(["source", "source_key"])["person_id"]
    by_card = buyers.reindex([("card", card) for card in store["Tessera"].dropna().unique()])
    by_cookie = buyers.reindex(
        [("cookie", key) for key in web.loc[web["event"] == "order", "cookie_id"].unique()]
    )
    share = len(set(by_card) | set(by_cookie)) / brand.summary.customers
    assert 0.70 <= share <= 0.85
