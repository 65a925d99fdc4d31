"""Compiled loops of `sintonia.forest`: comparisons as bytes, scores from bitvectors, exact SHAP values.

Every inner loop runs over the rows of a block, so that LLVM turns it into vector instructions; no row reads
another one, so its result does not depend on the block it stands in. Importing this module imports numba.
"""

from math import exp
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sintonia.compiled import compiled

if TYPE_CHECKING:
    from sintonia.forest import Columns, Nodes, Tables

Array = np.ndarray[Any, Any]

ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: nearer to zero than this is zero
NO_LEVEL = 4294967295  # a category that no split contains
DE_BRUIJN = 0x077CB531  # the upper five bits of its product with a power of two are all different
SCORE_ROWS = 256  # rows of one pass over all trees: their ranks fit the first-level cache
EXPLAIN_ROWS = 64  # rows of one pass over one tree: their products do


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
def encode(matrix: Array, columns: "Columns", codes: Array, levels: Array) -> None:
    """Fill `codes` (n_columns, n_rows) with ranks, and `levels` (n_category_columns, n_rows) with categories.

    A rank says how many of the sorted cuts lie below the value: `value <= cuts[k]` becomes `rank <= k`.
    Missing values follow LightGBM: a column that sends them left ranks them 0, one that sends them right 255,
    and one that knows none takes NaN for zero. A category that is NaN, negative or beyond int32 has no level.
    """
    values = np.empty(matrix.shape[0], np.float64)
    ranks = np.empty(matrix.shape[0], np.uint64)
    for c in range(columns.feature.size):
        missing, absent = columns.missing[c], np.uint8(0 if columns.missing_left[c] else 255)
        if c == 0 or columns.start[c] != columns.start[c - 1]:
            cuts = columns.cut[columns.start[c] :]
            _rank(matrix[:, columns.feature[c]], cuts, columns.halvings[c], values, ranks)
        for r in range(values.size):
            gone = (missing == 2 and np.isnan(values[r])) or (missing == 1 and not abs(values[r]) > 0.0)
            codes[c, r] = absent if gone else ranks[r]
    for c in range(columns.category.size):
        feature = columns.category[c]
        for r in range(values.size):
            value = np.float64(matrix[r, feature])
            # Towards zero, as a C cast goes: -0.5 is category 0.
            levels[c, r] = np.uint32(value) if -1.0 < value < 2147483648.0 else np.uint32(NO_LEVEL)


@compiled()
def _rank(column: Array, cuts: Array, halvings: int, values: Array, ranks: Array) -> None:
    """Fill `values` (n_rows,) with a feature, near zeros made zero, and `ranks` by one search for all rows.

    The comparison's bit is shifted into place, and all rows take a step together, lest LLVM make a branch of
    it: on real data half of those are mispredicted, four times the price.
    """
    for r in range(values.size):
        value = np.float64(column[r])
        values[r] = value if abs(value) > ZERO or np.isnan(value) else np.float64(0.0)
        ranks[r] = 0
    for step in range(halvings - 1, -1, -1):
        shift = np.uint64(step)
        probe = (np.uint64(1) << shift) - np.uint64(1)
        for r in range(values.size):
            value = np.float64(0.0) if np.isnan(values[r]) else values[r]
            ranks[r] += np.uint64(cuts[ranks[r] + probe] < value) << shift


@compiled()
def _outside(codes: Array, levels: Array, block: int, nodes: "Nodes", words: Array, node: int) -> None:
    """Fill the last of `codes` with 0 for a category of the node's set, which goes left, 1 for any other."""
    spare, rows = np.uint64(codes.shape[0] - 1), codes.shape[2]
    column, found = np.uint64(nodes.column[node]), np.uint64(levels.shape[0] - 1)
    for r in range(rows):
        levels[found, block, r] = 0
    for w in range(nodes.n_words[node]):
        word, page = words[nodes.first_word[node] + w], np.uint32(w)
        if word != 0:
            for r in range(rows):
                here = levels[column, block, r] >> np.uint32(5) == page
                levels[found, block, r] |= word if here else np.uint32(0)
    for r in range(rows):
        bit = levels[found, block, r] >> (levels[column, block, r] & np.uint32(31))
        codes[spare, block, r] = np.uint8(1) ^ np.uint8(bit & np.uint32(1))


