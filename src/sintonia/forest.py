"""An exact forest engine: scores and SHAP contributions of a LightGBM model, faster than LightGBM's own.

`fastest(booster, n_rows)` gives what the functions below take: the `Forest` of a model, or the booster itself
where the list is too short to pay for compiling, or the model file holds something this reader does not know.
Scores are bit-equal either way; contributions agree to about 1e-13 of the raw score.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from sintonia.errors import InputError, UnsupportedModelError

Array = np.ndarray[Any, Any]

LINKS = dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity")
LINKS |= dict.fromkeys(("lambdarank", "rank_xendcg", "none"), "identity")
LINKS |= dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential")
LINKS |= dict.fromkeys(("binary", "cross_entropy"), "sigmoid")
HEADER = {"version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective"}
HEADER |= {"feature_names", "feature_infos", "tree_sizes", "monotone_constraints"}
NODE = {"split_feature", "threshold", "decision_type", "left_child", "right_child", "internal_count"}
TREE = NODE | {"num_leaves", "num_cat", "leaf_value", "leaf_count", "cat_boundaries", "cat_threshold"}
TREE |= {"is_linear", "shrinkage", "split_gain", "leaf_weight", "internal_value", "internal_weight"}
CUTS = 255  # of one column, so that a rank is a byte
ROWS_TO_SCORE, ROWS_TO_EXPLAIN = 100_000, 2_000  # below, loading numba (or once, compiling) takes longer
SCORE_CHUNK, EXPLAIN_CHUNK = 4096, 1024  # rows in the hand of one thread


class Booster(Protocol):
    """What is needed of a `lightgbm.Booster`."""

    def model_to_string(self) -> str:
        """Return the text model."""

    def num_model_per_iteration(self) -> int:
        """Return the number of trees, one a class, of one iteration."""

    def predict(self, data: Array, **options: bool | int) -> Array:
        """Return scores or contributions."""


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


class Steps(NamedTuple):
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
    steps: Steps
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


def read_forest(model_text: str) -> Forest:
    """Return the forest of a LightGBM text model (`Booster.model_to_string()`).

    Raises
    ------
    UnsupportedModelError
        The file holds something this reader does not know (several classes, linear trees, averaged outputs,
        another objective or entry, leaves without training rows): LightGBM itself can still predict.

    Examples
    --------
    >>> read_forest("tree\\nversion=v9\\n")
    Traceback (most recent call last):
    sintonia.errors.UnsupportedModelError: Cannot read 'tree version v9' in a model; LightGBM can.
    """
    head, *bodies = model_text.partition("\nend of trees")[0].split("\nTree=")
    start, *lines = head.split("\n")
    header = _entries(lines, HEADER)
    if start != "tree" or header.get("version") not in ("v3", "v4"):
        raise _refusal(f"{start} version {header.get('version')}")
    if "\nis_linear=1" in model_text:
        raise _refusal("linear trees")
    trees = [_entries(body.split("\n")[1:], TREE) for body in bodies]
    if header.get("num_tree_per_iteration") != "1":
        raise _refusal("several classes")
    link, slope = _link(header.get("objective", "none"))
    try:
        return _assemble(tuple(header["feature_names"].split(" ")), link, slope, trees)
    except (KeyError, ValueError, IndexError) as error:
        raise _refusal(f"broken tables: {error}") from error


def _refusal(what: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"Cannot read '{what}' in a model; LightGBM can.")


def _entries(lines: list[str], known: set[str]) -> dict[str, str]:
    """Return the `key=value` lines of one section; none may be unknown."""
    pairs = dict(line.partition("=")[::2] for line in lines if line)
    if strange := sorted(set(pairs) - known):
        raise _refusal(strange[0])
    return pairs


def _link(objective: str) -> tuple[str, float]:
    """Return the link and its slope: `binary sigmoid:2` gives `("sigmoid", 2.0)`."""
    name, *options = objective.split()
    settings = dict(option.partition(":")[::2] for option in options)
    slope = float(settings.pop("sigmoid", 1.0)) if name == "binary" else 1.0
    if name not in LINKS or set(settings) - {"tweedie_variance_power", "alpha", "fair_c"}:
        raise _refusal(f"objective {objective}")
    return LINKS[name], slope


def _assemble(names: tuple[str, ...], link: str, slope: float, trees: list[dict[str, str]]) -> Forest:
    """Return the forest of the trees' entries, all trees at once."""
    n_leaves = np.array([int(entries["num_leaves"]) for entries in trees], np.int64)
    tree = np.repeat(np.arange(n_leaves.size), n_leaves - 1)
    first_node, first_leaf = _starts(n_leaves - 1), _starts(n_leaves)
    raw = {key: _joined(trees, key, tree.size) for key in NODE}
    value, leaf_count = (_joined(trees, key, n_leaves.sum()) for key in ("leaf_value", "leaf_count"))
    # One numbering for all trees: nodes from 0 up, leaves from -1 down.
    child = np.stack([raw["left_child"], raw["right_child"]]).astype(np.int64)
    child = np.where(child >= 0, child + first_node[tree], child - first_leaf[tree])
    order, parent, depth, ends, leaf_at = _preorder(child, first_node, first_leaf, tree)
    count = np.where(
        child >= 0, raw["internal_count"][np.maximum(child, 0)], leaf_count[np.maximum(~child, 0)]
    )
    if (count <= 0).any() or (raw["internal_count"] <= 0).any():
        raise _refusal("leaves without training rows")
    share = np.append(count / raw["internal_count"], np.ones((1, tree.size)), axis=0).T[order].copy()
    feature, decision = (raw[key].astype(np.int64)[order] for key in ("split_feature", "decision_type"))
    if feature.max(initial=-1) >= len(names) or (decision >> 2 > 2).any():
        raise _refusal("split of an unknown kind")
    columns, column, cut = _columns(feature, decision, raw["threshold"][order])
    words, first_word, n_words = _bitsets(trees, tree, decision, raw["threshold"][order])
    seen, seen_left, n_points = _paths(feature, parent, depth, ends, share, first_node)
    nodes = Nodes(feature, column, cut, first_word, n_words, *ends, depth, seen, seen_left, share)
    leaves, first_slot = _leaves(value, leaf_at, n_leaves, first_leaf, words)
    steps = _steps(ends)
    first_step, widest = np.searchsorted(steps.node, first_node), int(np.diff(first_slot).max(initial=0)) // 8
    starts = Trees(first_node, first_leaf, first_step, first_slot, n_points, widest)
    root = raw["internal_count"][first_node[:-1][n_leaves > 1]]
    weight = np.ones_like(value)
    weight[np.repeat(n_leaves > 1, n_leaves)] /= np.repeat(root, n_leaves[n_leaves > 1])
    weight[np.repeat(n_leaves > 1, n_leaves)] *= leaf_count[np.repeat(n_leaves > 1, n_leaves)]
    return Forest(names, link, slope, float(weight @ value), Tables(columns, nodes, steps, leaves, starts))


