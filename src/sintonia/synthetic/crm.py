"""The CRM: registrations as clerks and customers typed them, later consents, and the desk's cases."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.arrays import given, hex_ids, objects
from sintonia.synthetic.clock import rome
from sintonia.synthetic.names import NICKNAMES, STREETS, TOWNS, recase, typo
from sintonia.synthetic.service import CALL, DESK
from sintonia.synthetic.text import italian, text_array
from sintonia.synthetic.world import SiloRows, World

_SALT_CASE = 30
_CONSENTS = ("consent_email", "consent_sms", "consent_push", "consent_phone")
_NICKNAME, _TYPO, _SWAPPED = 0.10, 0.05, 0.015
_NO_BIRTH_DATE, _WRONG_DAY = 0.04, 0.015
_MOVED, _STREET_TYPO, _NO_STREET = 0.06, 0.12, 0.15
"""How often something is typed wrongly or left out, per registration."""

_COLUMNS = (
    "crm_id",
    "record",
    "origin",
    "recorded_at",
    "loaded_at",
    "case_id",
    "account_id",
    "card_no",
    "first_name",
    "last_name",
    "sex",
    "birth_date",
    "email",
    "phone",
    "street",
    "postcode",
    "city",
    "province",
    "region",
    "city_size",
    "country",
    *_CONSENTS,
)


def crm_registrations(world: World) -> SiloRows:
    """Return the CRM's rows of one block in order of time: new, update (of a consent), complaint, resolved.

    Every row carries its crm_id; the rest of an update, a complaint or a resolution is empty.
    """
    rng = world.rng("crm")
    rows = pd.concat([_new(world, rng), _updates(world, rng), _cases(world)], ignore_index=True)
    rows["loaded_at"] = rows["recorded_at"] + (rng.integers(2, 90, len(rows)) * 60).astype("m8[s]")
    rows = rows[rows["loaded_at"] < world.calendar.end]
    rows = rows.sort_values(["recorded_at", "crm_id", "record"], ignore_index=True)
    for name in ("recorded_at", "loaded_at"):
        local = np.datetime_as_string(rome(rows[name].to_numpy()), unit="s").tolist()
        rows[name] = objects([text.replace("T", " ") for text in local])
    columns = {name: text_array(rows[name]) for name in _COLUMNS}
    return SiloRows({"crm/registrations.csv": pa.table(columns)}, _owners(world))


def _owners(world: World) -> dict[str, tuple[Texts, Ints]]:
    """Return every identifier a registration carries; one a household shares belongs to whom it names."""
    found: dict[str, tuple[Texts, Ints]] = {}
    for kind, column in (
        ("crm", "crm_id"),
        ("account", "account_id"),
        ("email", "email"),
        ("phone", "phone"),
    ):
        values = getattr(world.registrations, column).ravel()
        present = np.flatnonzero(given(values))
        _, first = np.unique(values[present].astype(str), return_index=True)
        present = present[np.sort(first)]
        found[kind] = (values[present], present // 2)
    return found


def _new(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return one row per registration: particulars with their mistakes, identifiers and consents as given."""
    held, truth = world.registrations, world.particulars
    person, turn = np.nonzero(held.exists)
    online = held.online[person, turn]
    first, last = typed_names(rng, truth.first_name[person], truth.last_name[person])
    rows = pd.DataFrame(
        {
            "crm_id": held.crm_id[person, turn],
            "record": "new",
            "origin": np.where(online, "web", "store"),
            "recorded_at": held.at[person, turn],
            "account_id": held.account_id[person, turn],
            "card_no": held.card_no[person, turn],
            "first_name": first,
            "last_name": last,
            "sex": np.where(
                rng.random(len(person)) < 0.8, np.where(world.people.female[person], "F", "M"), ""
            ),
            "birth_date": _birth_dates(rng, truth.birth_date[person], online),
            "email": [mail and recase(rng, mail) for mail in held.email[person, turn].tolist()],
            "phone": held.phone[person, turn],
            "country": np.where(rng.random(len(person)) < 0.7, "IT", "Italia"),
        }
    )
    address = _addresses(world, rng, person)
    consents = _yes_no(world.people.consent[person])
    return pd.concat([rows, address, consents], axis=1)


def _yes_no(given: Texts) -> pd.DataFrame:
    words = np.where(given, "yes", "no")
    return pd.DataFrame({name: words[:, place] for place, name in enumerate(_CONSENTS)})


