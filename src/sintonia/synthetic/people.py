"""The customers: latent traits, personal details, and their one or two registrations.

A person registers for an account, for a loyalty card, or twice with different details, which is what identity
resolution has to undo. Names, towns and streets are Italian.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints, Texts, Times
from sintonia.synthetic.arrays import hex_ids, is_present, keep_where, object_array, permute_bits
from sintonia.synthetic.calendar import Calendar
from sintonia.synthetic.catalogue import CATEGORIES, MEAN_PRICE


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FEMALE_NAMES = _split(
    "Giulia Martina Sara Chiara Francesca Alessia Elisa Valentina Federica Silvia Laura Elena Paola Anna "
    "Maria Giovanna Rosa Angela Lucia Teresa Carla Daniela Monica Simona Cristina Barbara Roberta Ilaria "
    "Giorgia Sofia Aurora Beatrice Camilla Noemi Rebecca Caterina Margherita Ludovica Marta Serena "
    "Antonella Patrizia Claudia Emanuela Raffaella Michela Arianna Eleonora Veronica Stefania Debora "
    "Lorena Mirella Graziella"
)
MALE_NAMES = _split(
    "Marco Andrea Luca Francesco Alessandro Matteo Lorenzo Davide Simone Federico Giuseppe Antonio "
    "Giovanni Roberto Stefano Paolo Salvatore Vincenzo Mario Luigi Domenico Pietro Riccardo Nicolò "
    "Tommaso Gabriele Edoardo Leonardo Filippo Giacomo Enrico Alberto Claudio Massimo Fabio Maurizio "
    "Giorgio Sergio Bruno Franco Carlo Michele Daniele Emanuele Cristian Diego Samuele Jacopo Raffaele "
    "Gianluca Umberto Corrado Dario"
)
NICKNAMES = {
    "Giuseppe": "Beppe",
    "Francesco": "Franco",
    "Alessandro": "Sandro",
    "Antonio": "Tonino",
    "Giovanni": "Gianni",
    "Salvatore": "Totò",
    "Vincenzo": "Enzo",
    "Domenico": "Mimmo",
    "Luigi": "Gigi",
    "Francesca": "Franci",
    "Alessia": "Ale",
    "Valentina": "Vale",
    "Federica": "Fede",
    "Elisabetta": "Betta",
    "Giovanna": "Gianna",
    "Giulia": "Giuly",
    "Beatrice": "Bea",
    "Margherita": "Rita",
    "Caterina": "Katia",
    "Eleonora": "Nora",
    "Matteo": "Teo",
    "Lorenzo": "Renzo",
    "Tommaso": "Tommi",
    "Raffaella": "Lella",
    "Antonella": "Nella",
    "Gabriele": "Lele",
}
_SURNAME_STEMS = _split(
    "Ross Ferrar Russ Bianch Roman Colomb Ricc Marin Grec Brun Gall Cont Cost Giordan Mancin Rizz Lombard "
    "Morett Barbier Fontan Santor Marian Rinald Carus Ferr Fabbr Martin Gatt Pellegrin Palumb Sanna Fara "
    "Rizzol Mont Cattane Morell Amat Silvestr Mazz Test Grass Vital Parisi Villan Serr Coppol D'Ange "
    "Marchett Ferret Bernard Guerr Neri Basil Benedett Valentin Orland Piras Caputo Maziot Sartor Negr "
    "Bassan Tron Zanett Vent Pozz Brambill Castell Cavall Donat Fiorent Gentil Leon Messin Napolitan Oliv "
    "Pagan Querc Ruggier Salvator Tedesc Ulivier Volp"
)
LAST_NAMES = tuple(
    stem + ending for stem in _SURNAME_STEMS for ending in ("i", "o", "a", "etti", "ini", "one")
)
STREETS = tuple(
    f"{kind} {name}"
    for kind in ("Via", "Viale", "Piazza", "Corso")
    for name in [
        "Garibaldi",
        "Roma",
        "Mazzini",
        "Dante",
        "Verdi",
        "Cavour",
        "Marconi",
        "Matteotti",
        "Don Minzoni",
        "Leopardi",
        "Manzoni",
        "San Francesco",
        "della Libertà",
        "XX Settembre",
        "Monte Grappa",
        "Carducci",
        "dei Mille",
        "Kennedy",
        "Gramsci",
        "Piave",
        "Trento",
        "della Repubblica",
        "Santa Lucia",
        "Pascoli",
        "Foscolo",
        "delle Rose",
        "Aldo Moro",
        "Galileo Galilei",
        "Colombo",
        "Vittorio Emanuele II",
    ]
)
TOWNS = (  # town, province, region, first three digits of the postcode, size, share of customers
    ("Milano", "MI", "Lombardia", "201", "large", 0.16),
    ("Roma", "RM", "Lazio", "001", "large", 0.15),
    ("Torino", "TO", "Piemonte", "101", "large", 0.09),
    ("Napoli", "NA", "Campania", "801", "large", 0.08),
    ("Bologna", "BO", "Emilia-Romagna", "401", "medium", 0.07),
    ("Firenze", "FI", "Toscana", "501", "medium", 0.06),
    ("Verona", "VR", "Veneto", "371", "medium", 0.05),
    ("Bari", "BA", "Puglia", "701", "medium", 0.05),
    ("Catania", "CT", "Sicilia", "951", "medium", 0.05),
    ("Forlì", "FC", "Emilia-Romagna", "471", "small", 0.04),
    ("Cantù", "CO", "Lombardia", "220", "small", 0.04),
    ("Lucca", "LU", "Toscana", "551", "small", 0.04),
    ("Chieti", "CH", "Abruzzo", "661", "small", 0.03),
    ("Lecce", "LE", "Puglia", "731", "small", 0.03),
    ("Udine", "UD", "Friuli-Venezia Giulia", "331", "small", 0.03),
    ("Cefalù", "PA", "Sicilia", "900", "small", 0.03),
)
EMAIL_PROVIDERS = (
    "gmail.com",
    "libero.it",
    "hotmail.it",
    "outlook.it",
    "yahoo.it",
    "virgilio.it",
    "tiscali.it",
    "icloud.com",
)
_WITHOUT_ACCENTS = str.maketrans("àèéìòùÀÈÉÌÒÙ", "aeeiouAEEIOU")


def email_letters(text: str) -> str:
    """Return the text in lower-case letters without accents, apostrophes and spaces, as in an e-mail address.

    Examples
    --------
    >>> email_letters("Nicolò D'Ange")
    'nicolodange'
    """
    return text.translate(_WITHOUT_ACCENTS).replace("'", "").replace(" ", "").lower()


def add_typo(rng: np.random.Generator, text: str) -> str:
    """Return the text with two adjacent characters swapped, or one character dropped or doubled."""
    if len(text) < 3:
        return text
    position, kind = int(rng.integers(1, len(text) - 1)), int(rng.integers(3))
    if kind == 0:
        return text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    return (
        text[:position] + text[position + 1 :]
        if kind == 1
        else text[:position] + text[position] + text[position:]
    )


def vary_case(rng: np.random.Generator, text: str) -> str:
    """Return the text as typed: sometimes in upper case, in lower case, or without a final accent."""
    draw = rng.random()
    if draw < 0.12:
        return text.upper()
    if draw < 0.20:
        return text.lower()
    if text and text[-1] in "àèéìòù" and draw < 0.6:
        return text.translate(_WITHOUT_ACCENTS) + "'"
    return text


WEB, STORE, BOTH = 0, 1, 2
"""Where a person shops."""

NEVER = 1 << 30
"""A week after every simulation, for what does not happen."""

EXTRA_QUANTITY = 0.15
"""Share of lines that hold two items."""


@dataclass(frozen=True)
class SyntheticPeople:
    """One entry per person and trait; shares and inclinations lie in [0, 1].

    `number` counts over all blocks. `first_week` and `second_week` are those of the person's registrations
    (below zero: before the history starts; NEVER: there is none), `order_rate` is orders a week at average
    interest. `app_share` of the online visits are made in the app, from `app_wait` weeks after the account on; a
    guest never logs in there, and orders elsewhere. `talks` is the inclination to contact the brand, `calls` the
    share of contacts by telephone rather than chat, `posts` the posts a week at full attention.
    """

    number: Ints
    place: Ints
    birth_year: Ints
    female: Bools
    order_rate: Floats
    browse_rate: Floats
    web_share: Floats
    card_use: Floats
    basket: Floats
    price_sensitivity: Floats
    novelty: Floats
    collector: Floats
    reads_email: Floats
    weary: Floats
    night: Floats
    favourites: Ints  # (n, 3) category numbers
    first_week: Ints
    second_week: Ints
    second_online: Bools
    consent: Bools  # (n, 4): email, sms, push, phone
    app_share: Floats
    app_wait: Ints
    app_guest: Bools
    talks: Floats
    calls: Floats
    posts: Floats

    def __len__(self) -> int:
        """How many people."""
        return len(self.number)

    @property
    def first_online(self) -> Bools:
        """Whose first registration opened an account; all other first registrations opened a loyalty card."""
        online: Bools = (self.place == WEB) | ((self.place == BOTH) & ~self.second_online)
        return online

    @property
    def account_from(self) -> Ints:
        """The week of the first online account."""
        return np.where(
            self.first_online, self.first_week, np.where(self.second_online, self.second_week, NEVER)
        )

    @property
    def card_from(self) -> Ints:
        """The week of the first loyalty card."""
        second_card = np.where(self.second_online, NEVER, self.second_week)
        return np.where(self.first_online, second_card, self.first_week)

    def in_app(self, person: Ints, week: Ints) -> Floats:
        """Return the share of online visits made in the app, 0 before it is installed."""
        installed = self.account_from[person] + self.app_wait[person] < week
        share: Floats = self.app_share[person] * installed
        return share

    @property
    def category_odds(self) -> Floats:
        """The category shares of each person's order lines, (n, 12); novelty seekers buy across more categories."""
        odds = np.repeat((0.05 + 0.9 * self.novelty)[:, None] / len(CATEGORIES), len(CATEGORIES), axis=1)
        loyal = (0.95 - 0.9 * self.novelty)[:, None] * np.array([0.6, 0.25, 0.15])
        np.add.at(odds, (np.arange(len(self))[:, None], self.favourites), loyal)
        return odds

    @property
    def order_value(self) -> Floats:
        """Expected list value of an order, in cents."""
        value: Floats = (1 + self.basket) * (1 + EXTRA_QUANTITY) * (self.category_odds @ MEAN_PRICE)
        return value


