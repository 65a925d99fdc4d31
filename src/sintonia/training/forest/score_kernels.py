"""Compiled loops of `sintonia.training.forest`: comparisons as bytes, and scores from bitvectors.

Every inner loop runs over the rows of a block, so that LLVM turns it into vector instructions; no row reads
another one, so its result does not depend on the block it stands in. Importing this module imports numba.
"""

from math import exp
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

if TYPE_CHECKING:
    from sintonia.training.forest.tables import Columns, Nodes, Tables

ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: nearer to zero than this is zero
NO_LEVEL = 4294967295  # a category that no split contains
DE_BRUIJN = 0x077CB531  # the upper five bits of its product with a power of two are all different
SCORE_ROWS = 256  # rows of one pass over all trees: their ranks fit the first-level cache


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
def fill_category_side(
    codes: Array, levels: Array, block: int, nodes: "Nodes", words: Array, node: int
) -> None:
    """Fill the last of `codes` with 0 for a category of the node's set, which goes left, 1 for any other."""
    spare_column, rows = np.uint64(codes.shape[0] - 1), codes.shape[2]
    column, spare_level = np.uint64(nodes.column[node]), np.uint64(levels.shape[0] - 1)
    for r in range(rows):
        levels[spare_level, block, r] = 0
    for w in range(nodes.n_words[node]):
        word, page = words[nodes.first_word[node] + w], np.uint32(w)
        if word != 0:
            for r in range(rows):
                here = levels[column, block, r] >> np.uint32(5) == page
                levels[spare_level, block, r] |= word if here else np.uint32(0)
    for r in range(rows):
        bit = levels[spare_level, block, r] >> (levels[column, block, r] & np.uint32(31))
        codes[spare_column, block, r] = np.uint8(1) ^ np.uint8(bit & np.uint32(1))


@compiled()
def sum_trees(codes: Array, levels: Array, tables: "Tables", raw: Array) -> None:
    """Fill `raw` (n_blocks, rows) with the sums of the trees' values, added in the order of the trees.

    QuickScorer (Lucchese et al. 2015): a row that goes right at a node cannot reach the leaves on its left,
    and reaches the leftmost leaf that no node took away. A step takes leaves from one byte of the bitvector.
    """
    _, nodes, steps, leaves, trees = tables
    bits = np.empty((trees.widest, SCORE_ROWS), np.uint8)
    leaf_slot = np.empty(SCORE_ROWS, np.uint32)
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
                        fill_category_side(codes, levels, block, nodes, leaves.words, node)
                for r in range(SCORE_ROWS):
                    bits[byte, r] &= keep if codes[column, block, r] > cut else np.uint8(255)
            _leftmost(bits, n_words, leaf_slot)
            for r in range(SCORE_ROWS):
                total[r] += leaves.slot[base + np.uint64(leaf_slot[r])]
        raw[block] = total


@compiled()
def _leftmost(bits: Array, n_words: int, leaf_slot: Array) -> None:
    """Fill `leaf_slot` (rows,) with the slot of the lowest bit of each row, 32 slots a word."""
    for w in range(n_words - 1, -1, -1):
        b = np.uint64(4 * w)
        for r in range(leaf_slot.size):
            word = (
                np.uint32(bits[b, r])
                | (np.uint32(bits[b + np.uint64(1), r]) << np.uint32(8))
                | (np.uint32(bits[b + np.uint64(2), r]) << np.uint32(16))
                | (np.uint32(bits[b + np.uint64(3), r]) << np.uint32(24))
            )
            lone = np.uint32(word & np.uint32(~word + np.uint32(1)))
            hashed = np.uint32(np.uint32(lone * np.uint32(DE_BRUIJN)) >> np.uint32(27))
            leaf_slot[r] = np.uint32(hashed + np.uint32(32 * w)) if word != 0 else leaf_slot[r]


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
