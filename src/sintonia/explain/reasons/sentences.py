"""Which sentence tells a feature: found by family and measure, with the levels it is about in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TypeAlias

from sintonia.data.consent import PREFIX
from sintonia.explain.reasons.texts import LanguageTexts
from sintonia.features import Feature, Fitted
from sintonia.features.families.context import column_names, slugs
from sintonia.features.families.profile import RARE, attribute_slugs, level_slugs
from sintonia.features.history import GENERATIONS

DAY_COUNTS = ("days", "short", "long")
"""Names in a measure that stand for a number of days."""

OWN_VALUE = ("value", "number")
"""Names in a sentence that are the feature's own value, with its unit and without."""

NOT_COMPARED = ("yes or no", "hour of the day", "weekday", "place", "category", "bits", "deviations")
"""Units of which one's own number says nothing beside that of others."""

AGE = "age"
Variant: TypeAlias = tuple[str, ...]
LevelNames: TypeAlias = Mapping[str, Mapping[str, str]]


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
        own = any(name in OWN_VALUE for name in variant[1::2])
        return own and not self.companions(variant) and self.feature.unit not in NOT_COMPARED


def phrases_of(features: Sequence[Feature], fitted: Fitted, words: LanguageTexts) -> tuple[Phrase, ...]:
    """Return how each feature is told; one that the language has no sentence for, by its own definition."""
    levels = _levels(fitted)
    patterns = {
        family: [(re.compile(_pattern(measure, levels)), variants) for measure, variants in measures.items()]
        for family, measures in words.sentences.items()
    }

    def level(name: str, matched: Mapping[str, str]) -> str:
        if name in DAY_COUNTS:
            return matched[name]
        if name != "level":
            return words.level(name, levels[name][matched[name]])
        values = fitted.levels.get(f"attribute:{levels['attribute'][matched['attribute']]}", ())
        return (
            words.rare
            if matched[name] == RARE
            else _mapping(level_slugs(values), values).get(matched[name], matched[name])
        )

    def phrase(feature: Feature) -> Phrase:
        for pattern, variants in patterns.get(feature.family, ()):
            if (match := pattern.fullmatch(feature.measure)) is not None:
                matched = match.groupdict()
                names = {name: level(name, matched) for name in matched} | {
                    "last": words.window(feature.window_days)
                }
                parsed = tuple(_parse(variant, names) for variant in variants)
                return Phrase(feature, parsed, _attribute(feature, matched, levels))
        return Phrase(feature, _fallback_variants(feature, words), _attribute_of_terms(feature))

    return tuple(map(phrase, features))


def _levels(fitted: Fitted) -> LevelNames:
    """Return by kind of level what measures call each, and its name."""
    levels = fitted.levels
    channels = [*levels.get("channel", ()), *levels.get("sent:channel", ()), *levels.get("consent", ())]
    categories, actions = levels.get("category", ()), levels.get("sent:action_id", ())
    return {
        "channel": _mapping(channels, channels) | _mapping(column_names(channels), channels),
        "kind": _mapping(levels.get("kind", ()), levels.get("kind", ())),
        "category": _mapping(column_names(categories), categories),
        "action": _mapping(column_names(actions), actions),
        "generation": _mapping(GENERATIONS, [*GENERATIONS]),
        "attribute": {slug: name for name, slug in attribute_slugs(levels).items()},
        "identifier": _mapping(slugs(levels.get("identifier", ())), levels.get("identifier", ())),
    }


def _mapping(short: Sequence[str] | Mapping[str, object], names: Sequence[str]) -> dict[str, str]:
    return dict(zip(short, names, strict=True))


def _pattern(measure: str, levels: LevelNames) -> str:
    """Return the regular expression of a measure as the words write it."""
    parts = []
    for text, name, _, _ in Formatter().parse(measure):
        parts.append(re.escape(text))
        if name in DAY_COUNTS:
            parts.append(rf"(?P<{name}>\d+)")
        elif name is not None:
            known = sorted(map(re.escape, levels.get(name, ())), key=len, reverse=True)
            # A level of an attribute is known by the attribute's own; of a brand without any, nothing is met.
            parts.append(f"(?P<{name}>{'.+' if name == 'level' else '|'.join(known) or '(?!)'})")
    return "".join(parts)


def _attribute(feature: Feature, matched: Mapping[str, str], levels: LevelNames) -> str | None:
    if "attribute" in matched:
        return levels["attribute"][matched["attribute"]]
    return AGE if "generation" in matched or (feature.family, feature.measure) == ("profile", "age") else None


def _attribute_of_terms(feature: Feature) -> str | None:
    """Return the attribute that a feature without a sentence tells of, as far as its terms say."""
    if feature.table != "attributes":
        return None
    categories = [str(getattr(getattr(term, "where", None), "category", "")) for term in feature.terms]
    return next((name for name in categories if not name.startswith(PREFIX)), None)


def _fallback_variants(feature: Feature, words: LanguageTexts) -> tuple[Variant, ...]:
    names = {"definition": feature.definition}
    known, missing = _parse(words.plain, names), _parse(words.plain_missing, names)
    if feature.unit != "yes or no":
        return known, missing
    answers = [_parse(words.plain, {**names, "value": answer}) for answer in words.yes_and_no]
    return (*answers, missing)


def _parse(variant: str, names: Mapping[str, str]) -> Variant:
    """Return a sentence as (text, name, text, ...), the names that are known here filled in, its first letter large."""
    texts, placeholders = [""], []
    for text, name, _, _ in Formatter().parse(variant):
        texts[-1] += text
        if name is None:
            continue
        if name in names:
            texts[-1] += names[name]
        else:
            placeholders.append(name)
            texts.append("")
    texts[0] = texts[0][:1].upper() + texts[0][1:]
    return tuple(part for pair in zip(texts, [*placeholders, ""], strict=True) for part in pair)[:-1]