def draw_people(rng: np.random.Generator, numbers: Ints, calendar: Calendar) -> SyntheticPeople:
    """Return people with the given numbers."""
    n = len(numbers)
    shops_in = rng.choice(3, size=n, p=[0.24, 0.18, 0.58])
    age = np.clip(rng.normal(np.where(shops_in == STORE, 54, 42), 14, n), 18, 88).astype(np.int64)
    young = np.clip((60 - age) / 40, 0, 1)
    first_week, second_week = _registration_weeks(rng, shops_in, calendar)
    order_rate = np.minimum(0.22 * np.exp(rng.normal(-0.85, 1.3, n)), 0.8)
    return SyntheticPeople(
        number=numbers,
        place=shops_in,
        birth_year=calendar.end.astype("M8[Y]").astype(np.int64) + 1970 - age,
        female=rng.random(n) < 0.58,
        order_rate=order_rate,
        browse_rate=np.where(
            shops_in == STORE, 0.0, (0.01 + 1.1 * order_rate) * np.exp(rng.normal(-0.1, 0.4, n))
        ),
        web_share=np.where(shops_in == BOTH, rng.beta(1.5, 1.5, n), np.where(shops_in == WEB, 1.0, 0.0)),
        card_use=rng.beta(8, 1.2, n),
        basket=0.2 + rng.gamma(2.0, 0.2, n),
        price_sensitivity=_draw_polarised_trait(rng, n),
        novelty=_draw_polarised_trait(rng, n),
        collector=_draw_polarised_trait(rng, n),
        reads_email=rng.beta(4, 3.5, n),
        weary=np.where(rng.random(n) < 0.25, rng.beta(5, 1.5, n), 0.0),
        night=rng.beta(0.6 + young, 1.6 - 0.6 * young),
        favourites=rng.permuted(np.tile(np.arange(len(CATEGORIES)), (n, 1)), axis=1)[:, :3],
        first_week=first_week,
        second_week=second_week,
        second_online=np.where(shops_in == BOTH, rng.random(n) < 0.65, shops_in == WEB),
        consent=rng.random((n, 4)) < np.array([0.78, 0.55, 0.5, 0.6]),
        **_app_and_service_traits(rng, shops_in, young, order_rate),
    )


