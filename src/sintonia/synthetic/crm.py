"""The CRM: registrations with typing errors, later consents, and the complaint cases of the store desk."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.arrays import hex_ids, is_present, object_array
from sintonia.synthetic.calendar import rome_time
from sintonia.synthetic.files import italian_dates, text_array
from sintonia.synthetic.journeys import CALL, DESK
from sintonia.synthetic.people import NICKNAMES, STREETS, TOWNS, add_typo, vary_case
from sintonia.synthetic.world import SiloRows, World

_SALT_CASE = 30
_CONSENTS = ("consent_email", "consent_sms", "consent_push", "consent_phone")
_NICKNAME, _TYPO, _SWAPPED = 0.10, 0.05, 0.015
_NO_BIRTH_DATE, _WRONG_DAY = 0.04, 0.015
_MOVED, _STREET_TYPO, _NO_STREET = 0.06, 0.12, 0.15
"""Error and omission rates per registration."""

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

    Every row has a crm_id; an update, a complaint or a resolution has no personal details.
    """
    rng = world.rng("crm")
    rows = pd.concat(
        [_registrations(world, rng), _consent_updates(world, rng), _cases(world)], ignore_index=True
    )
    rows["loaded_at"] = rows["recorded_at"] + (rng.integers(2, 90, len(rows)) * 60).astype("m8[s]")
    rows = rows[rows["loaded_at"] < world.calendar.end]
    rows = rows.sort_values(["recorded_at", "crm_id", "record"], ignore_index=True)
    for name in ("recorded_at", "loaded_at"):
        local = np.datetime_as_string(rome_time(rows[name].to_numpy()), unit="s").tolist()
        rows[name] = object_array([text.replace("T", " ") for text in local])
    columns = {name: text_array(rows[name]) for name in _COLUMNS}
    return SiloRows({"crm/registrations.csv": pa.table(columns)}, _owners(world))


