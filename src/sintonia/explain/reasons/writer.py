"""Reasons of many customers at once: the families that moved each score most, each in one sentence.

A family's contributions add up, for its features tell of one thing: among three reasons of recency nobody learns a
second. The sentence is of the feature that moved the score furthest the family's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Bools, Floats32, Texts
from sintonia.core.config import ReasonsConfig, TaskConfig
from sintonia.explain.reasons.numbers import figures, with_unit
from sintonia.explain.reasons.sentences import Phrase, Variant, phrases_of
from sintonia.explain.reasons.texts import read_words
from sintonia.features import Feature, Fitted
from sintonia.training.models import OutcomeModel
from sintonia.training.profile import TrainingProfile


class Spoken(Protocol):
    """What there is to know of a model to tell its reasons."""

    @property
    def catalogue(self) -> Sequence[Feature]:
        """The features it reads."""

    @property
    def fitted(self) -> Fitted:
        """What they took from the past."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""

    @property
    def task(self) -> TaskConfig:
        """What it is asked."""

    @property
    def profile(self) -> TrainingProfile | None:
        """What its training rows were like; None where nobody looked."""


@dataclass(frozen=True)
class Reasons:
    """Rows' reasons, the strongest first: features and their families' contributions, (n_rows, k), and sentences.

    Where a row has fewer reasons than k, the feature is -1 and the sentence "". `sentences` has k columns.
    """

    features: NDArray[np.int32]
    contributions: NDArray[np.float64]
    sentences: tuple[Texts, ...]


