"""What is said in public: JSON Lines of posts, mentions and reviews under handles, few of them tied to an account."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints, Texts, Times
from sintonia.synthetic.arrays import blank, hex_ids, objects, repeat_index
from sintonia.synthetic.clock import minutes
from sintonia.synthetic.names import email_letters
from sintonia.synthetic.registrations import person_tags
from sintonia.synthetic.text import iso_z, text_array
from sintonia.synthetic.visits import accounts
from sintonia.synthetic.world import SiloRows, World

_SALT_POST, _SALT_HANDLE = 80, 81
_FIRST_STRANGER = 1 << 23
_STRANGERS = 0.12
_CONNECTS, _SHOWS_ACCOUNT = 0.55, 0.7
_ANGRY = 6.0
"""An open complaint makes people who post do so this many times as often."""

_PLATFORMS = objects(["instagram", "facebook", "tiktok", "trustpilot"])
_ODDS = np.array([0.45, 0.25, 0.15, 0.15])
_POST, _MENTION, _REVIEW = range(3)
_TYPES = objects(["post", "mention", "review"])
_CRAWLED_TWICE, _NO_SCORE, _NO_NUMBER = 0.03, 0.1, 0.004
_WORDS = (
    objects(["Mai più.", "Nessuno risponde.", "Deludente."]),
    objects(["Visto in negozio.", "Che ne pensate?", "Nuovi arrivi."]),
    objects(["Consigliato!", "Adoro questo maglione.", "Servizio ottimo."]),
)


def social_posts(world: World) -> SiloRows:
    """Return what the listening tool collected of one block, in order of time.

    Mess: handles with and without @, in any case; posts collected twice; scores from 0 to 100, missing or no number.
    Only those who connected their handle to an account can be known, in the rows that show it.
    """
    rng = world.rng("social")
    posts = pd.concat([_customers(world, rng), _strangers(world, rng)], ignore_index=True)
    posts = posts.sort_values(["at", "person"], ignore_index=True)
    person, at, n = posts["person"].to_numpy(), posts["at"].to_numpy(), len(posts)
    handles = _handles(world, person)
    posts["shown"] = _written(rng, handles)
    posts["account"] = _accounts(world, rng, person, at)
    posts["platform"] = _PLATFORMS[np.where(posts["kind"] == _REVIEW, 3, _platforms(world, rng, person))]
    posts["text"] = _texts(rng, posts["mood"].to_numpy())
    posts["score"] = _scores(rng, posts["mood"].to_numpy())
    posts["post_id"] = hex_ids(world.numbers(n), _SALT_POST, "y")
    posts["collected"] = at + minutes(rng.exponential(180, n) + 1)
    again = posts[rng.random(n) < _CRAWLED_TWICE]
    again = again.assign(collected=again["collected"] + minutes(rng.exponential(3000, len(again)) + 1))
    rows = pd.concat([posts, again], ignore_index=True)
    rows = rows[rows["collected"] < world.calendar.end]
    rows = rows.sort_values(["collected", "post_id"], ignore_index=True)
    seen = (posts["collected"] < world.calendar.end).to_numpy()
    return SiloRows({"social/posts.jsonl": _table(rows)}, {"handle": (handles[seen], person[seen])})


def _customers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return what customers post: as their interest goes, and far more, and worse, while a complaint is open."""
    people, weeks = world.people, world.calendar.weeks
    angry = _angry(world)
    rate = people.posts[:, None] * np.where(angry, _ANGRY, world.journeys.drift.attention[:, :weeks])
    rate = rate * (np.arange(weeks) > people.first_week[:, None])
    person, week = np.divmod(repeat_index(rng.poisson(rate).ravel()), weeks)
    return _frame(world, rng, (person, week), np.where(angry[person, week], -0.65, 0.35))