def _owners(world: World) -> dict[str, tuple[Texts, Ints]]:
    """Return every identifier of the registrations; one shared in a household belongs to its first owner."""
    owners: dict[str, tuple[Texts, Ints]] = {}
    for kind, column in (
        ("crm", "crm_id"),
        ("account", "account_id"),
        ("email", "email"),
        ("phone", "phone"),
    ):
        values = getattr(world.registrations, column).ravel()
        present = np.flatnonzero(is_present(values))
        _, first = np.unique(values[present].astype(str), return_index=True)
        present = present[np.sort(first)]
        owners[kind] = (values[present], present // 2)
    return owners


def _registrations(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return one row per registration: personal details with errors, identifiers and consents."""
    registrations, details = world.registrations, world.personal_details
    person, registration = np.nonzero(registrations.exists)
    online = registrations.online[person, registration]
    first, last = typed_names(rng, details.first_name[person], details.last_name[person])
    rows = pd.DataFrame(
        {
            "crm_id": registrations.crm_id[person, registration],
            "record": "new",
            "origin": np.where(online, "web", "store"),
            "recorded_at": registrations.at[person, registration],
            "account_id": registrations.account_id[person, registration],
            "card_no": registrations.card_no[person, registration],
            "first_name": first,
            "last_name": last,
            "sex": np.where(
                rng.random(len(person)) < 0.8, np.where(world.people.female[person], "F", "M"), ""
            ),
            "birth_date": _birth_dates(rng, details.birth_date[person], online),
            "email": [
                mail and vary_case(rng, mail) for mail in registrations.email[person, registration].tolist()
            ],
            "phone": registrations.phone[person, registration],
            "country": np.where(rng.random(len(person)) < 0.7, "IT", "Italia"),
        }
    )
    address = _addresses(world, rng, person)
    consents = _yes_no(world.people.consent[person])
    return pd.concat([rows, address, consents], axis=1)


def _yes_no(consents: Texts) -> pd.DataFrame:
    texts = np.where(consents, "yes", "no")
    return pd.DataFrame({name: texts[:, column] for column, name in enumerate(_CONSENTS)})


def typed_names(rng: np.random.Generator, first: Texts, last: Texts) -> tuple[Texts, Texts]:
    """Return first and last names as typed: nicknames, typos, upper case, missing accents, swapped fields."""
    drawn = rng.random((len(first), 4)).tolist()
    firsts, lasts = [], []
    for first_name, last_name, (nick, slip, slip_last, swap) in zip(
        first.tolist(), last.tolist(), drawn, strict=True
    ):
        typed_first = NICKNAMES.get(first_name, first_name) if nick < _NICKNAME else first_name
        typed_first = add_typo(rng, typed_first) if slip < _TYPO else typed_first
        typed_last = add_typo(rng, last_name) if slip_last < _TYPO else last_name
        pair = (vary_case(rng, typed_first), vary_case(rng, typed_last))
        pair = pair[::-1] if swap < _SWAPPED else pair
        firsts.append(pair[0])
        lasts.append(pair[1])
    return object_array(firsts), object_array(lasts)


def _birth_dates(rng: np.random.Generator, born: Texts, online: Texts) -> Texts:
    """Return ISO dates from the web form, dd/mm/yyyy from the till; 1.5 % wrong by days, 4 % missing."""
    n = len(born)
    days_off = np.where(rng.random(n) < _WRONG_DAY, rng.integers(1, 10, n), 0)
    iso = np.datetime_as_string(born + days_off.astype("m8[D]"), unit="D").astype(object)
    till, _ = italian_dates((born + days_off.astype("m8[D]")).astype("M8[us]"))
    dates: Texts = np.where(online, iso, till)
    dates[rng.random(n) < _NO_BIRTH_DATE] = None
    return dates


def _addresses(world: World, rng: np.random.Generator, person: Ints) -> pd.DataFrame:
    """Return addresses as typed: typos in streets, a different street for those who moved, missing streets."""
    details, n = world.personal_details, len(person)
    moved, slip, empty = rng.random((3, n)) < np.array([[_MOVED], [_STREET_TYPO], [_NO_STREET]])
    other_street = rng.choice(object_array(STREETS), n) + object_array(
        [f" {door}" for door in rng.integers(1, 140, n).tolist()]
    )
    street = np.where(moved, other_street, details.street[person])
    street[slip] = [add_typo(rng, text) for text in street[slip]]
    street[empty] = None
    towns = [TOWNS[town_index] for town_index in details.town[person].tolist()]
    return pd.DataFrame(
        {
            "street": street,
            "postcode": details.postcode[person],
            "city": [vary_case(rng, town[0]) for town in towns],
            "province": [town[1] for town in towns],
            "region": [town[2] for town in towns],
            "city_size": [town[4] for town in towns],
        }
    )


def _consent_updates(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return consent rows: the night after an unsubscribe, e-mail is set to no."""
    sends, calendar = world.journeys.sends, world.calendar
    unsubscribed = sends.unsubscribed
    person, week = sends.person[unsubscribed], sends.week[unsubscribed]
    at = (
        calendar.week_start(week)
        + np.timedelta64(22, "h")
        + rng.integers(0, 3600, len(person)).astype("m8[s]")
    )
    consents = _yes_no(world.people.consent[person]).assign(consent_email="no")
    rows = pd.DataFrame({"crm_id": current_crm_ids(world, person, week), "record": "update", "origin": "web"})
    return pd.concat([rows.assign(recorded_at=at + np.timedelta64(24, "h")), consents], axis=1)


def current_crm_ids(world: World, person: Ints, week: Ints) -> Texts:
    """Return the crm_id the brand uses for each person and week."""
    registrations = world.registrations
    return registrations.crm_id[person, registrations.current(person, week)]


def case_ids(world: World) -> Texts:
    """Return the id of each complaint's case, the same in all silos."""
    return hex_ids(world.numbers(len(world.service.channels)), _SALT_CASE, "K")


def _cases(world: World) -> pd.DataFrame:
    """Return complaints made at the desk, and the resolution of all cases except those of the contact centre."""
    complaints, service = world.journeys.complaints, world.service
    case_id = case_ids(world)
    desk = service.channels == DESK
    closed_by_crm = (service.channels != CALL) & ~np.isnat(service.closed_at)
    parts = []
    for record, origin, rows, at, week in (
        ("complaint", "store", desk, service.opened_at, complaints.week),
        ("resolved", "web", closed_by_crm, service.closed_at, complaints.closed),
    ):
        columns = {"record": record, "origin": origin, "recorded_at": at[rows], "case_id": case_id[rows]}
        parts.append(
            pd.DataFrame({"crm_id": current_crm_ids(world, complaints.person[rows], week[rows]), **columns})
        )
    return pd.concat(parts, ignore_index=True)
