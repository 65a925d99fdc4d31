import pandas as pd
import pytest


@pytest.fixture(scope="module")
def posts(brand):
    return brand.read("social").assign(key=lambda row: row["handle"].str.lstrip("@").str.lower())


def test_handles_are_written_in_several_ways_and_belong_to_one_person(brand, posts):
    assert posts["handle"].str.startswith("@").any()
    assert (~posts["handle"].str.startswith("@")).any()
    assert (posts["handle"] != posts["handle"].str.lower()).any()
    owner = brand.truth("records").query("source == 'handle'").set_index("source_key")["person_id"]
    assert owner.index.is_unique
    assert set(posts["key"]) == set(owner.index)


def test_only_those_who_connected_their_handle_can_be_known(brand, posts):
    owner = brand.truth("records").set_index(["source", "source_key"])["person_id"]
    shown = posts.dropna(subset=["connected_account"])
    handle = owner.reindex([("handle", key) for key in shown["key"]]).to_numpy()
    account = owner.reindex([("account", key) for key in shown["connected_account"]]).to_numpy()
    assert len(shown) > 50
    assert (handle == account).all()
    customers = posts[owner.reindex([("handle", key) for key in posts["key"]]).str.startswith("P").to_numpy()]
    connected = customers.groupby("key")["connected_account"].agg(lambda ids: ids.notna().any())
    assert 0.2 < connected.mean() < 0.8
    assert posts["key"].str.startswith("user").any()


def test_posts_are_collected_twice_and_scored_from_0_to_100_or_not_at_all(posts):
    assert posts["post_id"].duplicated().any()
    score = pd.to_numeric(posts["sentiment_score"], errors="coerce")
    assert score.dropna().between(0, 100).all()
    assert posts["sentiment_score"].isna().any()
    assert set(posts["type"]) == {"post", "mention", "review"}
    assert set(posts.loc[posts["type"] == "review", "platform"]) == {"trustpilot"}


def test_an_open_complaint_makes_people_post_more_and_worse(brand, posts):
    owner = brand.truth("records").query("source == 'handle'").set_index("source_key")["person_id"]
    person = owner.reindex(posts["key"]).to_numpy()
    score = pd.to_numeric(posts["sentiment_score"], errors="coerce")
    by_person = score.groupby(person).agg(["mean", "size"])
    customers = by_person[by_person.index.str.startswith("P")]
    anonymous = by_person[~by_person.index.str.startswith("P")]
    assert customers["mean"].mean() < anonymous["mean"].mean()
    assert customers["size"].mean() > anonymous["size"].mean()
