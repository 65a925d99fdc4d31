"""The contact centre's cases: a CSV in Latin-1, times as dd-mm-yy HH.MM, numbers as the exchange shows them."""

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic.arrays import blank, hex_ids, objects
from sintonia.synthetic.clock import rome
from sintonia.synthetic.crm import case_ids, current_crm, typed_names
from sintonia.synthetic.registrations import mobiles
from sintonia.synthetic.service import CALL, COMPLAINT
from sintonia.synthetic.text import italian, text_array
from sintonia.synthetic.world import SiloRows, World

SWITCHBOARD = "02 4540 0400"
"""The brand's own number, which the exchange shows for every call that was passed on."""

_SALT_CALL = 60
_REASONS = objects(
    [
        "Reclamo: qualità",
        "Sollecito",
        "Stato ordine",
        "Reso o cambio",
        "Informazioni prodotto",
        "Punti fedeltà",
    ]
)
_LATE_DELIVERY = "Reclamo: consegna"
_MOODS = objects(["Molto negativo", "Negativo", "Neutro", "Positivo", "Molto positivo"])
_MOOD_EDGES = np.array([-0.75, -0.25, 0.25, 0.75])
_NO_MOOD = 0.08
_PASSED_ON, _WITHHELD, _LOOKED_UP = 0.06, 0.07, 0.7
_UNTIL_EXPORT = np.timedelta64(1, "m")  # the file has no seconds
_WITHHELD_WORDS = objects(["ANONIMO", "Privato", ""])
_SPELLINGS = ("+39{0}{1:07d}", "39{0}{1:07d}", "{0}-{1:07d}", "{0}/{1:07d}")


def contact_centre_cases(world: World) -> SiloRows:
    """Return the cases of one block, one row each, in order of opening.

    Mess: numbers spelt in four ways, withheld or the brand's own; callers nobody looked up in the CRM, their names as
    an operator typed them; cases never resolved; moods in words, or left out.
    """
    rng, contacts = world.rng("contact centre"), world.service.contacts
    calls = np.flatnonzero((contacts.way == CALL) & (contacts.at < world.calendar.end - _UNTIL_EXPORT))
    n, person = len(calls), contacts.person[calls]
    shown = _numbers(rng, world.people.number[person])
    first, last = typed_names(rng, world.particulars.first_name[person], world.particulars.last_name[person])
    columns: dict[str, Texts] = {
        **_cases(world, calls),
        "Motivo": _reasons(rng, contacts.reason[calls]),
        "Telefono": shown,
        "Codice cliente": blank(_codes(world, person, contacts.at[calls]), rng.random(n) < _LOOKED_UP),
        "Cognome": last,
        "Nome": first,
        "Umore": blank(_MOODS[np.searchsorted(_MOOD_EDGES, contacts.mood[calls])], rng.random(n) >= _NO_MOOD),
    }
    table = pa.table({name: text_array(values) for name, values in columns.items()})
    return SiloRows({"contact_centre/cases.csv": table}, {"phone": _owners(shown, person)})


def _cases(world: World, calls: Ints) -> dict[str, Texts]:
    """Return the number of each case, that of the complaint a reminder is about, and when it opened and closed."""
    service, contacts = world.service, world.service.contacts
    complaint = contacts.case[calls]
    number = case_ids(world)[complaint] if len(service.ways) else objects([None] * len(calls))
    opens, at, ended = contacts.reason[calls] == COMPLAINT, contacts.at[calls], contacts.ended[calls]
    closed = ended < world.calendar.end - _UNTIL_EXPORT
    return {
        "Pratica": np.where(opens, number, hex_ids(world.numbers(len(calls)), _SALT_CALL, "T")),
        "Rif. pratica": blank(number, (complaint >= 0) & ~opens),
        "Aperta il": _clock(at),
        "Chiusa il": blank(_clock(np.where(closed, ended, at)), closed),
    }


def _clock(at: Times) -> Texts:
    """Return what the wall showed in Rome, as 03-11-25 17.42."""
    day, hour = italian(rome(at))
    return objects(
        [
            f"{d[:2]}-{d[3:5]}-{d[8:]} {h[:2]}.{h[3:]}"
            for d, h in zip(day.tolist(), hour.tolist(), strict=True)
        ]
    )


def _codes(world: World, person: Ints, at: Times) -> Texts:
    """Return the crm_id of each caller at the time."""
    since = (at - world.calendar.week_start(np.zeros(1, np.int64))).astype("m8[s]").astype(np.int64)
    return current_crm(world, person, since // (7 * 86_400))


def _numbers(rng: np.random.Generator, number: Ints) -> Texts:
    """Return the number of each caller's mobile as the exchange showed it: withheld, or the brand's own, for some."""
    n = len(number)
    prefix, rest = (part.tolist() for part in mobiles(number))
    spelling = rng.integers(len(_SPELLINGS), size=n).tolist()
    shown = objects(
        [_SPELLINGS[style].format(p, r) for style, p, r in zip(spelling, prefix, rest, strict=True)]
    )
    drawn = rng.random(n)
    shown[drawn < _PASSED_ON] = SWITCHBOARD
    withheld = drawn > 1 - _WITHHELD
    shown[withheld] = rng.choice(_WITHHELD_WORDS, int(withheld.sum()))
    return shown


def _reasons(rng: np.random.Generator, reason: Ints) -> Texts:
    """Return reasons in the words of the contact centre; complaints are of two kinds."""
    late = (reason == COMPLAINT) & (rng.random(len(reason)) < 0.4)
    return np.where(late, _LATE_DELIVERY, _REASONS[reason])


def _owners(shown: Texts, person: Ints) -> tuple[Texts, Ints]:
    """Return the numbers that are somebody's, each spelling once, and whose they are."""
    own = np.flatnonzero(~np.isin(shown, [SWITCHBOARD, *_WITHHELD_WORDS]))
    _, first = np.unique(shown[own].astype(str), return_index=True)
    return shown[own[first]], person[own[first]]
