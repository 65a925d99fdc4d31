# ruff: noqa: RUF001, E501
"""The code page of a text without a mark, found by the letters its language would have.

Bytes above 127 are letters in any code page: `f9` is the ù of "rende più" in Windows-1252 and a Czech ů in Windows-1250.
What tells them apart is which letters go together, and how often each comes in a language.
"""

import math
from collections import Counter

LETTERS = {
    "it": "à 30 è 30 ò 12 ù 11 é 9 ì 8",
    "fr": "é 52 è 12 à 11 ê 6 ç 5 î 3 ô 3 û 2 ù 2 â 3 ï 1 ë 1 œ 1",
    "de": "ü 38 ä 33 ö 18 ß 11",
    "es": "ó 33 í 27 á 18 é 12 ñ 9 ú 6 ü 1",
    "pt": "ã 25 ç 17 é 13 á 12 í 10 ó 8 ê 6 õ 5 ú 3 à 3 â 3 ô 1",
    "nordic": "å 25 ä 25 ö 20 ø 14 æ 12 é 3",
    "is": "á 15 ð 18 í 14 þ 10 ö 9 ú 7 ó 8 æ 8 é 6 ý 3",
    "pl": "ł 20 ó 9 ą 14 ę 14 ż 11 ś 10 ć 8 ń 6 ź 2",
    "cs": "í 25 á 17 ě 12 é 11 ř 9 č 8 ž 8 š 7 ý 7 ů 5 ú 2 ň 1 ť 1 ď 1",
    "sk": "á 25 í 14 é 11 č 11 š 10 ž 9 ý 9 ú 8 ľ 4 ť 5 ô 3 ň 2 ä 1 ď 1 ŕ 0.2",
    "hu": "á 30 é 30 ö 10 ó 10 ő 8 ü 6 í 6 ú 3 ű 2",
    "ro": "ă 35 ţ 18 ș 12 ț 14 ş 18 î 18 â 10",
    "hr": "č 28 š 27 ž 20 ć 18 đ 7",
    "tr": "ı 38 ü 13 ş 13 ç 9 ğ 9 ö 7 İ 2 â 1",
    "lt": "ė 20 ų 15 š 15 ž 11 ū 8 į 9 č 7 ą 7 ę 5",
    "lv": "ā 38 ī 18 ē 16 š 10 ū 5 ņ 5 ļ 4 ž 3 ģ 2 ķ 2 č 2",
    "et": "ä 35 õ 30 ü 22 ö 11 š 1 ž 1",
    "ru": "о 11 е 8 а 8 и 7 н 7 т 6 с 5 р 5 в 5 л 4 к 3 м 3 д 3 п 3 у 3 я 2 ы 2 ь 2 г 2 з 2 б 2 ч 1 й 1 х 1 ж 1 ш 1 ю 1 ц 1 щ 1 э 1 ф 1 ъ 1 ё 1",
    "uk": "о 9 а 8 и 6 н 7 і 6 т 5 в 5 е 5 р 5 с 4 к 4 л 4 у 3 д 3 м 3 п 3 я 2 з 2 ь 2 б 2 г 2 ч 1 й 1 х 1 ж 1 ш 1 ю 1 ц 1 щ 1 ї 1 є 1 ф 1",
    "el": "α 11 ο 9 ι 8 ε 8 τ 8 σ 7 ν 6 η 5 υ 4 ρ 4 π 4 κ 4 λ 3 μ 3 ς 4 ω 2 δ 2 γ 2 θ 1 χ 1 φ 1 β 1 ξ 1 ζ 1 ψ 1 ά 2 ό 2 ί 2 έ 2 ή 1 ύ 1 ώ 1",
}  # fmt: skip
"""Of a language's letters beyond a to z, each one's share of them in percent, rounded."""

PAGES = {
    "cp1252": ("it", "fr", "de", "es", "pt", "nordic", "et"),
    "cp1250": ("pl", "cs", "sk", "hu", "ro", "hr"),
    "cp1251": ("ru", "uk"),
    "cp1253": ("el",),
    "cp1254": ("tr",),
    "latin-1": ("is",),
    "cp1257": ("lt", "lv", "et"),
    "iso8859_2": ("pl", "cs", "sk", "hu", "ro", "hr"),
    "mac_roman": ("it", "fr", "de", "es", "pt", "nordic"),
    "cp850": ("it", "fr", "de", "es", "pt", "nordic"),
    "cp437": ("it", "fr", "de", "es"),
    "cp852": ("pl", "cs", "sk", "hu", "ro", "hr"),
    "cp866": ("ru",),
    "koi8_r": ("ru",),
}
"""Code pages by how common they are in files of today, and the languages each is written for."""

SIGNS = "€£’‘“”–…°ºª«»©®™·§¿¡\xa0"
"""Signs any text may have, whatever its language."""

OUT_OF_USE, PENALTY = ("mac_roman", "cp850", "cp437", "cp852", "cp866", "koi8_r"), 10
"""Pages no program writes by itself any more: one odd byte is no evidence for them, a few letters are."""

SIGN, FOREIGN_LETTER, UNEXPECTED = 0.02, 0.002, 0.00001
"""The share of one sign of `SIGNS`, of a letter of another language (Müller in Rome) and of anything else."""


def guess_code_page(text: bytes) -> list[str]:
    r"""Return the code pages in which the text makes sense, the most likely one first; [] when it does in none.

    The likelihood of the letters is that of the language that explains them best; of equally likely pages the more
    common one goes first.

    Examples
    --------
    >>> [guess_code_page(text.encode(page))[0] for text, page in (("rende più", "cp1252"), ("žluťoučký kůň", "cp1250"))]
    ['cp1252', 'cp1250']
    """
    likely = []
    for rank, (page, languages) in enumerate(PAGES.items()):
        try:
            letters = Counter(letter for letter in text.decode(page) if letter > "\x7f")
        except UnicodeDecodeError:
            continue
        # A common page needs no evidence, a rare one e times as much for each place it stands behind.
        evidence = max(_log_likelihood(letters, language) for language in languages)
        score = evidence - rank - PENALTY * (page in OUT_OF_USE)
        if score > sum(letters.values()) * math.log(UNEXPECTED):
            likely.append((score, -rank, page))
    return [page for _, _, page in sorted(likely, reverse=True)]


def _log_likelihood(letters: Counter[str], language: str) -> float:
    own = _SHARES[language]
    return sum(count * math.log(_share(letter, own)) for letter, count in letters.items())


def _share(letter: str, own: dict[str, float]) -> float:
    if letter in own:
        return own[letter]
    lower = letter.lower()
    if lower in own:
        return own[lower] / 10  # capitals are rarer
    if letter in SIGNS:
        return SIGN
    return FOREIGN_LETTER if lower in _ANY_LATIN else UNEXPECTED


def _shares(language: str) -> dict[str, float]:
    words = LETTERS[language].split()
    weights = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    return {letter: weight / sum(weights.values()) for letter, weight in weights.items()}


_SHARES = {language: _shares(language) for language in LETTERS}
_ANY_LATIN = {letter for language in ("it", "fr", "de", "es", "pt", "nordic") for letter in _SHARES[language]}
