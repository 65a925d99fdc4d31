"""Chat transcripts in JSON Lines, one session per line, under a cookie, an account or a typed e-mail address."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Floats, Ints, Texts, Times
from sintonia.synthetic.arrays import hex_ids, is_present, keep_where, object_array
from sintonia.synthetic.calendar import minutes, rome_offset_minutes, rome_time
from sintonia.synthetic.crm import case_ids
from sintonia.synthetic.files import text_array
from sintonia.synthetic.journeys import DELIVERY
from sintonia.synthetic.web import SALT_COOKIE, chat_visits_of_contacts, cookie_numbers, newest_accounts
from sintonia.synthetic.world import SiloRows, World

_SALT_SESSION = 70
_FIRST_ANONYMOUS = 1 << 22
_ANONYMOUS_RATE = 0.03
_LONGEST_MINUTES = 25
_ACCOUNT, _EMAIL, _NO_COOKIE = 0.55, 0.45, 0.08
_TYPO, _OTHER_ADDRESS, _CAPITALISED = 0.08, 0.15, 0.2
_ENGLISH, _NO_SENTIMENT, _NOT_COMPUTED = 0.06, 0.06, 0.003
_DOMAIN_TYPOS = (("gmail.com", "gmial.com"), (".it", ".ti"), (".com", ".con"), ("hotmail", "hotmial"))
_TOPICS = object_array(["complaint", "reminder", "delivery", "return", "product", "points"])
_LANGUAGES = (object_array(["it", "IT", "it-IT"]), object_array(["en", "en-GB"]))
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

    Errors: mistyped domains, capitalised addresses or those of another registration, several codes per language,
    sentiments missing or 9.99 where they could not be computed, sessions without a cookie, anonymous visitors.
    """
    rng = world.rng("chat")
    sessions = pd.concat([_customer_sessions(world), _anonymous_sessions(world, rng)], ignore_index=True)
    sessions = sessions[sessions["at"] + minutes(_LONGEST_MINUTES) < world.calendar.end]
    sessions = sessions.sort_values(["at", "person"], ignore_index=True)
    n, person = len(sessions), sessions["person"].to_numpy()
    at: Times = sessions["at"].to_numpy()
    account = keep_where(newest_accounts(world, person, at), rng.random(n) < _ACCOUNT)
    email = _typed_addresses(rng, keep_where(_addresses(world, rng, person, at), rng.random(n) < _EMAIL))
    cookie = hex_ids(cookie_numbers(world, person, at), SALT_COOKIE)
    cookie = keep_where(cookie, ~(is_present(account) | is_present(email)) | (rng.random(n) >= _NO_COOKIE))
    english = (rng.random(n) < _ENGLISH).astype(np.int64)
    ended: Times = at + minutes(rng.uniform(2, _LONGEST_MINUTES, n))
    columns = {
        "session_id": hex_ids(world.numbers(n), _SALT_SESSION, "h"),
        "started_at": _local_times(at),
        "ended_at": _local_times(ended),
        "cookie_id": text_array(cookie),
        "account_id": text_array(account),
        "email": text_array(email),
        "topic": _TOPICS[sessions["reason"].to_numpy()],
        "case_id": text_array(_cases(world, sessions["case"].to_numpy())),
        "language": _languages(rng, english),
        "sentiment": _sentiments(rng, sessions["sentiment"].to_numpy()),
        "messages": _messages(sessions, english),
    }
    return SiloRows({"chat/sessions.jsonl": pa.table(columns)}, _owners(person, cookie, email))


def _customer_sessions(world: World) -> pd.DataFrame:
    """Return the sessions of customers, opened two minutes after the visit to the site began."""
    contacts = world.service.contacts
    chat, person, at = chat_visits_of_contacts(world)
    return pd.DataFrame(
        {
            "person": person,
            "at": at,
            "reason": contacts.reason[chat],
            "sentiment": contacts.sentiment[chat],
            "case": contacts.case[chat],
        }
    )


