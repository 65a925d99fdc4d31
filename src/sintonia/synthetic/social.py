"""Social media in JSON Lines: posts, mentions and reviews under handles, few of them connected to an account."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints, Texts, Times
from sintonia.synthetic.arrays import hex_ids, keep_where, object_array, repeat_index
from sintonia.synthetic.calendar import minutes
from sintonia.synthetic.files import iso_utc, text_array
from sintonia.synthetic.people import email_letters, person_tags
from sintonia.synthetic.web import newest_accounts
from sintonia.synthetic.world import SiloRows, World

_SALT_POST, _SALT_HANDLE = 80, 81
_FIRST_ANONYMOUS = 1 << 23
_ANONYMOUS_RATE = 0.12
_CONNECTED, _SHOWS_ACCOUNT = 0.55, 0.7
_COMPLAINT_POST_FACTOR = 6.0
"""Factor of an open complaint on the rate of posts."""

_PLATFORMS = object_array(["instagram", "facebook", "tiktok", "trustpilot"])
_PLATFORM_SHARES = np.array([0.45, 0.25, 0.15, 0.15])
_POST, _MENTION, _REVIEW = range(3)
_TYPES = object_array(["post", "mention", "review"])
_CRAWLED_TWICE, _NO_SCORE, _NOT_A_NUMBER = 0.03, 0.1, 0.004
_POST_TEXTS = (
    object_array(["Mai più.", "Nessuno risponde.", "Deludente."]),
    object_array(["Visto in negozio.", "Che ne pensate?", "Nuovi arrivi."]),
    object_array(["Consigliato!", "Adoro questo maglione.", "Servizio ottimo."]),
)


def social_posts(world: World) -> SiloRows:
    """Return what the listening tool collected of one block, in order of time.

    Errors: handles with and without @, in any case; duplicated posts; scores from 0 to 100, missing or not a number.
    Only those who connected their handle to an account can be identified, in the rows that show it.
    """
    rng = world.rng("social")
    posts = pd.concat([_customer_posts(world, rng), _anonymous_posts(world, rng)], ignore_index=True)
    posts = posts.sort_values(["at", "person"], ignore_index=True)
    person, at, n = posts["person"].to_numpy(), posts["at"].to_numpy(), len(posts)
    handles = _handles(world, person)
    posts["shown"] = _displayed_handles(rng, handles)
    posts["account"] = _accounts(world, rng, person, at)
    posts["platform"] = _PLATFORMS[np.where(posts["kind"] == _REVIEW, 3, _platforms(world, rng, person))]
    posts["text"] = _post_texts(rng, posts["sentiment"].to_numpy())
    posts["score"] = _scores(rng, posts["sentiment"].to_numpy())
    posts["post_id"] = hex_ids(world.numbers(n), _SALT_POST, "y")
    posts["collected"] = at + minutes(rng.exponential(180, n) + 1)
    duplicates = posts[rng.random(n) < _CRAWLED_TWICE]
    duplicates = duplicates.assign(
        collected=duplicates["collected"] + minutes(rng.exponential(3000, len(duplicates)) + 1)
    )
    rows = pd.concat([posts, duplicates], ignore_index=True)
    rows = rows[rows["collected"] < world.calendar.end]
    rows = rows.sort_values(["collected", "post_id"], ignore_index=True)
    collected_in_time = (posts["collected"] < world.calendar.end).to_numpy()
    return SiloRows(
        {"social/posts.jsonl": _table(rows)},
        {"handle": (handles[collected_in_time], person[collected_in_time])},
    )


def _customer_posts(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the posts of customers: more frequent and more negative during an open complaint."""
    people, weeks = world.people, world.calendar.weeks
    open_complaint = _open_complaints(world)
    rate = people.posts[:, None] * np.where(
        open_complaint, _COMPLAINT_POST_FACTOR, world.journeys.interest.attention[:, :weeks]
    )
    rate = rate * (np.arange(weeks) > people.first_week[:, None])
    person, week = np.divmod(repeat_index(rng.poisson(rate).ravel()), weeks)
    return _draw_posts(world, rng, (person, week), np.where(open_complaint[person, week], -0.65, 0.35))


