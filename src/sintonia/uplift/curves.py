"""Value against share treated: the gain curve of many actions, its area (AUUC) and Qini, under one definition.

Each decision has a score and one recommended action. The curve at share q is the mean, over all decisions, of what
the policy brings that gives the q highest scores their recommended action and the others nothing, less what giving
nobody anything brings. AUUC is the area under the curve over q in [0, 1]; Qini is AUUC less the area under the straight
line to the curve's end, which is what treating at random brings: area between a ranking and chance, in units of
reward a decision. With one action this is the usual uplift curve. Equal scores are treated together: the curve is
straight across them.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.intervals import Estimate, clustered_mean


@dataclass(frozen=True)
class Curve:
    """A gain curve: shares treated, gain a decision at each; its areas and its gain at each tenth, with intervals."""

    share: Floats  # (n_points,)
    gain: Floats  # (n_points,)
    auuc: Estimate
    qini: Estimate
    deciles: tuple[Estimate, ...]  # at 10 %, 20 %, ... 100 % treated

    def at(self, shares: Floats) -> Floats:
        """Return the gain at these shares treated."""
        return np.interp(shares, self.share, self.gain)


def gain_curve(score: Floats, recommended: Ints, scores: Floats, customer: Ints) -> Curve:
    """Return the gain curve of a ranking, by per-decision guesses of what each action would have brought.

    Parameters
    ----------
    score
        Who goes first.  # (n,)
    recommended
        Place of the action each would get; 0 where there is nothing to give.  # (n,)
    scores
        Doubly robust scores of `values.scores`; with an expectation of 0 they are inverse propensity scores.
        # (n, n_actions)

    Examples
    --------
    >>> brought = np.array([[0.0, 4.0], [0.0, 0.0]])
    >>> curve = gain_curve(np.array([0.9, 0.1]), np.array([1, 1]), brought, np.array([1, 2]))
    >>> curve.share.tolist(), curve.gain.tolist(), curve.auuc.value, curve.qini.value
    ([0.0, 0.5, 1.0], [0.0, 2.0, 2.0], 1.5, 0.5)
    """
    n = len(score)
    brings = scores[np.arange(n), recommended] - scores[:, 0]
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan) != 0) + 1
    reached = np.concatenate([[0], ends])
    gain = np.concatenate([[0.0], brings[order].cumsum()[ends - 1]]) / n
    # A decision adds what it brings to all of the curve after its turn: on average over equals, the middle of theirs.
    after, begin, size = np.empty(n), np.empty(n), np.empty(n)
    after[order] = np.repeat(1 - (reached[:-1] + reached[1:]) / 2 / n, np.diff(reached))
    begin[order] = np.repeat(reached[:-1], np.diff(reached))
    size[order] = np.repeat(np.diff(reached), np.diff(reached))
    treated = (np.clip((tenth / 10 * n - begin) / size, 0, 1) for tenth in range(1, 11))
    return Curve(
        share=reached / n,
        gain=gain,
        auuc=clustered_mean(after * brings, customer),
        qini=clustered_mean((after - 0.5) * brings, customer),
        deciles=tuple(clustered_mean(share * brings, customer) for share in treated),
    )