class Speaker:
    """Tells the reasons of a model's scores in one language; a row's do not depend on its neighbours."""

    def __init__(self, model: Spoken, config: ReasonsConfig, language: str) -> None:
        self.model, self.config = model, config
        self.words = read_words(language)
        self.phrases = phrases_of(model.catalogue, model.fitted, self.words)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Each feature's family by number; -1 for what is not told: attributes that the settings do not allow."""
        families = list(dict.fromkeys(feature.family for feature in self.model.catalogue))
        return np.array(
            [
                -1 if self._withheld(phrase) else families.index(phrase.feature.family)
                for phrase in self.phrases
            ],
            np.int64,
        )

    @property
    def names_beside(self) -> frozenset[str]:
        """The features that sentences of the features a model uses read beside their own, people alike included."""
        if not self.config.count or not isinstance(self.model, OutcomeModel):
            return frozenset()
        reference = self.model.profile
        beside = {reference.peer_feature} if reference is not None else set()
        for column in self.model.columns_used.tolist():
            phrase = self.phrases[column]
            beside.update(*(phrase.companions(variant) for variant in phrase.variants))
        return frozenset(beside & {*self.model.names})

    def _withheld(self, phrase: Phrase) -> bool:
        return phrase.attribute is not None and phrase.attribute not in self.config.allow_sensitive

    def tell(self, values: Floats32, categories: Sequence[str] | None = None) -> Reasons:
        """Return the reasons of rows; `categories` names each row's, where the task asks about categories.

        A model that gives no contributions has none.

        # values (n_rows, n_features)
        """
        k = min(self.config.count, len(set(self.groups.tolist()) - {-1}))
        assert isinstance(self.model, OutcomeModel), "what moves an effect is told feature by feature"
        leading = self.model.leading_groups(values, self.groups, k) if len(values) and k else None
        if leading is None:
            empty = np.full(len(values), "", object)
            none = np.empty((len(values), 0))
            return Reasons(none.astype(np.int32), none, (empty,) * self.config.count)
        columns, sums = leading
        said = np.full((len(values), self.config.count), "", object)
        names = None if categories is None else _shown(categories)
        for column in np.unique(columns[columns >= 0]).tolist():
            rows, slots = np.nonzero(columns == column)
            up = sums[rows, slots] > 0
            said[rows, slots] = self.say(column, values[rows], up, None if names is None else names[rows])
        return Reasons(columns, sums, tuple(said.T))

    def say(self, column: int, values: Floats32, up: Bools, categories: Texts | None = None) -> Texts:
        """Return a feature in words for rows, whose score it moves up or down: fact, people alike, direction."""
        phrase = self.phrases[column]
        said = np.full(len(values), "", object)
        for variant, rows in self._chosen(phrase, column, values):
            fact = self._fact(
                phrase, variant, column, values[rows], None if categories is None else categories[rows]
            )
            said[rows] = fact
        task = self.model.task.name
        for way in (True, False):
            rows = np.flatnonzero(up == way)
            before, after = self.words.leaning.replace("{direction}", self.words.direction(task, way)).split(
                "{said}"
            )
            said[rows] = before + said[rows] + after
        return said

    def _chosen(
        self, phrase: Phrase, column: int, values: Floats32
    ) -> list[tuple[Variant, NDArray[np.intp]]]:
        """Return which rows are told by which variant: the first whose numbers they all have."""
        known = ~np.isnan(values[:, column])
        if phrase.yes_or_no:
            yes = known & (values[:, column] != 0)
            masks = [yes, known & ~yes, ~known]
            return [(one, np.flatnonzero(mask)) for one, mask in zip(phrase.variants, masks, strict=True)]
        left, found = np.ones(len(values), bool), []
        for variant in phrase.variants:
            fits = left & self._complete(phrase, variant, values, known)
            left &= ~fits
            found.append((variant, np.flatnonzero(fits)))
        return found

    def _complete(self, phrase: Phrase, variant: Variant, values: Floats32, known: Bools) -> Bools:
        """Return which rows have every number a variant tells."""
        complete = known.copy() if {"value", "number"} & {*variant[1::2]} else np.ones(len(values), bool)
        for name in phrase.companions(variant):
            if name not in self.model.names:
                return np.zeros(len(values), bool)
            complete &= ~np.isnan(values[:, self.model.names.index(name)])
        return complete

    def _fact(
        self, phrase: Phrase, variant: Variant, column: int, values: Floats32, categories: Texts | None
    ) -> Texts:
        """Return the sentence without its direction, for rows that have all its numbers."""
        said = np.full(len(values), variant[0], object)
        for at, (name, text) in enumerate(zip(variant[1::2], variant[2::2], strict=True)):
            if name == "category":
                assert categories is not None, "a row's category has a name"
                said = said + (categories if at or variant[0] else _capitals(categories))
            else:
                said = said + self._number(phrase, name, column, values)
            said = said + text
        return self._beside(phrase, column, values, said) if phrase.compares(variant) else said

    def _number(self, phrase: Phrase, name: str, column: int, values: Floats32) -> Texts:
        if name in ("value", "number"):
            numbers = figures(values[:, column], phrase.feature.unit, self.words)
            return with_unit(numbers, phrase.feature.unit, self.words) if name == "value" else numbers
        at = self.model.names.index(name)
        return figures(values[:, at], self.phrases[at].feature.unit, self.words)

    def _beside(self, phrase: Phrase, column: int, values: Floats32, said: Texts) -> Texts:
        """Return the facts with the median of people alike beside them, where it reads otherwise."""
        reference, unit = self.model.profile, phrase.feature.unit
        if reference is None:
            return said
        usual = reference.medians[:, column]
        told = np.full(len(usual), "", object)
        there = ~np.isnan(usual)
        told[there] = figures(usual[there], unit, self.words)
        beside = told[reference.segments(values, self.model.names)]
        own = figures(values[:, column], unit, self.words)
        rows = np.flatnonzero((beside != "") & (beside != own))
        before, between, after = self.words.alike.replace("{said}", "{usual}").split("{usual}")
        compared = said.copy()
        compared[rows] = before + said[rows] + between + beside[rows] + after
        return compared


def _shown(names: Sequence[str]) -> Texts:
    return np.array([name.replace("_", " ") for name in names], object)


def _capitals(names: Texts) -> Texts:
    each, place = np.unique(names.astype(str), return_inverse=True)
    return np.array([name[:1].upper() + name[1:] for name in each.tolist()], object)[place]
