"""Compiled loops of `sintonia.training.forest`: exact SHAP values, as `score_kernels` over the rows of a block."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled
from sintonia.training.forest.score_kernels import fill_category_side

if TYPE_CHECKING:
    from sintonia.training.forest.tables import Nodes, Tables

EXPLAIN_ROWS = 64  # rows of one pass over one tree: their products fit the first-level cache


class Walk(NamedTuple):
    """What a walk over a tree reads and writes, for one block of rows after another."""

    codes: Array  # (n_columns + 1, n_blocks, rows), the last for categorical splits
    levels: Array  # (n_category_columns + 1, n_blocks, rows), the last for the words that hold them
    slot: Array  # (n_features,) into phi
    phi: Array  # (n_slots, n_blocks, rows)
    table: Array  # (n_nodes, 10, n_points) of `_tabulate`
    came: Array  # (2, depth, rows): 1.0 where the row came here and goes left, right
    product: Array  # (depth, n_points, rows) of the factors of the features above
    total: Array  # (depth, n_points, rows) of the values of the leaves below
    path: Array  # (depth,) nodes above


@compiled()
def explain(codes: Array, levels: Array, tables: "Tables", points: Array, slot: Array, phi: Array) -> None:
    """Add the SHAP value of feature f to row `slot[f]` of `phi` (n_slots, n_blocks, rows).

    With o = 1 where the row follows the path to a leaf at the feature's splits, else 0, and z the share of
    training rows that follow it, a leaf gives feature j

        value * (o_j - z_j) * integral over t in [0, 1] of the product over i != j of (t o_i + (1 - t) z_i),

    the Shapley value of `value * product of (o_i if known else z_i)`, the path-dependent game of TreeSHAP
    (Lundberg et al. 2018). The integrand is a polynomial: half as many Gauss-Legendre points as features are
    exact. One walk down multiplies the factors, one up adds the leaves (Linear TreeSHAP, Yu et al. 2022).
    """
    _, nodes, _, leaves, trees = tables
    shape = (nodes.depth.max() + 1, trees.n_points.max(), EXPLAIN_ROWS)
    came, path = np.empty((2, shape[0], EXPLAIN_ROWS)), np.empty(shape[0], np.int64)
    table = np.empty((np.diff(trees.first_node).max(), 10, shape[1]))
    walk = Walk(codes, levels, slot, phi, table, came, np.ones(shape), np.empty(shape), path)
    for t in range(trees.first_node.size - 1):
        first, stop, n = trees.first_node[t], trees.first_node[t + 1], trees.n_points[t]
        if stop > first:
            _tabulate(first, stop, leaves.value[trees.first_leaf[t] :], nodes, points[n, :, :n], table)
            for block in range(phi.shape[1]):
                _walk(first, stop, n, block, nodes, leaves.words, walk)


@compiled()
def _tabulate(first: int, stop: int, value: Array, nodes: "Nodes", points: Array, table: Array) -> None:
    """Fill `table` (n_nodes, 10, n_points) with the coefficients of a tree.

    A node's factor is c0 + c1 [the row goes to it] + c2 [to its sister] in 0:3, its weight c1, c2 in 3:5. The
    leaves that are its children have the sum c0 + c1 [left] + c2 [right] in 5:8, the contribution in 8:10.
    """
    table[: stop - first] = 0.0
    for i in range(first, stop):
        ends = (nodes.first_leaf[i], nodes.middle_leaf[i], nodes.end_leaf[i])
        leaf = table[i - first]
        for side in range(2):
            child = table[i - first + (1 if side == 0 else ends[1] - ends[0])]
            for q in range(points.shape[1]):
                neither, own, sister, own_weight, sister_weight = _edge(
                    nodes.share[i, side], nodes.share[i, 2], nodes.seen[i] >= 0, points[0, q]
                )
                if ends[side + 1] - ends[side] > 1:
                    child[0, q], child[1, q], child[2, q] = neither, own - neither, sister - neither
                    child[3, q], child[4, q] = own_weight, sister_weight
                else:
                    scale = value[ends[side]] * points[1, q]
                    leaf[5, q] += scale * neither
                    leaf[6 + side, q] += scale * (own - neither)
                    leaf[7 - side, q] += scale * (sister - neither)
                    leaf[8 + side, q] += scale * own * own_weight
                    leaf[9 - side, q] += scale * sister * sister_weight


@compiled()
def _edge(z: float, above: float, again: bool, t: float) -> tuple[float, float, float, float, float]:
    """Return a child's factor where a row does not come here, goes to it, or to its sister; its weight then.

    The factor is that of the feature, t o + (1 - t) z, over its factor `above`, where a split of the same
    feature was seen already. The weight, (o - z) / factor, takes back what the leaves below weighed there;
    where the row does not come here it is 0.
    """
    u = 1.0 - t
    before = t + u * above if again else 1.0
    taken = (1.0 - above) / before if again else 0.0
    return z / above, (t + u * z) / before, u * z / before, (1.0 - z) / (t + u * z) - taken, -1.0 / u - taken


@compiled(fastmath={"contract"})
def _walk(first: int, stop: int, n: int, block: int, nodes: "Nodes", words: Array, walk: Walk) -> None:
    """Add one tree's SHAP values of one block: down in preorder, up whenever a subtree ends.

    One function, and no view of an array per node: numba counts the references of a view, which costs as much
    as the arithmetic.
    """
    codes, levels, slot, phi, table, came, product, total, path = walk
    top = -1
    for i in range(first, stop + 1):
        d = nodes.depth[i] if i < stop else 0
        while top >= max(d, 1):
            # Up from depth `top`: weigh the leaves below for the feature split above, add them to those there.
            child, up = path[top], path[top - 1]
            side, row = 0 if nodes.first_leaf[child] < nodes.middle_leaf[up] else 1, child - first
            f = slot[nodes.feature[up]]
            for q in range(n):
                c1, c2 = table[row, 3, q], table[row, 4, q]
                for r in range(EXPLAIN_ROWS):
                    below = total[top, q, r]
                    total[top - 1, q, r] += below
                    weight = c1 * came[side, top - 1, r] + c2 * came[1 - side, top - 1, r]
                    phi[f, block, r] += below * weight
            top -= 1
        if i == stop:
            break
        # Down to node i: where rows go, the product over the path, and the leaves that are its children.
        path[d], top = i, d
        column, cut, row, f = nodes.column[i], nodes.cut[i], i - first, slot[nodes.feature[i]]
        if nodes.n_words[i] > 0:
            column = codes.shape[0] - 1
            fill_category_side(codes, levels, block, nodes, words, i)
        if nodes.seen[i] < 0:
            for r in range(EXPLAIN_ROWS):
                left = 0.0 if codes[column, block, r] > cut else 1.0
                came[0, d, r], came[1, d, r] = left, 1.0 - left
        else:
            at, side = nodes.seen[i], 0 if nodes.seen_left[i] else 1
            for r in range(EXPLAIN_ROWS):
                here = came[side, at, r]
                left = 0.0 if codes[column, block, r] > cut else here
                came[0, d, r], came[1, d, r] = left, here - left
        if d > 0:
            side = 0 if nodes.first_leaf[i] < nodes.middle_leaf[path[d - 1]] else 1
            for q in range(n):
                c0, c1, c2 = table[row, 0, q], table[row, 1, q], table[row, 2, q]
                for r in range(EXPLAIN_ROWS):
                    factor = c0 + c1 * came[side, d - 1, r] + c2 * came[1 - side, d - 1, r]
                    product[d, q, r] = product[d - 1, q, r] * factor
        if nodes.middle_leaf[i] - nodes.first_leaf[i] > 1 and nodes.end_leaf[i] - nodes.middle_leaf[i] > 1:
            total[d, :n] = 0.0
            continue
        for q in range(n):
            c0, c1, c2 = table[row, 5, q], table[row, 6, q], table[row, 7, q]
            g1, g2 = table[row, 8, q], table[row, 9, q]
            for r in range(EXPLAIN_ROWS):
                left, right, p = came[0, d, r], came[1, d, r], product[d, q, r]
                total[d, q, r] = p * (c0 + c1 * left + c2 * right)
                phi[f, block, r] += p * (g1 * left + g2 * right)


@compiled()
def top_features(phi: Array, features: Array, values: Array) -> None:
    """Fill `features` and `values` (n_rows, k) with the largest of |phi| (n_features, n_rows)."""
    k = values.shape[1]
    for r in range(values.shape[0]):
        for f in range(phi.shape[0]):
            value, at = phi[f, r], min(f, k)
            while at > 0 and abs(value) > abs(values[r, at - 1]):
                if at < k:
                    features[r, at], values[r, at] = features[r, at - 1], values[r, at - 1]
                at -= 1
            if at < k:
                features[r, at], values[r, at] = f, value


@compiled()
def leading_features(phi: Array, group: Array, features: Array, sums: Array) -> None:
    """Fill `sums` (n_rows, k) with the groups' largest sums of phi (n_features, n_rows), `features` with their leaders.

    The loops run over rows inside, for phi lies feature by feature.
    """
    n_rows, k = sums.shape
    of_group = np.zeros((group.max() + 1, n_rows))
    for f in range(phi.shape[0]):
        if group[f] >= 0:
            for r in range(n_rows):
                of_group[group[f], r] += phi[f, r]
    chosen = np.full((k, n_rows), -1, np.int64)
    sums[:] = 0.0
    for g in range(of_group.shape[0]):
        for r in range(n_rows):
            value, at = of_group[g, r], k
            while at > 0 and abs(value) > abs(sums[r, at - 1]):
                if at < k:
                    chosen[at, r], sums[r, at] = chosen[at - 1, r], sums[r, at - 1]
                at -= 1
            if at < k:
                chosen[at, r], sums[r, at] = g, value
    features[:] = -1
    best = np.zeros((k, n_rows))
    for f in range(phi.shape[0]):
        for at in range(k):
            for r in range(n_rows):
                if (
                    group[f] >= 0
                    and chosen[at, r] == group[f]
                    and phi[f, r] * np.sign(sums[r, at]) > best[at, r]
                ):
                    best[at, r] = abs(phi[f, r])
                    features[r, at] = f
