"""What a learned policy leaves behind for its page: explained decisions of customers, and what moves effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Ints, Times
from sintonia.core.config import ReasonsConfig
from sintonia.data.store import Store
from sintonia.evaluation.stability import family_weights
from sintonia.explain.contributions import importance, swarms
from sintonia.explain.reasons import Speaker
from sintonia.explain.what_if import Explained, WhatIf, WhatIfGrid, choose_grids, grid_outcomes, what_if_of
from sintonia.review.customers import LISTED, FeatureContribution, rest_of
from sintonia.review.history import RecentInteractions, histories
from sintonia.review.treated import EffectStory, Gain, PolicyExamples, Swarmed, Treated, choose_treated
from sintonia.training.dataset import Dataset
from sintonia.uplift.decision_points import Points
from sintonia.uplift.effect_contributions import effect_contributions
from sintonia.uplift.folds import fold_of
from sintonia.uplift.logged import Logged
from sintonia.uplift.model import PolicyModel
from sintonia.uplift.policies import best, gains

EXPLAINED = 2000
REASONS, LANGUAGE = 4, "en"


@dataclass(frozen=True)
class PolicyEvidence:
    """The evidence on a policy: decisions under sample numbers, those that teach, and what moves effects."""

    decided: PolicyExamples
    customers: tuple[Treated, ...]
    story: EffectStory


@dataclass(frozen=True)
class Reported:
    """The report's decisions row by row, as of when each was known, and whose decisions taught the effects."""

    points: Points
    as_of: Times
    log: Logged
    everybody: Ints


def policy_evidence(model: PolicyModel, store: Store, reported: Reported, seed: int) -> PolicyEvidence:
    """Return the evidence on a policy, from decisions of customers who did not decide whether it passes."""
    decided = decide_again(model, reported, seed)
    return PolicyEvidence(
        decided=decided,
        customers=_customers(model, store, decided),
        story=effect_story(decided, {one.name: one.family for one in model.catalogue}, seed),
    )


def decide_again(model: PolicyModel, reported: Reported, seed: int) -> PolicyExamples:
    """Return a random sample of the decisions, one a customer, as the policy would have it."""
    log, effects = reported.log, model.effects
    drawn = np.random.default_rng(seed).permutation(len(log))
    drawn = drawn[np.sort(np.unique(log.customer[drawn], return_index=True)[1])]
    drawn = drawn[log.eligible[drawn, 1:].any(axis=1)][:EXPLAINED]
    log, points = log.take(drawn), reported.points.take(drawn)
    said = model.predict(log.values)
    low, high = (gains(end, effects.actions) for end in effects.intervals(log.values))
    recommended, _ = best(said, log.eligible)
    return PolicyExamples(
        rows=Dataset(
            points.customer_id,
            reported.as_of[drawn],
            log.values,
            log.reward * model.config.value,
            model.names,
        ),
        actions=effects.actions.names,
        costs=effects.actions.costs,
        given=log.action,
        recommended=recommended,
        eligible=log.eligible,
        gains=said,
        low=low,
        high=high,
        expected=_unseen(model, log, reported.everybody, seed),
        moved=effect_contributions(effects, log.values, recommended),
    )


def _unseen(model: PolicyModel, log: Logged, everybody: Ints, seed: int) -> Floats:
    """Return what trees that have not seen the customer expect of what was given.  # (n,)"""
    folds = fold_of(everybody, model.config.folds, seed)
    known = dict(zip(everybody.tolist(), folds.tolist(), strict=True))
    fold = np.array([known[one] for one in log.customer.tolist()], np.int64)
    found = np.zeros(len(log))
    for place, opinion in enumerate(model.effects.without):
        rows = np.flatnonzero(fold == place)
        said = opinion.outcome.predict(log.values[rows], model.effects.actions)
        found[rows] = said[np.arange(len(rows)), log.action[rows]]
    return found


def effect_story(decided: PolicyExamples, families: Mapping[str, str], seed: int) -> EffectStory:
    """Return what moves the effects of recommended actions, families and features, largest first."""
    if not len(decided):
        return EffectStory(0, (), ())
    sizes = dict(importance(decided.found))
    return EffectStory(
        decisions=len(decided),
        families=family_weights(decided.found, families),
        features=tuple(
            Swarmed(one.feature, round(sizes[one.feature], 6), one.contributions, one.ranks)
            for one in swarms(decided.found, decided.rows.values, seed=seed)
        ),
    )