def _angry(world: World) -> Bools:
    """Return in which weeks each person has an open complaint, (n, weeks)."""
    cases, weeks = world.journeys.complaints, world.calendar.weeks
    edges = np.zeros((len(world.people), weeks + 1), dtype=np.int64)
    np.add.at(edges, (cases.person, cases.week), 1)
    np.add.at(edges, (cases.person, np.minimum(cases.closed, weeks)), -1)
    still: Bools = edges.cumsum(axis=1)[:, :weeks] > 0
    return still


def _strangers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return what others post who never were customers."""
    n = max(1, int(_STRANGERS * len(world.people)))
    person = -_FIRST_STRANGER - np.arange(n)
    return _frame(world, rng, (person, rng.integers(0, world.calendar.weeks, n)), np.full(n, 0.1))


def _frame(world: World, rng: np.random.Generator, who: tuple[Ints, Ints], mood: Floats) -> pd.DataFrame:
    person, week = who
    n = len(person)
    at = world.calendar.moment(rng, week, rng.normal(20, 3, n) % 24)
    felt = np.clip(rng.normal(mood, 0.3, n), -1, 1)
    kind = np.where(felt < -0.3, rng.choice([_MENTION, _REVIEW], n, p=[0.6, 0.4]), rng.integers(0, 3, n))
    return pd.DataFrame({"person": person, "at": at, "mood": felt, "kind": kind})


def _handles(world: World, person: Ints) -> Texts:
    """Return one handle a person, made of the name and no two alike."""
    truth, own = world.particulars, np.maximum(person, 0)
    tags = person_tags(world.people.number[own], _SALT_HANDLE)
    return objects(
        [
            f"{email_letters(first)}_{tag}" if one >= 0 else f"user{world.block:05d}{-one:08d}"
            for first, tag, one in zip(truth.first_name[own].tolist(), tags, person.tolist(), strict=True)
        ]
    )


def _written(rng: np.random.Generator, handles: Texts) -> Texts:
    """Return handles as the platforms show them: with or without @, in capitals or not."""
    ways = rng.integers(3, size=len(handles)).tolist()
    return objects(
        [(f"@{h}", h, f"@{h.capitalize()}")[way] for h, way in zip(handles.tolist(), ways, strict=True)]
    )


def _accounts(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Texts:
    """Return the account of those who connected their handle, in the rows that show it."""
    connected = (rng.random(len(world.people)) < _CONNECTS)[np.maximum(person, 0)]
    return blank(accounts(world, person, at), connected & (rng.random(len(person)) < _SHOWS_ACCOUNT))


def _platforms(world: World, rng: np.random.Generator, person: Ints) -> Ints:
    """Return the platform each person is on."""
    favourite = rng.choice(len(_ODDS), len(world.people), p=_ODDS)[np.maximum(person, 0)]
    strangers: Ints = rng.choice(len(_ODDS), len(person), p=_ODDS)
    return np.where(person >= 0, favourite, strangers)


def _texts(rng: np.random.Generator, mood: Floats) -> Texts:
    felt = np.searchsorted([-0.25, 0.25], mood)
    return np.choose(felt, [rng.choice(words, len(mood)) for words in _WORDS])


def _scores(rng: np.random.Generator, mood: Floats) -> Texts:
    """Return sentiments from 0 to 100 as text, missing for some, `n/a` for others."""
    drawn = rng.random(len(mood))
    shown = objects([f"{score:.0f}" for score in (50 * (mood + 1)).tolist()])
    shown[drawn < _NO_NUMBER] = "n/a"
    return blank(shown, drawn <= 1 - _NO_SCORE)


def _table(rows: pd.DataFrame) -> pa.Table:
    return pa.table(
        {
            "post_id": text_array(rows["post_id"]),
            "platform": text_array(rows["platform"]),
            "type": _TYPES[rows["kind"].to_numpy()],
            "handle": text_array(rows["shown"]),
            "posted_at": iso_z(rows["at"].to_numpy()),
            "collected_at": iso_z(rows["collected"].to_numpy()),
            "text": text_array(rows["text"]),
            "sentiment_score": text_array(rows["score"]),
            "connected_account": text_array(rows["account"]),
        }
    )
