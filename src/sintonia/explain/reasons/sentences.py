"""Which sentence tells a feature: found by family and measure, with the levels it is about in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TypeAlias

from sintonia.data.consent import PREFIX
from sintonia.explain.reasons.texts import Words
from sintonia.features import Feature, Fitted
from sintonia.features.families.context import column_names, slugs
from sintonia.features.history import GENERATIONS

NUMBERS = ("days", "short", "long")
"""Names in a measure that stand for a number of days."""

OWN = ("value", "number")
"""Names in a sentence that are the feature's own value, with its unit and without."""

UNLIKE = ("yes or no", "hour of the day", "weekday", "place", "category", "bits", "deviations")
"""Units of which one's own number says nothing beside that of others."""

BORN = "age"
RARE = "rare"
Variant: TypeAlias = tuple[str, ...]
Levels: TypeAlias = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Phrase:
    """How a feature is told: the variants of its sentence as (text, name, text, name, ..., text), and what they need.

    Names are `value`, `number`, `category` (the row's) and other features of the customer. `attribute` is the
    attribute of a person that the feature tells of; None where it tells what they did or agreed to.
    """

    feature: Feature
    variants: tuple[Variant, ...]
    attribute: str | None = None

    @property
    def yes_or_no(self) -> bool:
        """Whether there is a sentence for yes, one for no and one for what is not known."""
        return self.feature.unit == "yes or no"

    def companions(self, variant: Variant) -> tuple[str, ...]:
        """Return the other features whose numbers a variant needs."""
        return tuple(name for name in variant[1::2] if "__" in name)

    def compares(self, variant: Variant) -> bool:
        """Return whether the variant gains by the number of people alike: it tells one number, which has none yet."""
        own = any(name in OWN for name in variant[1::2])
        return own and not self.companions(variant) and self.feature.unit not in UNLIKE


def phrases_of(features: Sequence[Feature], fitted: Fitted, words: Words) -> tuple[Phrase, ...]:
    """Return how each feature is told; one that the language has no sentence for, by its own definition."""
    levels = _levels(fitted)
    patterns = {
        family: [(re.compile(_pattern(measure, levels)), variants) for measure, variants in of.items()]
        for family, of in words.sentences.items()
    }

    def level(name: str, met: Mapping[str, str]) -> str:
        if name in NUMBERS:
            return met[name]
        if name != "level":
            return words.level(name, levels[name][met[name]])
        values = fitted.levels.get(f"attribute:{levels['attribute'][met['attribute']]}", ())
        return words.rare if met[name] == RARE else _named(slugs(values), values).get(met[name], met[name])

    def phrase(feature: Feature) -> Phrase:
        for pattern, variants in patterns.get(feature.family, ()):
            if (found := pattern.fullmatch(feature.measure)) is not None:
                met = found.groupdict()
                names = {name: level(name, met) for name in met} | {"last": words.window(feature.window_days)}
                parsed = tuple(_parsed(variant, names) for variant in variants)
                return Phrase(feature, parsed, _attribute(feature, met, levels))
        return Phrase(feature, _plain(feature, words), _untold(feature))

    return tuple(map(phrase, features))


def _levels(fitted: Fitted) -> Levels:
    """Return by kind of level what measures call each, and its name."""
    found = fitted.levels
    attributes = [*found.get("attribute", ()), *found.get("number", ())]
    channels = [*found.get("channel", ()), *found.get("sent:channel", ()), *found.get("consent", ())]
    categories, actions = found.get("category", ()), found.get("sent:action_id", ())
    return {
        "channel": _named(channels, channels) | _named(column_names(channels), channels),
        "kind": _named(found.get("kind", ()), found.get("kind", ())),
        "category": _named(column_names(categories), categories),
        "action": _named(column_names(actions), actions),
        "generation": _named(GENERATIONS, [*GENERATIONS]),
        "attribute": _named(slugs(attributes), attributes),
        "identifier": _named(slugs(found.get("identifier", ())), found.get("identifier", ())),
    }


def _named(short: Sequence[str] | Mapping[str, object], names: Sequence[str]) -> dict[str, str]:
    return dict(zip(short, names, strict=True))


def _pattern(measure: str, levels: Levels) -> str:
    """Return the regular expression of a measure as the words write it."""
    parts = []
    for text, name, _, _ in Formatter().parse(measure):
        parts.append(re.escape(text))
        if name in NUMBERS:
            parts.append(rf"(?P<{name}>\d+)")
        elif name is not None:
            known = sorted(map(re.escape, levels.get(name, ())), key=len, reverse=True)
            # A level of an attribute is known by the attribute's own; of a brand without any, nothing is met.
            parts.append(f"(?P<{name}>{'.+' if name == 'level' else '|'.join(known) or '(?!)'})")
    return "".join(parts)


def _attribute(feature: Feature, met: Mapping[str, str], levels: Levels) -> str | None:
    if "attribute" in met:
        return levels["attribute"][met["attribute"]]
    return BORN if "generation" in met or (feature.family, feature.measure) == ("profile", "age") else None


def _untold(feature: Feature) -> str | None:
    """Return the attribute that a feature without a sentence tells of, as far as its terms say."""
    if feature.table != "attributes":
        return None
    asked = [str(getattr(getattr(term, "where", None), "category", "")) for term in feature.terms]
    return next((name for name in asked if not name.startswith(PREFIX)), None)


def _plain(feature: Feature, words: Words) -> tuple[Variant, ...]:
    names = {"definition": feature.definition}
    known, missing = _parsed(words.plain, names), _parsed(words.plain_missing, names)
    if feature.unit != "yes or no":
        return known, missing
    said = [_parsed(words.plain, {**names, "value": answer}) for answer in words.yes_and_no]
    return (*said, missing)


def _parsed(variant: str, names: Mapping[str, str]) -> Variant:
    """Return a sentence as (text, name, text, ...), the names that are known here filled in, its first letter large."""
    texts, told = [""], []
    for text, name, _, _ in Formatter().parse(variant):
        texts[-1] += text
        if name is None:
            continue
        if name in names:
            texts[-1] += names[name]
        else:
            told.append(name)
            texts.append("")
    texts[0] = texts[0][:1].upper() + texts[0][1:]
    return tuple(part for pair in zip(texts, [*told, ""], strict=True) for part in pair)[:-1]
