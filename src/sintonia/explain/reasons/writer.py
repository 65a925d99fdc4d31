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
from sintonia.explain.reasons.numbers import format_numbers, with_unit
from sintonia.explain.reasons.sentences import Phrase, Variant, phrases_of
from sintonia.explain.reasons.texts import read_texts
from sintonia.features import Feature, Fitted
from sintonia.training.models import OutcomeModel
from sintonia.training.profile import TrainingProfile


class DescribedModel(Protocol):
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


class ReasonWriter:
    """Tells the reasons of a model's scores in one language; a row's do not depend on its neighbours."""

    def __init__(self, model: DescribedModel, config: ReasonsConfig, language: str) -> None:
        self.model, self.config = model, config
        self.texts = read_texts(language)
        self.phrases = phrases_of(model.catalogue, model.fitted, self.texts)

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
    def companion_names(self) -> frozenset[str]:
        """The features that sentences of the features a model uses read beside their own, people alike included."""
        if not self.config.count or not isinstance(self.model, OutcomeModel):
            return frozenset()
        reference = self.model.profile
        names = {reference.peer_feature} if reference is not None else set()
        for column in self.model.columns_used.tolist():
            phrase = self.phrases[column]
            names.update(*(phrase.companions(variant) for variant in phrase.variants))
        return frozenset(names & {*self.model.names})

    def _withheld(self, phrase: Phrase) -> bool:
        return phrase.attribute is not None and phrase.attribute not in self.config.allow_sensitive

    def write(self, values: Floats32, categories: Sequence[str] | None = None) -> Reasons:
        """Return the reasons of rows; `categories` names each row's, where the task asks about categories.

        A model that gives no contributions has none.

        # values (n_rows, n_features)
        """
        k = min(self.config.count, len(set(self.groups.tolist()) - {-1}))
        assert isinstance(self.model, OutcomeModel), "what moves an effect is told feature by feature"
        leading = self.model.leading_groups(values, self.groups, k) if len(values) and k else None
        if leading is None:
            empty = np.full(len(values), "", object)
            no_columns = np.empty((len(values), 0))
            return Reasons(no_columns.astype(np.int32), no_columns, (empty,) * self.config.count)
        columns, sums = leading
        sentences = np.full((len(values), self.config.count), "", object)
        names = None if categories is None else _readable(categories)
        for column in np.unique(columns[columns >= 0]).tolist():
            rows, slots = np.nonzero(columns == column)
            up = sums[rows, slots] > 0
            sentences[rows, slots] = self.write_feature(
                column, values[rows], up, None if names is None else names[rows]
            )
        return Reasons(columns, sums, tuple(sentences.T))

    def write_feature(
        self, column: int, values: Floats32, up: Bools, categories: Texts | None = None
    ) -> Texts:
        """Return a feature in words for rows, whose score it moves up or down: fact, people alike, direction."""
        phrase = self.phrases[column]
        sentences = np.full(len(values), "", object)
        for variant, rows in self._chosen(phrase, column, values):
            fact = self._fact(
                phrase, variant, column, values[rows], None if categories is None else categories[rows]
            )
            sentences[rows] = fact
        task = self.model.task.name
        for direction in (True, False):
            rows = np.flatnonzero(up == direction)
            before, after = self.texts.with_direction.replace(
                "{direction}", self.texts.direction(task, direction)
            ).split("{said}")
            sentences[rows] = before + sentences[rows] + after
        return sentences

    def _chosen(
        self, phrase: Phrase, column: int, values: Floats32
    ) -> list[tuple[Variant, NDArray[np.intp]]]:
        """Return which rows are told by which variant: the first whose numbers they all have."""
        known = ~np.isnan(values[:, column])
        if phrase.yes_or_no:
            yes = known & (values[:, column] != 0)
            masks = [yes, known & ~yes, ~known]
            return [(one, np.flatnonzero(mask)) for one, mask in zip(phrase.variants, masks, strict=True)]
        open_rows, rows_by_variant = np.ones(len(values), bool), []
        for variant in phrase.variants:
            fits = open_rows & self._complete(phrase, variant, values, known)
            open_rows &= ~fits
            rows_by_variant.append((variant, np.flatnonzero(fits)))
        return rows_by_variant

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
        facts = np.full(len(values), variant[0], object)
        for number, (name, text) in enumerate(zip(variant[1::2], variant[2::2], strict=True)):
            if name == "category":
                assert categories is not None, "a row's category has a name"
                facts = facts + (categories if number or variant[0] else _capitalized(categories))
            else:
                facts = facts + self._number(phrase, name, column, values)
            facts = facts + text
        return self._beside(phrase, column, values, facts) if phrase.compares(variant) else facts

    def _number(self, phrase: Phrase, name: str, column: int, values: Floats32) -> Texts:
        if name in ("value", "number"):
            numbers = format_numbers(values[:, column], phrase.feature.unit, self.texts)
            return with_unit(numbers, phrase.feature.unit, self.texts) if name == "value" else numbers
        index = self.model.names.index(name)
        return format_numbers(values[:, index], self.phrases[index].feature.unit, self.texts)

    def _beside(self, phrase: Phrase, column: int, values: Floats32, facts: Texts) -> Texts:
        """Return the facts with the median of people alike beside them, where it reads otherwise."""
        reference, unit = self.model.profile, phrase.feature.unit
        if reference is None:
            return facts
        medians = reference.medians[:, column]
        median_texts = np.full(len(medians), "", object)
        known = ~np.isnan(medians)
        median_texts[known] = format_numbers(medians[known], unit, self.texts)
        peer_medians = median_texts[reference.segments(values, self.model.names)]
        own = format_numbers(values[:, column], unit, self.texts)
        rows = np.flatnonzero((peer_medians != "") & (peer_medians != own))
        before, between, after = self.texts.peers.replace("{said}", "{usual}").split("{usual}")
        compared = facts.copy()
        compared[rows] = before + facts[rows] + between + peer_medians[rows] + after
        return compared


def _readable(names: Sequence[str]) -> Texts:
    return np.array([name.replace("_", " ") for name in names], object)


def _capitalized(names: Texts) -> Texts:
    distinct, index = np.unique(names.astype(str), return_inverse=True)
    return np.array([name[:1].upper() + name[1:] for name in distinct.tolist()], object)[index]
