"""Reading LightGBM's text models into the tables of a forest; unsupported entries raise an error.

`read_forest` parses the sections of the file; `assemble_forest` converts the entries of all trees at once.
"""

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.errors import UnsupportedModelError
from sintonia.training.forest.tables import Columns, Forest, Leaves, Nodes, ScoreSteps, Tables, Trees

NODE_KEYS = {"split_feature", "threshold", "decision_type", "left_child", "right_child", "internal_count"}
MAX_CUTS = 255  # of one column, so that a rank is a byte


def unsupported(what: str) -> UnsupportedModelError:
    """Return the error of a model file that only LightGBM can read."""
    return UnsupportedModelError(f"Cannot read '{what}' in a model; LightGBM can.")


def assemble_forest(names: tuple[str, ...], link: str, slope: float, trees: list[dict[str, str]]) -> Forest:
    """Return the forest of the trees' entries, all trees at once."""
    n_leaves = np.array([int(entries["num_leaves"]) for entries in trees], np.int64)
    tree = np.repeat(np.arange(n_leaves.size), n_leaves - 1)
    first_node, first_leaf = _offsets(n_leaves - 1), _offsets(n_leaves)
    raw = {key: _numbers(trees, key, tree.size) for key in NODE_KEYS}
    value, leaf_count = (_numbers(trees, key, n_leaves.sum()) for key in ("leaf_value", "leaf_count"))
    # One numbering for all trees: nodes from 0 up, leaves from -1 down.
    child = np.stack([raw["left_child"], raw["right_child"]]).astype(np.int64)
    child = np.where(child >= 0, child + first_node[tree], child - first_leaf[tree])
    order, parent, depth, ends, leaf_at = _preorder(child, first_node, first_leaf, tree)
    count = np.where(
        child >= 0, raw["internal_count"][np.maximum(child, 0)], leaf_count[np.maximum(~child, 0)]
    )
    if (count <= 0).any() or (raw["internal_count"] <= 0).any():
        raise unsupported("leaves without training rows")
    share = np.append(count / raw["internal_count"], np.ones((1, tree.size)), axis=0).T[order].copy()
    feature, decision = (raw[key].astype(np.int64)[order] for key in ("split_feature", "decision_type"))
    if feature.max(initial=-1) >= len(names) or (decision >> 2 > 2).any():
        raise unsupported("split of an unknown kind")
    columns, column, cut = _columns(feature, decision, raw["threshold"][order])
    words, first_word, n_words = _bitsets(trees, tree, decision, raw["threshold"][order])
    seen, seen_left, n_points = _path_shares(feature, parent, depth, ends, share, first_node)
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


def _numbers(trees: list[dict[str, str]], key: str, size: int) -> Array:
    """Return the numbers (size,) under the key, tree after tree."""
    numbers = np.array(" ".join(tree.get(key, "") for tree in trees).split(), np.float64)
    if numbers.size != size:
        raise unsupported(f"{numbers.size} numbers of {key} instead of {size}")
    return numbers


def _offsets(counts: Array) -> Array:
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
            raise unsupported("nodes with two parents")
    size = np.ones((2, tree.size), np.int64)  # leaves to the left, to the right
    for level in reversed(levels):
        below = child[:, level]
        size[:, level] = np.where(below >= 0, size[:, np.maximum(below, 0)].sum(axis=0), 1)
    position, parent, depth, first = (np.full(tree.size, fill) for fill in (0, -1, 0, 0))
    position[roots] = roots
    leaf_at = np.arange(first_leaf[-1])
    for level in levels:
        for below, passed in ((child[0, level], 0 * level), (child[1, level], size[0, level])):
            up, down, over = level[below >= 0], below[below >= 0], passed[below >= 0]
            position[down], parent[down] = position[up] + np.maximum(over, 1), position[up]
            depth[down], first[down] = depth[up] + 1, first[up] + over
            up, down, over = level[below < 0], ~below[below < 0], passed[below < 0]
            leaf_at[down] = first_leaf[tree[up]] + first[up] + over
    order = np.argsort(position)
    ends = (first[order], (first + size[0])[order], (first + size.sum(axis=0))[order])
    return order, parent[order], depth[order], ends, leaf_at


