"""The chat's transcripts: JSON Lines, a session each, known by cookie, account or an e-mail typed by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Floats, Ints, Texts, Times
from sintonia.synthetic.arrays import blank, given, hex_ids, objects
from sintonia.synthetic.clock import minutes, rome, rome_offset_minutes
from sintonia.synthetic.crm import case_ids
from sintonia.synthetic.service import DELIVERY
from sintonia.synthetic.text import text_array
from sintonia.synthetic.visits import SALT_COOKIE, accounts, chat_visits, cookies
from sintonia.synthetic.world import SiloRows, World

_SALT_SESSION = 70
_FIRST_STRANGER = 1 << 22
_STRANGERS = 0.03
_LONGEST = 25
_ACCOUNT, _EMAIL, _NO_COOKIE = 0.55, 0.45, 0.08
_TYPO, _OTHER_ADDRESS, _CAPITALS = 0.08, 0.15, 0.2
_ENGLISH, _NO_MOOD, _NOT_COMPUTED = 0.06, 0.06, 0.003
_SLIPS = (("gmail.com", "gmial.com"), (".it", ".ti"), (".com", ".con"), ("hotmail", "hotmial"))
_TOPICS = objects(["complaint", "reminder", "delivery", "return", "product", "points"])
_LANGUAGES = (objects(["it", "IT", "it-IT"]), objects(["en", "en-GB"]))
_OPENINGS = (
    ("Buongiorno, vorrei fare un reclamo.", "Hello, I have a complaint."),
    ("Aspetto ancora una risposta.", "I am still waiting for an answer."),
    ("Dov'è il mio ordine?", "Where is my order?"),
    ("Vorrei rendere un articolo.", "I want to return an item."),
    ("Quando torna disponibile?", "When will it be back in stock?"),
    ("Quanti punti ho?", "How many points do I have?"),
)
_ANSWERS = ("Controllo subito.", "Let me check.")
_CLOSINGS = (
    ("Non ci siamo.", "This will not do."),
    ("Va bene.", "All right."),
    ("Grazie mille!", "Thank you!"),
)


def chat_sessions(world: World) -> SiloRows:
    """Return the sessions of one block in order of time.

    Mess: domains mistyped, addresses in capitals or of another registration, languages written in several ways,
    sentiments missing or 9.99 where they could not be computed, sessions without a cookie, visitors nobody knows.
    """
    rng = world.rng("chat")
    sessions = pd.concat([_customers(world), _strangers(world, rng)], ignore_index=True)
    sessions = sessions[sessions["at"] + minutes(_LONGEST) < world.calendar.end]
    sessions = sessions.sort_values(["at", "person"], ignore_index=True)
    n, person = len(sessions), sessions["person"].to_numpy()
    at: Times = sessions["at"].to_numpy()
    account = blank(accounts(world, person, at), rng.random(n) < _ACCOUNT)
    email = _typed(rng, blank(_addresses(world, rng, person, at), rng.random(n) < _EMAIL))
    cookie = hex_ids(cookies(world, person, at), SALT_COOKIE)
    cookie = blank(cookie, ~(given(account) | given(email)) | (rng.random(n) >= _NO_COOKIE))
    english = (rng.random(n) < _ENGLISH).astype(np.int64)
    ended: Times = at + minutes(rng.uniform(2, _LONGEST, n))
    columns = {
        "session_id": hex_ids(world.numbers(n), _SALT_SESSION, "h"),
        "started_at": _local(at),
        "ended_at": _local(ended),
        "cookie_id": text_array(cookie),
        "account_id": text_array(account),
        "email": text_array(email),
        "topic": _TOPICS[sessions["reason"].to_numpy()],
        "case_id": text_array(_cases(world, sessions["case"].to_numpy())),
        "language": _languages(rng, english),
        "sentiment": _sentiments(rng, sessions["mood"].to_numpy()),
        "messages": _messages(sessions, english),
    }
    return SiloRows({"chat/sessions.jsonl": pa.table(columns)}, _owners(person, cookie, email))


def _customers(world: World) -> pd.DataFrame:
    """Return the sessions customers opened, two minutes after they came to the site."""
    contacts = world.service.contacts
    chat, person, at = chat_visits(world)
    return pd.DataFrame(
        {
            "person": person,
            "at": at,
            "reason": contacts.reason[chat],
            "mood": contacts.mood[chat],
            "case": contacts.case[chat],
        }
    )


def _strangers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return sessions of visitors who never say who they are."""
    n = max(1, int(_STRANGERS * len(world.people)))
    week = rng.integers(0, world.calendar.weeks, n)
    return pd.DataFrame(
        {
            "person": -_FIRST_STRANGER - np.arange(n),
            "at": world.calendar.moment(rng, week, rng.uniform(8, 24, n)),
            "reason": rng.integers(DELIVERY, len(_TOPICS), n),
            "mood": np.clip(rng.normal(0.1, 0.4, n), -1, 1),
            "case": -1,
        }
    )