def _anonymous_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sessions of visitors who never identify themselves."""
    n = max(1, int(_ANONYMOUS_RATE * len(world.people)))
    week = rng.integers(0, world.calendar.weeks, n)
    return pd.DataFrame(
        {
            "person": -_FIRST_ANONYMOUS - np.arange(n),
            "at": world.calendar.moment(rng, week, rng.uniform(8, 24, n)),
            "reason": rng.integers(DELIVERY, len(_TOPICS), n),
            "sentiment": np.clip(rng.normal(0.1, 0.4, n), -1, 1),
            "case": -1,
        }
    )


def _addresses(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Texts:
    """Return the address people use: that of their newest registration, or, for 15 %, of the first."""
    registrations, person_index = world.registrations, np.maximum(person, 0)
    newest = (registrations.exists[person_index, 1] & (registrations.at[person_index, 1] < at)).astype(
        np.int64
    )
    registration = np.where(rng.random(len(person)) < _OTHER_ADDRESS, 0, newest)
    return keep_where(registrations.email[person_index, registration], person >= 0)


def _typed_addresses(rng: np.random.Generator, email: Texts) -> Texts:
    """Return addresses as typed: 20 % capitalised, 8 % with a misspelt domain."""
    draws = rng.random((len(email), 2)).tolist()
    typos = rng.integers(len(_DOMAIN_TYPOS), size=len(email)).tolist()
    typed = []
    for text, (typo_draw, capital_draw), typo in zip(email.tolist(), draws, typos, strict=True):
        address = text.replace(*_DOMAIN_TYPOS[typo]) if text and typo_draw < _TYPO else text
        typed.append(address.capitalize() if address and capital_draw < _CAPITALISED else address)
    return object_array(typed)


def _cases(world: World, case: Ints) -> Texts:
    numbers = case_ids(world)
    return object_array([numbers[index] if index >= 0 else None for index in case.tolist()])


def _local_times(at: Times) -> Texts:
    """Return local times with their offset, as 2025-11-03T17:42:10+01:00."""
    texts = np.datetime_as_string(rome_time(at), unit="s").tolist()
    offsets = (rome_offset_minutes(at) // 60).tolist()
    return object_array([f"{text}+{hours:02d}:00" for text, hours in zip(texts, offsets, strict=True)])


def _languages(rng: np.random.Generator, english: Ints) -> Texts:
    return np.where(
        english == 1, rng.choice(_LANGUAGES[1], len(english)), rng.choice(_LANGUAGES[0], len(english))
    )


def _sentiments(rng: np.random.Generator, sentiment: Floats) -> pa.Array:
    """Return the sentiments of the tool, 9.99 or null where it has none."""
    draw = rng.random(len(sentiment))
    shown = np.where(draw < _NOT_COMPUTED, 9.99, np.round(sentiment, 2))
    return pa.array(shown, mask=draw > 1 - _NO_SENTIMENT)


def _messages(sessions: pd.DataFrame, english: Ints) -> pa.Array:
    """Return the transcripts: the visitor's question, the answer, and the visitor's closing message."""
    closing_index = np.searchsorted([-0.25, 0.25], sessions["sentiment"].to_numpy()).tolist()
    texts = [
        [
            {"from": "customer", "text": _OPENINGS[reason][language]},
            {"from": "agent", "text": _ANSWERS[language]},
            {"from": "customer", "text": _CLOSINGS[closing][language]},
        ]
        for reason, language, closing in zip(
            sessions["reason"].tolist(), english.tolist(), closing_index, strict=True
        )
    ]
    message = pa.struct({"from": pa.string(), "text": pa.string()})
    return pa.array(texts, pa.list_(message))


def _owners(person: Ints, cookie: Texts, email: Texts) -> dict[str, tuple[Texts, Ints]]:
    """Return the owners of cookies and lower-case addresses; `truth.record_table` keeps the first of each."""
    lower = object_array([text and text.lower() for text in email.tolist()])
    return {
        kind: (values[is_present(values)], person[is_present(values)])
        for kind, values in (("cookie", cookie), ("email", lower))
    }