def _app_and_service_traits(
    rng: np.random.Generator, shops_in: Ints, young: Floats, order_rate: Floats
) -> dict[str, Any]:
    """Return the traits of the app, of service and of social media, drawn after all other traits."""
    n = len(shops_in)
    activity = order_rate / (order_rate + 0.1)
    has_app = (shops_in != STORE) & (rng.random(n) < 0.15 + 0.3 * young + 0.25 * activity)
    return {
        "app_share": np.where(has_app, rng.beta(2, 2, n), 0.0),
        "app_wait": rng.exponential(30, n).astype(np.int64),
        "app_guest": rng.random(n) < 0.06,
        "talks": rng.beta(2, 3, n),
        "calls": rng.beta(1.5 + 3 * (1 - young), 1.5 + 3 * young),
        "posts": np.where(rng.random(n) < 0.05 + 0.1 * young, rng.gamma(2, 0.02, n), 0.0),
    }


def _draw_polarised_trait(rng: np.random.Generator, n: int) -> Floats:
    """Return a trait in [0, 1] that is high for 40 % of people and low for 60 %."""
    return np.where(rng.random(n) < 0.4, rng.beta(8, 2, n), rng.beta(1.2, 7, n))


def _registration_weeks(rng: np.random.Generator, shops_in: Ints, calendar: Calendar) -> tuple[Ints, Ints]:
    """Return the weeks of first and second registrations; 55 % of first registrations precede the history."""
    n = len(shops_in)
    before = rng.random(n) < 0.55
    first = np.where(before, -rng.integers(1, 260, n), rng.integers(0, max(1, int(0.8 * calendar.weeks)), n))
    registers_twice = (shops_in == BOTH) | (rng.random(n) < 0.45)
    latest = max(1, calendar.weeks - 4)
    later = first + 1 + (rng.random(n) * np.maximum(1, latest - first - 1)).astype(np.int64)
    return first, np.where(registers_twice & (later < latest), later, NEVER)


