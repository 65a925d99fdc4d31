"""Italian names, towns and streets, and the ways people and clerks get them wrong."""

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WOMEN = _words(
    "Giulia Martina Sara Chiara Francesca Alessia Elisa Valentina Federica Silvia Laura Elena Paola Anna "
    "Maria Giovanna Rosa Angela Lucia Teresa Carla Daniela Monica Simona Cristina Barbara Roberta Ilaria "
    "Giorgia Sofia Aurora Beatrice Camilla Noemi Rebecca Caterina Margherita Ludovica Marta Serena "
    "Antonella Patrizia Claudia Emanuela Raffaella Michela Arianna Eleonora Veronica Stefania Debora "
    "Lorena Mirella Graziella"
)
MEN = _words(
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
_STEMS = _words(
    "Ross Ferrar Russ Bianch Roman Colomb Ricc Marin Grec Brun Gall Cont Cost Giordan Mancin Rizz Lombard "
    "Morett Barbier Fontan Santor Marian Rinald Carus Ferr Fabbr Martin Gatt Pellegrin Palumb Sanna Fara "
    "Rizzol Mont Cattane Morell Amat Silvestr Mazz Test Grass Vital Parisi Villan Serr Coppol D'Ange "
    "Marchett Ferret Bernard Guerr Neri Basil Benedett Valentin Orland Piras Caputo Maziot Sartor Negr "
    "Bassan Tron Zanett Vent Pozz Brambill Castell Cavall Donat Fiorent Gentil Leon Messin Napolitan Oliv "
    "Pagan Querc Ruggier Salvator Tedesc Ulivier Volp"
)
LAST_NAMES = tuple(stem + ending for stem in _STEMS for ending in ("i", "o", "a", "etti", "ini", "one"))
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
PROVIDERS = (
    "gmail.com",
    "libero.it",
    "hotmail.it",
    "outlook.it",
    "yahoo.it",
    "virgilio.it",
    "tiscali.it",
    "icloud.com",
)
_PLAIN = str.maketrans("àèéìòùÀÈÉÌÒÙ", "aeeiouAEEIOU")


def email_letters(text: str) -> str:
    """Return the text in lower-case letters without accents, apostrophes and spaces, as in an e-mail address.

    Examples
    --------
    >>> email_letters("Nicolò D'Ange")
    'nicolodange'
    """
    return text.translate(_PLAIN).replace("'", "").replace(" ", "").lower()


def typo(rng: np.random.Generator, text: str) -> str:
    """Return the text with two neighbours swapped, or one character lost or doubled."""
    if len(text) < 3:
        return text
    at, way = int(rng.integers(1, len(text) - 1)), int(rng.integers(3))
    if way == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if way == 1 else text[:at] + text[at] + text[at:]


def recase(rng: np.random.Generator, text: str) -> str:
    """Return the text as it was typed: now and then in capitals, in small letters, or without its accents."""
    drawn = rng.random()
    if drawn < 0.12:
        return text.upper()
    if drawn < 0.20:
        return text.lower()
    if text and text[-1] in "àèéìòù" and drawn < 0.6:
        return text.translate(_PLAIN) + "'"
    return text