def _customers(model: PolicyModel, store: Store, decided: PolicyExamples) -> tuple[Treated, ...]:
    chosen = choose_treated(decided, model.config.threshold)
    places = [*chosen]
    dates = decided.rows.as_of.astype("datetime64[us]").tolist()
    known = histories(store, [(str(decided.rows.customer_id[at]), dates[at]) for at in places])
    families = [one.family for one in model.catalogue]
    grids = _what_ifs(model, decided, places, families)
    reasons = _reasons(model, decided, places)
    return tuple(
        _treated(decided, (at, kind), families, beside)
        for (at, kind), beside in zip(chosen.items(), zip(reasons, known, grids, strict=True), strict=True)
    )


def _treated(
    decided: PolicyExamples,
    chosen: tuple[int, str],
    families: Sequence[str],
    beside: tuple[tuple[str, ...], RecentInteractions, WhatIf],
) -> Treated:
    at, kind = chosen
    rows, moved = decided.rows, decided.moved.values[at]
    listed = [one for one in np.argsort(-np.abs(moved), kind="stable").tolist()[:LISTED] if moved[one]]
    ends = np.stack([decided.gains[at], decided.low[at], decided.high[at]], axis=1).round(6).tolist()
    able = decided.eligible[at].tolist()
    reasons, history, grid = beside
    return Treated(
        sample=at + 1,
        kind=kind,
        as_of=f"{rows.as_of[at].astype('datetime64[D]')}",
        given=decided.actions[decided.given[at]],
        recommended=decided.actions[decided.recommended[at]],
        expected=round(float(decided.expected[at]), 6),
        came=round(float(rows.label[at]), 6),
        gains=tuple(
            Gain(name, gain, low, high, so)
            for name, (gain, low, high), so in list(zip(decided.actions, ends, able, strict=True))[1:]
        ),
        mean=float(decided.moved.mean[at]),
        own=float(decided.moved.own[at]),
        cost=float(decided.costs[decided.recommended[at]]),
        parts=tuple(
            FeatureContribution(rows.names[one], _value(rows.values[at, one]), float(moved[one]))
            for one in listed
        ),
        rest=rest_of(moved, listed, families),
        reasons=reasons,
        history=history,
        what_if=grid,
    )


def _what_ifs(
    model: PolicyModel, decided: PolicyExamples, places: Sequence[int], families: Sequence[str]
) -> list[WhatIf]:
    """Return of each of these decisions which action would be best, and its gain, with other values of features."""
    told = Explained(decided.rows.names, families, decided.rows.values, decided.moved.values)
    grids = choose_grids(told, places)

    def one(grid: WhatIfGrid, said: Floats) -> WhatIf:
        action, gain = best(said, np.tile(decided.eligible[grid.row], (len(said), 1)))
        return what_if_of(told, grid, gain, action.tolist())

    said = grid_outcomes(model.predict, told, grids)
    return [one(grid, of) for grid, of in zip(grids, said, strict=True)]


def _reasons(model: PolicyModel, decided: PolicyExamples, places: Sequence[int]) -> list[tuple[str, ...]]:
    """Return what moves the effect of each of these decisions in sentences, the strongest family first."""
    speaker = Speaker(model, ReasonsConfig(count=REASONS), LANGUAGE)
    found = []
    for at in places:
        row = decided.rows.values[[at]]
        leading = _leading(decided.moved.values[at], speaker.groups)
        found.append(
            tuple(str(speaker.say(column, row, np.array([up]))[0]) for column, up in leading[:REASONS])
        )
    return found


def _leading(moved: Floats, groups: NDArray[np.int64]) -> list[tuple[int, bool]]:
    """Return of each family that moves an effect the feature that moves it furthest the family's way, and which way."""
    found: list[tuple[float, int, bool]] = []
    for family in np.unique(groups[groups >= 0]).tolist():
        mine = np.flatnonzero(groups == family)
        total = float(moved[mine].sum())
        if total:
            column = int(mine[np.argmax(moved[mine] * np.sign(total))])
            found.append((abs(total), column, total > 0))
    return [(column, up) for _, column, up in sorted(found, key=lambda one: -one[0])]


def _value(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
