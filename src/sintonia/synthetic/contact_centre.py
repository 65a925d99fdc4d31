"""The cases of the contact centre: CSV in Latin-1, times as dd-mm-yy HH.MM, callers by displayed number."""

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic.arrays import hex_ids, keep_where, object_array
from sintonia.synthetic.calendar import rome_time
from sintonia.synthetic.crm import case_ids, current_crm_ids, typed_names
from sintonia.synthetic.files import italian_dates, text_array
from sintonia.synthetic.journeys import CALL, COMPLAINT
from sintonia.synthetic.people import mobile_numbers
from sintonia.synthetic.world import SiloRows, World

SWITCHBOARD = "02 4540 0400"
"""The brand's own number, displayed for forwarded calls."""

_SALT_CALL = 60
_REASONS = object_array(
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
_SENTIMENT_LABELS = object_array(["Molto negativo", "Negativo", "Neutro", "Positivo", "Molto positivo"])
_SENTIMENT_EDGES = np.array([-0.75, -0.25, 0.25, 0.75])
_NO_SENTIMENT = 0.08
_FORWARDED, _WITHHELD, _LOOKED_UP = 0.06, 0.07, 0.7
_UNTIL_EXPORT = np.timedelta64(1, "m")  # the file has no seconds
_WITHHELD_TEXTS = object_array(["ANONIMO", "Privato", ""])
_SPELLINGS = ("+39{0}{1:07d}", "39{0}{1:07d}", "{0}-{1:07d}", "{0}/{1:07d}")


def contact_centre_cases(world: World) -> SiloRows:
    """Return the cases of one block, one row each, in order of opening.

    Errors: numbers in four spellings, withheld or the brand's own; callers not looked up in the CRM, with names as the
    operator typed them; cases never resolved; sentiments as words, or missing.
    """
    rng, contacts = world.rng("contact centre"), world.service.contacts
    calls = np.flatnonzero((contacts.channel == CALL) & (contacts.at < world.calendar.end - _UNTIL_EXPORT))
    n, person = len(calls), contacts.person[calls]
    shown = _displayed_numbers(rng, world.people.number[person])
    first, last = typed_names(
        rng, world.personal_details.first_name[person], world.personal_details.last_name[person]
    )
    columns: dict[str, Texts] = {
        **_cases(world, calls),
        "Motivo": _reasons(rng, contacts.reason[calls]),
        "Telefono": shown,
        "Codice cliente": keep_where(
            _customer_codes(world, person, contacts.at[calls]), rng.random(n) < _LOOKED_UP
        ),
        "Cognome": last,
        "Nome": first,
        "Umore": keep_where(
            _SENTIMENT_LABELS[np.searchsorted(_SENTIMENT_EDGES, contacts.sentiment[calls])],
            rng.random(n) >= _NO_SENTIMENT,
        ),
    }
    table = pa.table({name: text_array(values) for name, values in columns.items()})
    return SiloRows({"contact_centre/cases.csv": table}, {"phone": _owners(shown, person)})


def _cases(world: World, calls: Ints) -> dict[str, Texts]:
    """Return the id of each case, the id of the complaint a reminder refers to, and opening and closing times."""
    service, contacts = world.service, world.service.contacts
    complaint_index = contacts.case[calls]
    case_id = case_ids(world)[complaint_index] if len(service.channels) else object_array([None] * len(calls))
    opens_case, at, settled_at = (
        contacts.reason[calls] == COMPLAINT,
        contacts.at[calls],
        contacts.settled_at[calls],
    )
    closed = settled_at < world.calendar.end - _UNTIL_EXPORT
    return {
        "Pratica": np.where(opens_case, case_id, hex_ids(world.numbers(len(calls)), _SALT_CALL, "T")),
        "Rif. pratica": keep_where(case_id, (complaint_index >= 0) & ~opens_case),
        "Aperta il": _local_time(at),
        "Chiusa il": keep_where(_local_time(np.where(closed, settled_at, at)), closed),
    }


def _local_time(at: Times) -> Texts:
    """Return local times in Rome, as 03-11-25 17.42."""
    day, hour = italian_dates(rome_time(at))
    return object_array(
        [
            f"{d[:2]}-{d[3:5]}-{d[8:]} {h[:2]}.{h[3:]}"
            for d, h in zip(day.tolist(), hour.tolist(), strict=True)
        ]
    )


def _customer_codes(world: World, person: Ints, at: Times) -> Texts:
    """Return the crm_id of each caller at the time."""
    seconds = (at - world.calendar.week_start(np.zeros(1, np.int64))).astype("m8[s]").astype(np.int64)
    return current_crm_ids(world, person, seconds // (7 * 86_400))


def _displayed_numbers(rng: np.random.Generator, number: Ints) -> Texts:
    """Return the displayed number of each caller: a spelling of the mobile number, withheld, or the brand's own."""
    n = len(number)
    prefix, digits = (part.tolist() for part in mobile_numbers(number))
    spelling = rng.integers(len(_SPELLINGS), size=n).tolist()
    shown = object_array(
        [_SPELLINGS[style].format(p, r) for style, p, r in zip(spelling, prefix, digits, strict=True)]
    )
    draw = rng.random(n)
    shown[draw < _FORWARDED] = SWITCHBOARD
    withheld = draw > 1 - _WITHHELD
    shown[withheld] = rng.choice(_WITHHELD_TEXTS, int(withheld.sum()))
    return shown


def _reasons(rng: np.random.Generator, reason: Ints) -> Texts:
    """Return reasons as the contact centre labels them; complaints have two labels."""
    late_delivery = (reason == COMPLAINT) & (rng.random(len(reason)) < 0.4)
    return np.where(late_delivery, _LATE_DELIVERY, _REASONS[reason])


def _owners(shown: Texts, person: Ints) -> tuple[Texts, Ints]:
    """Return the personal numbers, each spelling once, and their owners."""
    personal = np.flatnonzero(~np.isin(shown, [SWITCHBOARD, *_WITHHELD_TEXTS]))
    _, first = np.unique(shown[personal].astype(str), return_index=True)
    return shown[personal[first]], person[personal[first]]