def _open_complaints(world: World) -> Bools:
    """Return in which weeks each person has an open complaint, (n, weeks)."""
    cases, weeks = world.journeys.complaints, world.calendar.weeks
    edges = np.zeros((len(world.people), weeks + 1), dtype=np.int64)
    np.add.at(edges, (cases.person, cases.week), 1)
    np.add.at(edges, (cases.person, np.minimum(cases.closed, weeks)), -1)
    is_open: Bools = edges.cumsum(axis=1)[:, :weeks] > 0
    return is_open


def _anonymous_posts(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the posts of people who are not customers."""
    n = max(1, int(_ANONYMOUS_RATE * len(world.people)))
    person = -_FIRST_ANONYMOUS - np.arange(n)
    return _draw_posts(world, rng, (person, rng.integers(0, world.calendar.weeks, n)), np.full(n, 0.1))


def _draw_posts(
    world: World, rng: np.random.Generator, who: tuple[Ints, Ints], sentiment: Floats
) -> pd.DataFrame:
    person, week = who
    n = len(person)
    at = world.calendar.moment(rng, week, rng.normal(20, 3, n) % 24)
    drawn_sentiment = np.clip(rng.normal(sentiment, 0.3, n), -1, 1)
    kind = np.where(
        drawn_sentiment < -0.3, rng.choice([_MENTION, _REVIEW], n, p=[0.6, 0.4]), rng.integers(0, 3, n)
    )
    return pd.DataFrame({"person": person, "at": at, "sentiment": drawn_sentiment, "kind": kind})


def _handles(world: World, person: Ints) -> Texts:
    """Return one unique handle per person, made from the first name."""
    details, person_index = world.personal_details, np.maximum(person, 0)
    tags = person_tags(world.people.number[person_index], _SALT_HANDLE)
    return object_array(
        [
            f"{email_letters(first)}_{tag}" if index >= 0 else f"user{world.block:05d}{-index:08d}"
            for first, tag, index in zip(
                details.first_name[person_index].tolist(), tags, person.tolist(), strict=True
            )
        ]
    )


def _displayed_handles(rng: np.random.Generator, handles: Texts) -> Texts:
    """Return handles as the platforms show them: with or without @, capitalised or not."""
    styles = rng.integers(3, size=len(handles)).tolist()
    return object_array(
        [(f"@{h}", h, f"@{h.capitalize()}")[style] for h, style in zip(handles.tolist(), styles, strict=True)]
    )


def _accounts(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Texts:
    """Return the account of those who connected their handle, in the rows that show it."""
    connected = (rng.random(len(world.people)) < _CONNECTED)[np.maximum(person, 0)]
    return keep_where(
        newest_accounts(world, person, at), connected & (rng.random(len(person)) < _SHOWS_ACCOUNT)
    )


def _platforms(world: World, rng: np.random.Generator, person: Ints) -> Ints:
    """Return the platform each person is on."""
    favourite = rng.choice(len(_PLATFORM_SHARES), len(world.people), p=_PLATFORM_SHARES)[
        np.maximum(person, 0)
    ]
    anonymous: Ints = rng.choice(len(_PLATFORM_SHARES), len(person), p=_PLATFORM_SHARES)
    return np.where(person >= 0, favourite, anonymous)


def _post_texts(rng: np.random.Generator, sentiment: Floats) -> Texts:
    level = np.searchsorted([-0.25, 0.25], sentiment)
    return np.choose(level, [rng.choice(texts, len(sentiment)) for texts in _POST_TEXTS])


def _scores(rng: np.random.Generator, sentiment: Floats) -> Texts:
    """Return sentiments from 0 to 100 as text, None where missing, `n/a` where the tool has no number."""
    draw = rng.random(len(sentiment))
    shown = object_array([f"{score:.0f}" for score in (50 * (sentiment + 1)).tolist()])
    shown[draw < _NOT_A_NUMBER] = "n/a"
    return keep_where(shown, draw <= 1 - _NO_SCORE)


def _table(rows: pd.DataFrame) -> pa.Table:
    return pa.table(
        {
            "post_id": text_array(rows["post_id"]),
            "platform": text_array(rows["platform"]),
            "type": _TYPES[rows["kind"].to_numpy()],
            "handle": text_array(rows["shown"]),
            "posted_at": iso_utc(rows["at"].to_numpy()),
            "collected_at": iso_utc(rows["collected"].to_numpy()),
            "text": text_array(rows["text"]),
            "sentiment_score": text_array(rows["score"]),
            "connected_account": text_array(rows["account"]),
        }
    )
