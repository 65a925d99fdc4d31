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
class LanguageTexts:
    """A language's words; what each key is for, the English file says.

    `sentences` are by family and then by measure; a name in braces in a measure stands for a level or a number.
    """

    decimal: str
    thousands: str
    yes_and_no: list[str]
    windows: list[str]
    peers: str
    with_direction: str
    plain: str
    plain_missing: str
    rare: str
    weekdays: list[str]
    moments: list[str]
    directions: dict[str, list[str]]
    decisions: dict[str, str]
    units: dict[str, list[str]]
    levels: dict[str, dict[str, str]]
    sentences: dict[str, dict[str, list[str]]]

    def level(self, kind: str, name: str) -> str:
        """Return what people call a level: its name where the language has no word of its own for it.

        Examples
        --------
        >>> read_texts("it").level("channel", "store"), read_texts("it").level("action", "gift_card")
        ('negozio', 'gift card')
        """
        return self.levels.get(kind, {}).get(name) or name.replace("_", " ")

    def window(self, days: int | None) -> str:
        """Return in words over which days a feature counts, up to the as-of date.

        Examples
        --------
        >>> read_texts("en").window(90), read_texts("it").window(1), read_texts("en").window(None)
        ('in the last 90 days', "nell'ultimo giorno", 'so far')
        """
        singular, plural, all_time = self.windows
        return all_time if days is None else (singular if days == 1 else plural).format(n=days)

    def direction(self, task: str, up: bool) -> str:
        """Return what a contribution says of the task's outcome: that it raises it, or lowers it."""
        return self.directions.get(task, self.directions["other"])[0 if up else 1]


@cache
def read_texts(language: str) -> LanguageTexts:
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
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["sentences"] = {
        family: _variant_lists(measures) for family, measures in content["sentences"].items()
    }
    texts: LanguageTexts = from_plain(LanguageTexts, content, language)
    return texts


def _variant_lists(sentences: Mapping[str, str | list[str]]) -> dict[str, list[str]]:
    return {
        measure: [variants] if isinstance(variants, str) else variants
        for measure, variants in sentences.items()
    }