_SALT_CRM, _SALT_ACCOUNT, _SALT_CARD, _SALT_PHONE, _SALT_EMAIL = range(1, 6)


@dataclass(frozen=True)
class PersonalDetails:
    """The true personal details, one entry per person."""

    first_name: Texts
    last_name: Texts
    birth_date: Times
    street: Texts
    postcode: Texts
    town: Ints


@dataclass(frozen=True)
class Registrations:
    """First and second registration of each person, (n, 2); a missing identifier is None.

    Equal identifiers link the two registrations of a person exactly; most people have none.
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
        """Return the index of the registration the brand uses: the newer, unless it is a card after an account."""
        newer = (self.week[person, 1] < week) & (self.online[person, 1] | ~self.online[person, 0])
        return np.where(newer, 1, 0)

    def reachable(self, people: SyntheticPeople, week: int, no_mail: Bools) -> Bools:
        """Return who can be reached at the week's start by e-mail, sms, push and phone, (n, 4)."""
        person = np.arange(len(people))
        current = self.current(person, week)
        email = is_present(self.email[person, current]) & ~no_mail
        phone = is_present(self.phone[person, current])
        account = people.account_from < week
        has_contact = np.column_stack([email, phone, account, phone])
        reachable: Bools = has_contact & people.consent & (people.first_week < week)[:, None]
        return reachable


def draw_personal_details(rng: np.random.Generator, people: SyntheticPeople) -> PersonalDetails:
    """Return names, birth dates and addresses; 12 % live in the household of the preceding person."""
    n = len(people)
    names = np.where(
        people.female, rng.choice(object_array(FEMALE_NAMES), n), rng.choice(object_array(MALE_NAMES), n)
    )
    household = np.arange(n) - ((rng.random(n) < 0.12) & (np.arange(n) > 0))
    birth_dates: Times = (people.birth_year - 1970).astype("M8[Y]").astype("M8[D]")
    birth_dates = birth_dates + rng.integers(0, 365, n).astype("m8[D]")
    town = rng.choice(len(TOWNS), n, p=[share for *_, share in TOWNS])
    door = rng.integers(1, 140, n)
    street = rng.choice(object_array(STREETS), n) + object_array([f" {number}" for number in door.tolist()])
    suffixes = rng.integers(10, 60, n).tolist()
    postcode = object_array(
        [TOWNS[town_index][3] + str(end) for town_index, end in zip(town.tolist(), suffixes, strict=True)]
    )
    last_names = rng.choice(object_array(LAST_NAMES), n)
    return PersonalDetails(
        names, last_names[household], birth_dates, street[household], postcode[household], town[household]
    )