def _path_shares(
    feature: Array, parent: Array, depth: Array, ends: tuple[Array, ...], share: Array, first_node: Array
) -> tuple[Array, Array, Array]:
    """Return seen, seen_left and n_points, and multiply `share` over the splits of one feature on a path."""
    above, below = parent.copy(), np.arange(parent.size)
    seen, seen_left = np.full(parent.size, -1), np.zeros(parent.size, np.bool_)
    while (above >= 0).any():
        is_nearest = (above >= 0) & (seen < 0) & (feature[above] == feature)
        seen[is_nearest] = above[is_nearest]
        seen_left[is_nearest] = ends[0][below[is_nearest]] < ends[1][above[is_nearest]]
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
    missing_mode = decision >> 1 & np.where(
        decision >> 2 > 0, 7, 6
    )  # the missing type, and left or right unless it is none
    is_category = decision & 1 == 1
    column = np.zeros(feature.size, np.int64)
    category, column[is_category] = np.unique(feature[is_category], return_inverse=True)
    cut = np.zeros(feature.size, np.uint8)
    rows: list[tuple[int, ...]] = []
    tables = [np.zeros(0)]
    for split_feature in np.unique(feature[~is_category]):
        mine = np.flatnonzero(~is_category & (feature == split_feature))
        cuts, rank = np.unique(threshold[mine], return_inverse=True)
        cut[mine] = rank % MAX_CUTS
        for part in range(-(-cuts.size // MAX_CUTS)):
            part_cuts, inside = cuts[MAX_CUTS * part :][:MAX_CUTS], mine[rank // MAX_CUTS == part]
            at, bits = sum(table.size for table in tables), int(part_cuts.size).bit_length()
            tables.append(np.pad(part_cuts, (0, 2**bits - 1 - part_cuts.size), constant_values=np.inf))
            for mode in np.unique(missing_mode[inside]):
                column[inside[missing_mode[inside] == mode]] = len(rows)
                rows.append((split_feature, mode >> 1, mode & 1, at, bits))
    number, missing, left, start, halvings = np.array(rows, np.int64).reshape(-1, 5).T.copy()
    return Columns(number, missing, left, start, halvings, np.concatenate(tables), category), column, cut


def _bitsets(
    trees: list[dict[str, str]], tree: Array, decision: Array, threshold: Array
) -> tuple[Array, Array, Array]:
    """Return the words of all bitsets, and each node's first word and number of words (0 if numeric)."""
    sizes = [np.diff(np.array(entries.get("cat_boundaries", "0").split(), np.int64)) for entries in trees]
    size = np.concatenate([np.zeros(0, np.int64), *sizes])
    words = _numbers(trees, "cat_threshold", size.sum()).astype(np.uint32)
    is_category = decision & 1 == 1
    first_set = _offsets(np.array([set_sizes.size for set_sizes in sizes], np.int64))
    at = first_set[tree[is_category]] + threshold[is_category].astype(np.int64)
    first_word, n_words = np.zeros((2, tree.size), np.int64)
    first_word[is_category], n_words[is_category] = _offsets(size)[at], size[at]
    return words, first_word, n_words


def _steps(ends: tuple[Array, ...]) -> ScoreSteps:
    """Return a step for each byte in which a node has leaves on its left."""
    byte = ends[0] // 8
    n_bytes = (ends[1] - 1) // 8 - byte + 1
    node = np.repeat(np.arange(byte.size), n_bytes)
    at = byte[node] + np.arange(node.size) - _offsets(n_bytes)[node]
    first, middle = (np.clip(end[node] - 8 * at, 0, 8) for end in ends[:2])
    keep = 255 - (1 << middle) + (1 << first)
    return ScoreSteps(node, at, keep.astype(np.uint8), at > byte[node])


def _leaves(
    value: Array, leaf_at: Array, n_leaves: Array, first_leaf: Array, words: Array
) -> tuple[Leaves, Array]:
    """Return the leaves from the left, and each tree's first slot."""
    ordered = np.empty_like(value)
    ordered[leaf_at] = value
    first_slot = _offsets(-(-n_leaves // 32) * 32)
    leaf = np.arange(value.size) - np.repeat(first_leaf[:-1], n_leaves)
    hashed = (0x077CB531 << leaf % 32 & 0xFFFFFFFF) >> 27
    slot = np.zeros(first_slot[-1])
    slot[np.repeat(first_slot[:-1], n_leaves) + leaf // 32 * 32 + hashed] = ordered
    return Leaves(ordered, slot, words), first_slot


LINKS = dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity")
LINKS |= dict.fromkeys(("lambdarank", "rank_xendcg", "none"), "identity")
LINKS |= dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential")
LINKS |= dict.fromkeys(("binary", "cross_entropy"), "sigmoid")
HEADER_KEYS = {
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
}
HEADER_KEYS |= {"feature_names", "feature_infos", "tree_sizes", "monotone_constraints"}
TREE_KEYS = NODE_KEYS | {
    "num_leaves",
    "num_cat",
    "leaf_value",
    "leaf_count",
    "cat_boundaries",
    "cat_threshold",
}
TREE_KEYS |= {"is_linear", "shrinkage", "split_gain", "leaf_weight", "internal_value", "internal_weight"}


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
    sintonia.core.errors.UnsupportedModelError: Cannot read 'tree version v9' in a model; LightGBM can.
    """
    head, *bodies = model_text.partition("\nend of trees")[0].split("\nTree=")
    start, *lines = head.split("\n")
    header = _entries(lines, HEADER_KEYS)
    if start != "tree" or header.get("version") not in ("v3", "v4"):
        raise unsupported(f"{start} version {header.get('version')}")
    if "\nis_linear=1" in model_text:
        raise unsupported("linear trees")
    trees = [_entries(body.split("\n")[1:], TREE_KEYS) for body in bodies]
    if header.get("num_tree_per_iteration") != "1":
        raise unsupported("several classes")
    link, slope = _read_link(header.get("objective", "none"))
    try:
        return assemble_forest(tuple(header["feature_names"].split(" ")), link, slope, trees)
    except (KeyError, ValueError, IndexError) as error:
        raise unsupported(f"broken tables: {error}") from error


def _entries(lines: list[str], known: set[str]) -> dict[str, str]:
    """Return the `key=value` lines of one section; none may be unknown."""
    pairs = dict(line.partition("=")[::2] for line in lines if line)
    if strange := sorted(set(pairs) - known):
        raise unsupported(strange[0])
    return pairs


def _read_link(objective: str) -> tuple[str, float]:
    """Return the link and its slope: `binary sigmoid:2` gives `("sigmoid", 2.0)`."""
    name, *options = objective.split()
    settings = dict(option.partition(":")[::2] for option in options)
    slope = float(settings.pop("sigmoid", 1.0)) if name == "binary" else 1.0
    if name not in LINKS or set(settings) - {"tweedie_variance_power", "alpha", "fair_c"}:
        raise unsupported(f"objective {objective}")
    return LINKS[name], slope