@compiled()
def score(codes: Array, levels: Array, tables: "Tables", raw: Array) -> None:
    """Fill `raw` (n_blocks, rows) with the sums of the trees' values, added in the order of the trees.

    QuickScorer (Lucchese et al. 2015): a row that goes right at a node cannot reach the leaves on its left,
    and reaches the leftmost leaf that no node took away. A step takes leaves from one byte of the bitvector.
    """
    _, nodes, steps, leaves, trees = tables
    bits = np.empty((trees.widest, SCORE_ROWS), np.uint8)
    place = np.empty(SCORE_ROWS, np.uint32)
    total = np.empty(SCORE_ROWS, np.float64)
    for block in range(raw.shape[0]):
        total[:] = 0.0
        for t in range(trees.first_node.size - 1):
            base = np.uint64(trees.first_slot[t])
            n_words = (trees.first_slot[t + 1] - trees.first_slot[t]) >> 5
            bits[: 4 * n_words] = 255
            for s in range(trees.first_step[t], trees.first_step[t + 1]):
                node, keep, byte = steps.node[s], steps.keep[s], np.uint64(steps.byte[s])
                column, cut = np.uint64(nodes.column[node]), nodes.cut[node]
                if nodes.n_words[node] > 0:
                    column = np.uint64(codes.shape[0] - 1)
                    if not steps.again[s]:
                        _outside(codes, levels, block, nodes, leaves.words, node)
                for r in range(SCORE_ROWS):
                    bits[byte, r] &= keep if codes[column, block, r] > cut else np.uint8(255)
            _leftmost(bits, n_words, place)
            for r in range(SCORE_ROWS):
                total[r] += leaves.slot[base + np.uint64(place[r])]
        raw[block] = total


@compiled()
def _leftmost(bits: Array, n_words: int, place: Array) -> None:
    """Fill `place` (rows,) with the slot of the lowest bit of each row, 32 slots a word."""
    for w in range(n_words - 1, -1, -1):
        b = np.uint64(4 * w)
        for r in range(place.size):
            word = (
                np.uint32(bits[b, r])
                | (np.uint32(bits[b + np.uint64(1), r]) << np.uint32(8))
                | (np.uint32(bits[b + np.uint64(2), r]) << np.uint32(16))
                | (np.uint32(bits[b + np.uint64(3), r]) << np.uint32(24))
            )
            lone = np.uint32(word & np.uint32(~word + np.uint32(1)))
            hashed = np.uint32(np.uint32(lone * np.uint32(DE_BRUIJN)) >> np.uint32(27))
            place[r] = np.uint32(hashed + np.uint32(32 * w)) if word != 0 else place[r]


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
                neither, own, other, own_weight, other_weight = _edge(
                    nodes.share[i, side], nodes.share[i, 2], nodes.seen[i] >= 0, points[0, q]
                )
                if ends[side + 1] - ends[side] > 1:
                    child[0, q], child[1, q], child[2, q] = neither, own - neither, other - neither
                    child[3, q], child[4, q] = own_weight, other_weight
                else:
                    scale = value[ends[side]] * points[1, q]
                    leaf[5, q] += scale * neither
                    leaf[6 + side, q] += scale * (own - neither)
                    leaf[7 - side, q] += scale * (other - neither)
                    leaf[8 + side, q] += scale * own * own_weight
                    leaf[9 - side, q] += scale * other * other_weight


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
            _outside(codes, levels, block, nodes, words, i)
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
def top(phi: Array, features: Array, values: Array) -> None:
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
def sigmoid(raw: Array, slope: float) -> None:
    """Turn raw scores (n_rows,) into probabilities in place, by libm's exp: numpy's rounds differently."""
    for r in range(raw.size):
        raw[r] = 1.0 / (1.0 + exp(-slope * raw[r]))


@compiled()
def exponential(raw: Array) -> None:
    """Turn raw scores (n_rows,) into the means of a log link in place, by libm's exp."""
    for r in range(raw.size):
        raw[r] = exp(raw[r])
