"""How people registered: for an account, for a card or twice, each time under other particulars."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Ints, Texts, Times
from sintonia.synthetic.arrays import blank, given, hex_ids, objects, shuffled
from sintonia.synthetic.clock import Calendar
from sintonia.synthetic.names import LAST_NAMES, MEN, PROVIDERS, STREETS, TOWNS, WOMEN, email_letters
from sintonia.synthetic.people import BOTH, NEVER, SyntheticPeople

_SALT_CRM, _SALT_ACCOUNT, _SALT_CARD, _SALT_PHONE, _SALT_EMAIL = range(1, 6)


@dataclass(frozen=True)
class Particulars:
    """What is true of people: one entry per person."""

    first_name: Texts
    last_name: Texts
    birth_date: Times
    street: Texts
    postcode: Texts
    town: Ints


@dataclass(frozen=True)
class Registrations:
    """First and second registration of each person, (n, 2); a missing identifier is None.

    Identifiers of one person that are written the same tie the two registrations exactly; most are not.
    """

    exists: Bools
    online: Bools
    week: Ints
    at: Times
    crm_id: Texts
    account_id: Texts
    card_no: Texts
    email: Texts
    phone: Texts

    def current(self, person: Ints, week: Ints | int) -> Ints:
        """Return which registration the brand writes to: the newer one, but no card after an account."""
        newer = (self.week[person, 1] < week) & (self.online[person, 1] | ~self.online[person, 0])
        return np.where(newer, 1, 0)

    def reachable(self, people: SyntheticPeople, week: int, no_mail: Bools) -> Bools:
        """Return who can be reached at the week's start by e-mail, sms, push and phone, (n, 4)."""
        everyone = np.arange(len(people))
        current = self.current(everyone, week)
        email = given(self.email[everyone, current]) & ~no_mail
        phone = given(self.phone[everyone, current])
        account = people.account_from < week
        has = np.column_stack([email, phone, account, phone])
        reach: Bools = has & people.consent & (people.first_week < week)[:, None]
        return reach


def draw_particulars(rng: np.random.Generator, people: SyntheticPeople) -> Particulars:
    """Return names, birth dates and addresses; one person in eight lives with the one before."""
    n = len(people)
    names = np.where(people.female, rng.choice(objects(WOMEN), n), rng.choice(objects(MEN), n))
    home = np.arange(n) - ((rng.random(n) < 0.12) & (np.arange(n) > 0))
    born: Times = (people.birth_year - 1970).astype("M8[Y]").astype("M8[D]")
    born = born + rng.integers(0, 365, n).astype("m8[D]")
    town = rng.choice(len(TOWNS), n, p=[share for *_, share in TOWNS])
    door = rng.integers(1, 140, n)
    street = rng.choice(objects(STREETS), n) + objects([f" {number}" for number in door.tolist()])
    ending = rng.integers(10, 60, n).tolist()
    postcode = objects([TOWNS[place][3] + str(end) for place, end in zip(town.tolist(), ending, strict=True)])
    last = rng.choice(objects(LAST_NAMES), n)
    return Particulars(names, last[home], born, street[home], postcode[home], town[home])


def draw_registrations(
    rng: np.random.Generator, people: SyntheticPeople, truth: Particulars, calendar: Calendar
) -> Registrations:
    """Return the registrations of people with the identifiers they gave each time."""
    n = len(people)
    week = np.column_stack([people.first_week, people.second_week])
    exists = week < NEVER
    online = np.column_stack([people.first_online, people.second_online])
    hour = np.where(online, rng.normal(18, 3, (n, 2)), rng.uniform(9.5, 19.5, (n, 2))) % 24
    at = calendar.moment(rng, np.where(exists, week, 0).ravel(), hour.ravel()).reshape(n, 2)
    twice = (2 * people.number)[:, None] + np.arange(2)
    same_mail = exists[:, 1] & (rng.random(n) < np.where(people.place == BOTH, 0.17, 0.05))
    gives_mail = online | (rng.random((n, 2)) < 0.55) | same_mail[:, None]
    gives_phone = rng.random((n, 2)) < np.where(online, 0.78, 0.9)
    account = _ids(twice, _SALT_ACCOUNT, "A")
    return Registrations(
        exists=exists,
        online=online,
        week=week,
        at=at,
        crm_id=blank(_ids(twice, _SALT_CRM, "C"), exists),
        account_id=blank(account, exists & online),
        card_no=blank(_cards(twice), exists & ~online),
        email=blank(_emails(rng, people, truth, same_mail), exists & gives_mail),
        phone=blank(_phones(rng, people), exists & gives_phone),
    )


def _ids(numbers: Ints, salt: int, prefix: str) -> Texts:
    return hex_ids(numbers.ravel(), salt, prefix).reshape(numbers.shape)


def _cards(numbers: Ints) -> Texts:
    """Return 13 digits beginning with 29, as in-store EAN codes do."""
    code = shuffled(numbers.ravel(), _SALT_CARD, bits=36)
    return objects([f"29{digits:011d}" for digits in code.tolist()]).reshape(numbers.shape)


def _emails(rng: np.random.Generator, people: SyntheticPeople, truth: Particulars, same: Bools) -> Texts:
    """Return two addresses a person, on different providers, or one address written twice."""
    n = len(people)
    tags = person_tags(people.number, _SALT_EMAIL)
    first_host = rng.integers(len(PROVIDERS), size=n)
    second_host = (first_host + rng.integers(1, len(PROVIDERS), n)) % len(PROVIDERS)
    out = np.empty((n, 2), dtype=object)
    for i in range(n):
        first, last = email_letters(truth.first_name[i]), email_letters(truth.last_name[i])
        out[i, 0] = f"{first}.{last}.{tags[i]}@{PROVIDERS[first_host[i]]}"
        other = f"{last}{first[0]}{people.birth_year[i] % 100:02d}.{tags[i]}@{PROVIDERS[second_host[i]]}"
        out[i, 1] = out[i, 0] if same[i] else other
    borrowed = np.flatnonzero((rng.random(n) < 0.003) & (np.arange(n) > 0))
    out[borrowed, 0] = out[borrowed - 1, 0]  # a household's one address
    return out


def person_tags(number: Ints, salt: int) -> list[str]:
    """Return a few letters and digits that set apart people of the same name, in an address or a handle."""
    return [np.base_repr(tag, 36).lower() for tag in shuffled(number, salt, bits=24)]


def mobiles(number: Ints) -> tuple[Ints, Ints]:
    """Return the mobile number of each person: the operator's three digits and the seven that follow."""
    high, low = np.divmod(shuffled(number, _SALT_PHONE, bits=29), 10**7)
    return 320 + high, low


def _phones(rng: np.random.Generator, people: SyntheticPeople) -> Texts:
    """Return one mobile number a person, written in another way each time, as no clerk follows a norm."""
    n = len(people)
    prefix, rest = (part.tolist() for part in mobiles(people.number))
    style = rng.integers(4, size=n)
    other = (style + rng.integers(1, 4, n)) % 4
    styles = ("+39{0}{1:07d}", "{0} {1:07d}", "{0}/{1:07d}", "0039 {0} {1:07d}")
    both = [
        [styles[one].format(p, r), styles[two].format(p, r)]
        for one, two, p, r in zip(style.tolist(), other.tolist(), prefix, rest, strict=True)
    ]
    return np.array(both, dtype=object)