def _joined(trees: list[dict[str, str]], key: str, size: int) -> Array:
    """Return the numbers (size,) under the key, tree after tree."""
    numbers = np.array(" ".join(tree.get(key, "") for tree in trees).split(), np.float64)
    if numbers.size != size:
        raise _refusal(f"{numbers.size} numbers of {key} instead of {size}")
    return numbers


def _starts(counts: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _preorder(
    child: Array, first_node: Array, first_leaf: Array, tree: Array
) -> tuple[Array, Array, Array, tuple[Array, Array, Array], Array]:
    """Return the preorder of nodes, in it parent (-1 at a root), depth and ends; then each leaf's place.

    Ends are a node's first, middle and end leaf, counted from the left in its tree. All trees are walked
    together, level by level: up for the sizes, down for the places.
    """
    roots = first_node[:-1][np.diff(first_node) > 0]
    levels = [roots]
    while levels[-1].size:
        below = child[:, levels[-1]].ravel()
        levels.append(below[below >= 0])
        if sum(level.size for level in levels) > tree.size:
            raise _refusal("nodes with two parents")
    size = np.ones((2, tree.size), np.int64)  # leaves to the left, to the right
    for level in reversed(levels):
        below = child[:, level]
        size[:, level] = np.where(below >= 0, size[:, np.maximum(below, 0)].sum(axis=0), 1)
    place, parent, depth, first = (np.full(tree.size, fill) for fill in (0, -1, 0, 0))
    place[roots] = roots
    leaf_at = np.arange(first_leaf[-1])
    for level in levels:
        for below, passed in ((child[0, level], 0 * level), (child[1, level], size[0, level])):
            up, down, over = level[below >= 0], below[below >= 0], passed[below >= 0]
            place[down], parent[down] = place[up] + np.maximum(over, 1), place[up]
            depth[down], first[down] = depth[up] + 1, first[up] + over
            up, down, over = level[below < 0], ~below[below < 0], passed[below < 0]
            leaf_at[down] = first_leaf[tree[up]] + first[up] + over
    order = np.argsort(place)
    ends = (first[order], (first + size[0])[order], (first + size.sum(axis=0))[order])
    return order, parent[order], depth[order], ends, leaf_at


def _paths(
    feature: Array, parent: Array, depth: Array, ends: tuple[Array, ...], share: Array, first_node: Array
) -> tuple[Array, Array, Array]:
    """Return seen, seen_left and n_points, and multiply `share` over the splits of one feature on a path."""
    above, below = parent.copy(), np.arange(parent.size)
    seen, seen_left = np.full(parent.size, -1), np.zeros(parent.size, np.bool_)
    while (above >= 0).any():
        found = (above >= 0) & (seen < 0) & (feature[above] == feature)
        seen[found] = above[found]
        seen_left[found] = ends[0][below[found]] < ends[1][above[found]]
        below, above = above, np.where(above >= 0, parent[above], -1)
    distinct = np.zeros(parent.size, np.int64)
    for level in range(depth.max(initial=-1) + 1):
        here = np.flatnonzero(depth == level)
        again = here[seen[here] >= 0]
        share[again, 2] = share[seen[again], np.where(seen_left[again], 0, 1)]
        share[here, :2] *= share[here, 2:]
        distinct[here] = np.where(parent[here] >= 0, distinct[parent[here]], 0) + (seen[here] < 0)
    richest = np.zeros(first_node.size - 1, np.int64)
    np.maximum.at(richest, np.repeat(np.arange(richest.size), np.diff(first_node)), distinct)
    return np.where(seen >= 0, depth[seen], -1), seen_left, -(-richest // 2)


def _columns(feature: Array, decision: Array, threshold: Array) -> tuple[Columns, Array, Array]:
    """Return a column for each feature, way with missing values and 255 cuts; each node's column and cut."""
    way = decision >> 1 & np.where(
        decision >> 2 > 0, 7, 6
    )  # the missing type, and left or right unless it is none
    is_category = decision & 1 == 1
    column = np.zeros(feature.size, np.int64)
    category, column[is_category] = np.unique(feature[is_category], return_inverse=True)
    cut = np.zeros(feature.size, np.uint8)
    rows: list[tuple[int, ...]] = []
    tables = [np.zeros(0)]
    for one in np.unique(feature[~is_category]):
        mine = np.flatnonzero(~is_category & (feature == one))
        cuts, rank = np.unique(threshold[mine], return_inverse=True)
        cut[mine] = rank % CUTS
        for part in range(-(-cuts.size // CUTS)):
            some, inside = cuts[CUTS * part :][:CUTS], mine[rank // CUTS == part]
            at, bits = sum(table.size for table in tables), int(some.size).bit_length()
            tables.append(np.pad(some, (0, 2**bits - 1 - some.size), constant_values=np.inf))
            for mode in np.unique(way[inside]):
                column[inside[way[inside] == mode]] = len(rows)
                rows.append((one, mode >> 1, mode & 1, at, bits))
    number, missing, left, start, halvings = np.array(rows, np.int64).reshape(-1, 5).T.copy()
    return Columns(number, missing, left, start, halvings, np.concatenate(tables), category), column, cut


def _bitsets(
    trees: list[dict[str, str]], tree: Array, decision: Array, threshold: Array
) -> tuple[Array, Array, Array]:
    """Return the words of all bitsets, and each node's first word and number of words (0 if numeric)."""
    sizes = [np.diff(np.array(entries.get("cat_boundaries", "0").split(), np.int64)) for entries in trees]
    size = np.concatenate([np.zeros(0, np.int64), *sizes])
    words = _joined(trees, "cat_threshold", size.sum()).astype(np.uint32)
    is_category = decision & 1 == 1
    first_set = _starts(np.array([one.size for one in sizes], np.int64))
    at = first_set[tree[is_category]] + threshold[is_category].astype(np.int64)
    first_word, n_words = np.zeros((2, tree.size), np.int64)
    first_word[is_category], n_words[is_category] = _starts(size)[at], size[at]
    return words, first_word, n_words


def _steps(ends: tuple[Array, ...]) -> Steps:
    """Return a step for each byte in which a node has leaves on its left."""
    byte = ends[0] // 8
    n_bytes = (ends[1] - 1) // 8 - byte + 1
    node = np.repeat(np.arange(byte.size), n_bytes)
    at = byte[node] + np.arange(node.size) - _starts(n_bytes)[node]
    first, middle = (np.clip(end[node] - 8 * at, 0, 8) for end in ends[:2])
    keep = 255 - (1 << middle) + (1 << first)
    return Steps(node, at, keep.astype(np.uint8), at > byte[node])


def _leaves(
    value: Array, leaf_at: Array, n_leaves: Array, first_leaf: Array, words: Array
) -> tuple[Leaves, Array]:
    """Return the leaves from the left, and each tree's first slot."""
    ordered = np.empty_like(value)
    ordered[leaf_at] = value
    first_slot = _starts(-(-n_leaves // 32) * 32)
    leaf = np.arange(value.size) - np.repeat(first_leaf[:-1], n_leaves)
    hashed = (0x077CB531 << leaf % 32 & 0xFFFFFFFF) >> 27
    slot = np.zeros(first_slot[-1])
    slot[np.repeat(first_slot[:-1], n_leaves) + leaf // 32 * 32 + hashed] = ordered
    return Leaves(ordered, slot, words), first_slot


def fastest(booster: Booster, n_rows: int, *, explain: bool = False) -> Forest | Booster:
    """Return the booster's forest if that is faster for so many rows, else the booster itself.

    Ask once, with the length of the whole list: reasons of the two differ in the last bits, chunks must not.
    """
    if n_rows < (ROWS_TO_EXPLAIN if explain else ROWS_TO_SCORE):
        return booster
    try:
        return read_forest(booster.model_to_string())
    except UnsupportedModelError:
        return booster


def predict_raw(model: Forest | Booster, matrix: Array, *, n_threads: int = 2) -> Array:
    """Return raw scores (n_rows,) of the matrix (n_rows, n_features), bit-equal to `Booster.predict`'s."""
    if not isinstance(model, Forest):
        return model.predict(matrix, raw_score=True, num_threads=n_threads)
    return _scores(model, matrix, n_threads, "identity")


def predict(model: Forest | Booster, matrix: Array, *, n_threads: int = 2) -> Array:
    """Return probabilities or means (n_rows,) of the matrix, bit-equal to `Booster.predict`'s."""
    if not isinstance(model, Forest):
        return model.predict(matrix, num_threads=n_threads)
    return _scores(model, matrix, n_threads, model.link)


def contributions(model: Forest | Booster, matrix: Array, *, n_threads: int = 2) -> Array:
    """Return SHAP contributions (n_rows, n_features) to the raw score of the matrix (n_rows, n_features).

    They are the exact path-dependent values of `Booster.predict(matrix, pred_contrib=True)` without its last
    column: a row and `expected_value(model)` add up to the raw score.
    """
    return grouped_contributions(model, matrix, range(matrix.shape[1]), n_threads=n_threads)


def grouped_contributions(
    model: Forest | Booster, matrix: Array, groups: Sequence[int] | Array, *, n_threads: int = 2
) -> Array:
    """Return contributions (n_rows, n_groups) summed by group: feature f is of group `groups[f]`, from 0 on.

    Besides the result, only a chunk of rows is held. A row and `expected_value(model)` add up to the raw score.
    """
    group = np.asarray(groups, np.int64)
    if group.shape != matrix.shape[1:] or (group < 0).any():
        raise InputError(
            f"{group.shape} groups for {matrix.shape[1]} features: give each feature one, from 0 on."
        )
    sums = np.empty((matrix.shape[0], int(group.max(initial=-1)) + 1))

    def keep(first: int, stop: int, phi: Array) -> None:
        sums[first:stop] = phi.T

    _explain(model, matrix, group, n_threads, keep)
    return sums


def top_contributions(
    model: Forest | Booster, matrix: Array, k: int, *, n_threads: int = 2
) -> tuple[Array, Array]:
    """Return the features (n_rows, k) int32 with the largest contributions, and these (n_rows, k).

    The largest in size comes first, of equals the lower feature. Besides the result, only a chunk
    of rows is held.
    """
    if not 0 < k <= matrix.shape[1]:
        raise InputError(f"The top {k} of {matrix.shape[1]} features; ask for 1 to {matrix.shape[1]}.")
    features, values = np.empty((matrix.shape[0], k), np.int32), np.empty((matrix.shape[0], k))

    def keep(first: int, stop: int, phi: Array) -> None:
        best = np.argsort(-np.abs(phi), axis=0, kind="stable")[:k]
        features[first:stop], values[first:stop] = best.T, np.take_along_axis(phi, best, axis=0).T

    def keep_compiled(first: int, stop: int, phi: Array) -> None:
        from sintonia import forest_kernels

        forest_kernels.top(phi, features[first:stop], values[first:stop])

    keep_one = keep_compiled if isinstance(model, Forest) else keep
    _explain(model, matrix, np.arange(matrix.shape[1]), n_threads, keep_one)
    return features, values


def expected_value(model: Forest | Booster, n_features: int) -> float:
    """Return what contributions start from: the mean raw score of the training rows."""
    if isinstance(model, Forest):
        return model.expected_value
    return float(model.predict(np.zeros((1, n_features)), pred_contrib=True)[0, -1])


def _chunks(work: Callable[[int, int], None], n_rows: int, size: int, n_threads: int) -> None:
    """Do the work on rows [first, stop) of chunks of that size, in threads: kernels hold no lock."""
    firsts = range(0, n_rows, size)
    with ThreadPoolExecutor(max_workers=n_threads) as pool:
        for _ in pool.map(lambda first: work(first, min(first + size, n_rows)), firsts):
            pass


def _checked(model: Forest, matrix: Array) -> Array:
    """Return the matrix as float32 or float64."""
    if matrix.ndim != 2 or matrix.shape[1] != len(model.feature_names):
        raise InputError(f"A matrix {matrix.shape} for a model of {len(model.feature_names)} features.")
    return matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float64)


def _encoded(forest: Forest, matrix: Array, block: int) -> tuple[Array, Array]:
    """Return ranks (n_columns + 1, n_blocks, block) and levels (n_category_columns + 1, ...), the last spare."""
    from sintonia import forest_kernels

    n_blocks = -(-matrix.shape[0] // block)
    codes = np.zeros((forest.tables.columns.feature.size + 1, n_blocks * block), np.uint8)
    levels = np.zeros((forest.tables.columns.category.size + 1, n_blocks * block), np.uint32)
    forest_kernels.encode(matrix, forest.tables.columns, codes, levels)
    return codes.reshape(-1, n_blocks, block), levels.reshape(-1, n_blocks, block)


def _scores(forest: Forest, matrix: Array, n_threads: int, link: str) -> Array:
    from sintonia import forest_kernels

    matrix, scores = _checked(forest, matrix), np.empty(matrix.shape[0])

    def work(first: int, stop: int) -> None:
        codes, levels = _encoded(forest, matrix[first:stop], forest_kernels.SCORE_ROWS)
        raw = np.empty(codes.shape[1:])
        forest_kernels.score(codes, levels, forest.tables, raw)
        scores[first:stop] = raw.ravel()[: stop - first]
        if link == "sigmoid":
            forest_kernels.sigmoid(scores[first:stop], forest.slope)
        elif link == "exponential":
            forest_kernels.exponential(scores[first:stop])

    _chunks(work, matrix.shape[0], SCORE_CHUNK, n_threads)
    return scores


def _explain(
    model: Forest | Booster,
    matrix: Array,
    slot: Array,
    n_threads: int,
    keep: Callable[[int, int, Array], None],
) -> None:
    """Hand `keep` the contributions (n_slots, stop - first) of rows [first, stop), chunk by chunk."""
    if not isinstance(model, Forest):
        _explain_by_booster(model, matrix, slot, n_threads, keep)
        return
    from sintonia import forest_kernels

    matrix = _checked(model, matrix)
    points = _quadrature(int(model.tables.trees.n_points.max(initial=0)))

    def work(first: int, stop: int) -> None:
        codes, levels = _encoded(model, matrix[first:stop], forest_kernels.EXPLAIN_ROWS)
        phi = np.zeros((slot.max(initial=-1) + 1, *codes.shape[1:]))
        if model.tables.nodes.feature.size:
            forest_kernels.explain(codes, levels, model.tables, points, slot, phi)
        keep(first, stop, phi.reshape(phi.shape[0], -1)[:, : stop - first])

    _chunks(work, matrix.shape[0], EXPLAIN_CHUNK, n_threads)


def _explain_by_booster(
    model: Booster, matrix: Array, slot: Array, n_threads: int, keep: Callable[[int, int, Array], None]
) -> None:
    if model.num_model_per_iteration() != 1:
        raise UnsupportedModelError(
            "Contributions to several classes are not supported; explain one model a class."
        )
    for first in range(0, matrix.shape[0], EXPLAIN_CHUNK):
        rows = matrix[first : first + EXPLAIN_CHUNK]
        values = model.predict(rows, pred_contrib=True, num_threads=n_threads)
        phi = np.zeros((slot.max(initial=-1) + 1, rows.shape[0]))
        np.add.at(phi, slot, values[:, :-1].T)
        keep(first, first + rows.shape[0], phi)


def _quadrature(most: int) -> Array:
    """Return Gauss-Legendre points, weights on [0, 1]: `[n, :, :n]` of (most + 1, 2, most) for n points."""
    table = np.zeros((most + 1, 2, most))
    for n in range(1, most + 1):
        points, weights = np.polynomial.legendre.leggauss(n)
        table[n, :, :n] = (points + 1.0) / 2.0, weights / 2.0
    return table