def draw_registrations(
    rng: np.random.Generator, people: SyntheticPeople, details: PersonalDetails, calendar: Calendar
) -> Registrations:
    """Return the registrations of people, with the identifiers of each."""
    n = len(people)
    week = np.column_stack([people.first_week, people.second_week])
    exists = week < NEVER
    online = np.column_stack([people.first_online, people.second_online])
    hour = np.where(online, rng.normal(18, 3, (n, 2)), rng.uniform(9.5, 19.5, (n, 2))) % 24
    at = calendar.moment(rng, np.where(exists, week, 0).ravel(), hour.ravel()).reshape(n, 2)
    registration_numbers = (2 * people.number)[:, None] + np.arange(2)
    same_email = exists[:, 1] & (rng.random(n) < np.where(people.place == BOTH, 0.17, 0.05))
    gives_email = online | (rng.random((n, 2)) < 0.55) | same_email[:, None]
    gives_phone = rng.random((n, 2)) < np.where(online, 0.78, 0.9)
    account = _ids(registration_numbers, _SALT_ACCOUNT, "A")
    return Registrations(
        exists=exists,
        online=online,
        week=week,
        at=at,
        crm_id=keep_where(_ids(registration_numbers, _SALT_CRM, "C"), exists),
        account_id=keep_where(account, exists & online),
        card_no=keep_where(_cards(registration_numbers), exists & ~online),
        email=keep_where(_emails(rng, people, details, same_email), exists & gives_email),
        phone=keep_where(_phones(rng, people), exists & gives_phone),
    )


def _ids(numbers: Ints, salt: int, prefix: str) -> Texts:
    return hex_ids(numbers.ravel(), salt, prefix).reshape(numbers.shape)


def _cards(numbers: Ints) -> Texts:
    """Return 13 digits beginning with 29, as in-store EAN codes do."""
    code = permute_bits(numbers.ravel(), _SALT_CARD, bits=36)
    return object_array([f"29{digits:011d}" for digits in code.tolist()]).reshape(numbers.shape)


def _emails(
    rng: np.random.Generator, people: SyntheticPeople, details: PersonalDetails, same_email: Bools
) -> Texts:
    """Return two e-mail addresses per person, (n, 2): on different providers, or the same address twice."""
    n = len(people)
    tags = person_tags(people.number, _SALT_EMAIL)
    first_host = rng.integers(len(EMAIL_PROVIDERS), size=n)
    second_host = (first_host + rng.integers(1, len(EMAIL_PROVIDERS), n)) % len(EMAIL_PROVIDERS)
    emails = np.empty((n, 2), dtype=object)
    for i in range(n):
        first, last = email_letters(details.first_name[i]), email_letters(details.last_name[i])
        emails[i, 0] = f"{first}.{last}.{tags[i]}@{EMAIL_PROVIDERS[first_host[i]]}"
        second_email = (
            f"{last}{first[0]}{people.birth_year[i] % 100:02d}.{tags[i]}@{EMAIL_PROVIDERS[second_host[i]]}"
        )
        emails[i, 1] = emails[i, 0] if same_email[i] else second_email
    borrowed = np.flatnonzero((rng.random(n) < 0.003) & (np.arange(n) > 0))
    emails[borrowed, 0] = emails[borrowed - 1, 0]  # an address shared in a household
    return emails


def person_tags(number: Ints, salt: int) -> list[str]:
    """Return letters and digits that distinguish people of the same name, in an address or a handle."""
    return [np.base_repr(tag, 36).lower() for tag in permute_bits(number, salt, bits=24)]


def mobile_numbers(number: Ints) -> tuple[Ints, Ints]:
    """Return the mobile number of each person: the operator's three digits and the seven that follow."""
    high, low = np.divmod(permute_bits(number, _SALT_PHONE, bits=29), 10**7)
    return 320 + high, low


def _phones(rng: np.random.Generator, people: SyntheticPeople) -> Texts:
    """Return the mobile number of each person in two different spellings, (n, 2)."""
    n = len(people)
    prefix, digits = (part.tolist() for part in mobile_numbers(people.number))
    style = rng.integers(4, size=n)
    second_style = (style + rng.integers(1, 4, n)) % 4
    styles = ("+39{0}{1:07d}", "{0} {1:07d}", "{0}/{1:07d}", "0039 {0} {1:07d}")
    phones = [
        [styles[first_style].format(p, r), styles[other_style].format(p, r)]
        for first_style, other_style, p, r in zip(
            style.tolist(), second_style.tolist(), prefix, digits, strict=True
        )
    ]
    return np.array(phones, dtype=object)