def typed_names(rng: np.random.Generator, first: Texts, last: Texts) -> tuple[Texts, Texts]:
    """Return first and last names as typed: nicknames, typos, capitals, lost accents, the two swapped."""
    drawn = rng.random((len(first), 4)).tolist()
    firsts, lasts = [], []
    for one, two, (nick, slip, slip_last, swap) in zip(first.tolist(), last.tolist(), drawn, strict=True):
        given = NICKNAMES.get(one, one) if nick < _NICKNAME else one
        given = typo(rng, given) if slip < _TYPO else given
        family = typo(rng, two) if slip_last < _TYPO else two
        pair = (recase(rng, given), recase(rng, family))
        pair = pair[::-1] if swap < _SWAPPED else pair
        firsts.append(pair[0])
        lasts.append(pair[1])
    return objects(firsts), objects(lasts)


def _birth_dates(rng: np.random.Generator, born: Texts, online: Texts) -> Texts:
    """Return ISO dates from the web form, dd/mm/yyyy from the till; some wrong by some days, some missing."""
    n = len(born)
    slip = np.where(rng.random(n) < _WRONG_DAY, rng.integers(1, 10, n), 0)
    iso = np.datetime_as_string(born + slip.astype("m8[D]"), unit="D").astype(object)
    till, _ = italian((born + slip.astype("m8[D]")).astype("M8[us]"))
    dates: Texts = np.where(online, iso, till)
    dates[rng.random(n) < _NO_BIRTH_DATE] = None
    return dates


def _addresses(world: World, rng: np.random.Generator, person: Ints) -> pd.DataFrame:
    """Return addresses as typed: typos in streets, another street for those who moved, some left empty."""
    truth, n = world.particulars, len(person)
    moved, slip, empty = rng.random((3, n)) < np.array([[_MOVED], [_STREET_TYPO], [_NO_STREET]])
    elsewhere = rng.choice(objects(STREETS), n) + objects(
        [f" {door}" for door in rng.integers(1, 140, n).tolist()]
    )
    street = np.where(moved, elsewhere, truth.street[person])
    street[slip] = [typo(rng, text) for text in street[slip]]
    street[empty] = None
    towns = [TOWNS[place] for place in truth.town[person].tolist()]
    return pd.DataFrame(
        {
            "street": street,
            "postcode": truth.postcode[person],
            "city": [recase(rng, town[0]) for town in towns],
            "province": [town[1] for town in towns],
            "region": [town[2] for town in towns],
            "city_size": [town[4] for town in towns],
        }
    )


def _updates(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return consent rows: the night after an unsubscribe, e-mail is set to no."""
    sends, calendar = world.journeys.sends, world.calendar
    left = sends.unsubscribed
    person, week = sends.person[left], sends.week[left]
    at = (
        calendar.week_start(week)
        + np.timedelta64(22, "h")
        + rng.integers(0, 3600, len(person)).astype("m8[s]")
    )
    consents = _yes_no(world.people.consent[person]).assign(consent_email="no")
    rows = pd.DataFrame({"crm_id": current_crm(world, person, week), "record": "update", "origin": "web"})
    return pd.concat([rows.assign(recorded_at=at + np.timedelta64(24, "h")), consents], axis=1)


def current_crm(world: World, person: Ints, week: Ints) -> Texts:
    """Return the crm_id the brand uses for each person in each week."""
    held = world.registrations
    return held.crm_id[person, held.current(person, week)]


def case_ids(world: World) -> Texts:
    """Return the number of each complaint's case, one over all silos."""
    return hex_ids(world.numbers(len(world.service.ways)), _SALT_CASE, "K")


def _cases(world: World) -> pd.DataFrame:
    """Return the complaints made at the desk and the end of all cases but those the contact centre closes."""
    cases, service = world.journeys.complaints, world.service
    number = case_ids(world)
    desk = service.ways == DESK
    ended = (service.ways != CALL) & ~np.isnat(service.closed)
    parts = []
    for record, origin, rows, at, week in (
        ("complaint", "store", desk, service.made, cases.week),
        ("resolved", "web", ended, service.closed, cases.closed),
    ):
        columns = {"record": record, "origin": origin, "recorded_at": at[rows], "case_id": number[rows]}
        parts.append(pd.DataFrame({"crm_id": current_crm(world, cases.person[rows], week[rows]), **columns}))
    return pd.concat(parts, ignore_index=True)
