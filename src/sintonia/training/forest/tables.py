"""A LightGBM model as flat arrays: what is compared, splits in preorder, what a score does, leaves."""

from dataclasses import dataclass
from typing import NamedTuple

from sintonia.core.arrays import Array


class Columns(NamedTuple):
    """What is compared: a feature, its way with missing values, and at most 255 cuts."""

    feature: Array  # (n_columns,)
    missing: Array  # LightGBM's missing type: 0 none, 1 zero, 2 NaN
    missing_left: Array  # whether missing values go left
    start: Array  # into cut
    halvings: Array  # the column has 2 ** halvings - 1 cuts
    cut: Array  # sorted within a column, filled up with infinity
    category: Array  # (n_category_columns,) features with categorical splits


class Nodes(NamedTuple):
    """Splits of all trees, each tree in preorder; leaves count from the left within their tree."""

    feature: Array  # (n_nodes,)
    column: Array  # of Columns.feature, or of Columns.category where n_words > 0
    cut: Array  # a row goes left where its rank <= cut
    first_word: Array  # of the bitset of the categories that go left
    n_words: Array  # 0 for a numeric split
    first_leaf: Array  # leaves [first_leaf, end_leaf), to the left those before middle_leaf
    middle_leaf: Array
    end_leaf: Array
    depth: Array
    seen: Array  # depth of the nearest node above that splits the same feature, or -1
    seen_left: Array  # whether the path went left there
    share: Array  # (n_nodes, 3) of training rows, by this feature alone: left, right, came here


class ScoreSteps(NamedTuple):
    """What a score does: going right at `node` keeps only the bits `keep` of byte `byte`."""

    node: Array
    byte: Array
    keep: Array
    again: Array  # whether the step before has the same node


class Leaves(NamedTuple):
    """Values of the leaves, and the bitsets of categorical splits."""

    value: Array  # (n_leaves,) from the left
    slot: Array  # the values again, where the de Bruijn hash of a leaf's bit finds them
    words: Array  # uint32


class Trees(NamedTuple):
    """Where each tree begins in the other tables, (n_trees + 1,), and the quadrature it needs."""

    first_node: Array
    first_leaf: Array
    first_step: Array
    first_slot: Array
    n_points: Array  # (n_trees,) half the distinct features of its richest path
    widest: int  # bytes of the widest bitvector


class Tables(NamedTuple):
    """All of the above."""

    columns: Columns
    nodes: Nodes
    steps: ScoreSteps
    leaves: Leaves
    trees: Trees


@dataclass(frozen=True)
class Forest:
    """A LightGBM model as flat arrays; `expected_value` is what contributions start from."""

    feature_names: tuple[str, ...]
    link: str  # identity, exponential or sigmoid
    slope: float
    expected_value: float
    tables: Tables