def _addresses(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Texts:
    """Return the address people have in mind: that of their newest registration, or now and then of the other."""
    held, own = world.registrations, np.maximum(person, 0)
    newest = (held.exists[own, 1] & (held.at[own, 1] < at)).astype(np.int64)
    turn = np.where(rng.random(len(person)) < _OTHER_ADDRESS, 0, newest)
    return blank(held.email[own, turn], person >= 0)


def _typed(rng: np.random.Generator, email: Texts) -> Texts:
    """Return addresses as typed by hand: some in capitals, some on a domain that is not there."""
    drawn = rng.random((len(email), 2)).tolist()
    slips = rng.integers(len(_SLIPS), size=len(email)).tolist()
    typed = []
    for text, (slip, capital), which in zip(email.tolist(), drawn, slips, strict=True):
        wrong = text.replace(*_SLIPS[which]) if text and slip < _TYPO else text
        typed.append(wrong.capitalize() if wrong and capital < _CAPITALS else wrong)
    return objects(typed)


def _cases(world: World, case: Ints) -> Texts:
    numbers = case_ids(world)
    return objects([numbers[place] if place >= 0 else None for place in case.tolist()])


def _local(at: Times) -> Texts:
    """Return local times with their offset, as 2025-11-03T17:42:10+01:00."""
    written = np.datetime_as_string(rome(at), unit="s").tolist()
    offsets = (rome_offset_minutes(at) // 60).tolist()
    return objects([f"{text}+{hours:02d}:00" for text, hours in zip(written, offsets, strict=True)])


def _languages(rng: np.random.Generator, english: Ints) -> Texts:
    return np.where(
        english == 1, rng.choice(_LANGUAGES[1], len(english)), rng.choice(_LANGUAGES[0], len(english))
    )


def _sentiments(rng: np.random.Generator, mood: Floats) -> pa.Array:
    """Return sentiments as the tool computed them, 9.99 or null where it could not."""
    drawn = rng.random(len(mood))
    shown = np.where(drawn < _NOT_COMPUTED, 9.99, np.round(mood, 2))
    return pa.array(shown, mask=drawn > 1 - _NO_MOOD)


def _messages(sessions: pd.DataFrame, english: Ints) -> pa.Array:
    """Return the transcripts: what the visitor asks, the answer, and how the visitor leaves."""
    leaves = np.searchsorted([-0.25, 0.25], sessions["mood"].to_numpy()).tolist()
    texts = [
        [
            {"from": "customer", "text": _OPENINGS[reason][language]},
            {"from": "agent", "text": _ANSWERS[language]},
            {"from": "customer", "text": _CLOSINGS[mood][language]},
        ]
        for reason, language, mood in zip(sessions["reason"].tolist(), english.tolist(), leaves, strict=True)
    ]
    message = pa.struct({"from": pa.string(), "text": pa.string()})
    return pa.array(texts, pa.list_(message))


def _owners(person: Ints, cookie: Texts, email: Texts) -> dict[str, tuple[Texts, Ints]]:
    """Return whose each cookie and each address is, in small letters; `truth.records` keeps the first of each."""
    small = objects([text and text.lower() for text in email.tolist()])
    return {
        kind: (values[given(values)], person[given(values)])
        for kind, values in (("cookie", cookie), ("email", small))
    }
