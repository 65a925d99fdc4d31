"""What reasons are made of in each language: sentences, names of things, and how numbers are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from sintonia.core.config.convert import from_plain
from sintonia.core.config.verbs import LANGUAGES
from sintonia.core.errors import unknown


@dataclass(frozen=True)
class Words:
    """A language's words; what each key is for, the English file says.

    `sentences` are by family and then by measure; a name in braces in a measure stands for a level or a number.
    """

    decimal: str
    thousands: str
    yes_and_no: list[str]
    last: list[str]
    alike: str
    leaning: str
    plain: str
    plain_missing: str
    rare: str
    weekdays: list[str]
    moments: list[str]
    directions: dict[str, list[str]]
    deciding: dict[str, str]
    units: dict[str, list[str]]
    levels: dict[str, dict[str, str]]
    sentences: dict[str, dict[str, list[str]]]

    def level(self, kind: str, name: str) -> str:
        """Return what people call a level: its name where the language has no word of its own for it.

        Examples
        --------
        >>> read_words("it").level("channel", "store"), read_words("it").level("action", "gift_card")
        ('negozio', 'gift card')
        """
        return self.levels.get(kind, {}).get(name) or name.replace("_", " ")

    def window(self, days: int | None) -> str:
        """Return in words over which days a feature counts, up to the as-of date.

        Examples
        --------
        >>> read_words("en").window(90), read_words("it").window(1), read_words("en").window(None)
        ('in the last 90 days', "nell'ultimo giorno", 'so far')
        """
        one, many, ever = self.last
        return ever if days is None else (one if days == 1 else many).format(n=days)

    def direction(self, task: str, up: bool) -> str:
        """Return what a contribution says of the task's outcome: that it raises it, or lowers it."""
        return self.directions.get(task, self.directions["other"])[0 if up else 1]


@cache
def read_words(language: str) -> Words:
    """Return the words of a language.

    Raises
    ------
    ConfigError
        For a language that nobody has written yet.
    """
    import yaml

    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    file = resources.files("sintonia.explain.reasons") / "words" / f"{language}.yaml"
    told: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    told["sentences"] = {family: _listed(of) for family, of in told["sentences"].items()}
    found: Words = from_plain(Words, told, language)
    return found


def _listed(sentences: Mapping[str, str | list[str]]) -> dict[str, list[str]]:
    return {measure: [one] if isinstance(one, str) else one for measure, one in sentences.items()}
