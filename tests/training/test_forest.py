"""The forest engine against LightGBM, against Shapley values by enumeration, and against answers by hand."""

import subprocess
import sys
from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.errors import InputError, SintoniaError, UnsupportedModelError
from sintonia.training import forest
from sintonia.training.forest import engine as engine_module

NAN = float("nan")
SEEDED = settings(deadline=None, derandomize=True, max_examples=60)
FEW = settings(deadline=None, derandomize=True, max_examples=25)


def tree_text(**entries):
    """One tree: lists become LightGBM's spaced numbers, and what a test leaves out is LightGBM's default."""
    entries = {"num_cat": 0, "is_linear": 0, "shrinkage": 1, **entries}
    numbers = lambda value: " ".join(f"{one:.17g}" for one in value) if isinstance(value, list) else value  # noqa: E731
    return "\n".join(f"{key}={numbers(value)}" for key, value in entries.items())


def model_text(*trees, n_features=2, objective="regression"):
    names = " ".join(f"f{i}" for i in range(n_features))
    head = f"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={n_features - 1}\n"
    head += f"objective={objective}\nfeature_names={names}\nfeature_infos={' '.join(['none'] * n_features)}\n"
    return head + "".join(f"\nTree={i}\n{text}\n\n" for i, text in enumerate(trees)) + "\nend of trees\n"


def split(feature, threshold, values, counts, decision=8):
    """A tree of one split: counts of training rows left and right."""
    return tree_text(
        num_leaves=2, split_feature=[feature], threshold=[threshold], decision_type=[decision], left_child=[-1],
        right_child=[-2], leaf_value=values, leaf_count=counts, internal_count=[sum(counts)],
    )  # fmt: skip


def grown(rng, n_leaves, n_features, categorical, deep):
    """A random tree as LightGBM numbers it: the left child keeps the leaf, the right one is new."""
    if n_leaves == 1:
        return tree_text(num_leaves=1, leaf_value=[rng.normal()], leaf_count=[100])
    nodes = {key: [] for key in ("split_feature", "threshold", "decision_type", "left_child", "right_child")}
    owner, count, internal, words, bounds = {0: None}, {0: 10_000}, [], [], [0]
    for node in range(n_leaves - 1):
        splittable = [leaf for leaf in owner if count[leaf] > 1]
        leaf = splittable[-1] if rng.random() < deep else splittable[rng.integers(len(splittable))]
        if owner[leaf] is not None:
            parent, side = owner[leaf]
            nodes[side][parent] = node
        feature = int(rng.integers(n_features))
        nodes["split_feature"].append(feature)
        if feature in categorical:
            nodes["threshold"].append(len(bounds) - 1)
            nodes["decision_type"].append(1 + 8 * int(rng.integers(2)))
            words += [int(word) for word in rng.integers(0, 2**32, size=rng.integers(1, 4))]
            bounds.append(len(words))
        else:
            nodes["threshold"].append(float(rng.choice([-1, 0, 1, *CUTS])))
            nodes["decision_type"].append(4 * int(rng.integers(3)) + 2 * int(rng.integers(2)))
        nodes["left_child"].append(~leaf)
        nodes["right_child"].append(~(node + 1))
        internal.append(count[leaf])
        left = int(rng.integers(1, count[leaf]))
        count[leaf], count[node + 1] = left, count[leaf] - left
        owner[leaf], owner[node + 1] = (node, "left_child"), (node, "right_child")
    counts = [count[leaf] for leaf in range(n_leaves)]
    values = list(rng.normal(size=n_leaves))
    sets = {"cat_boundaries": bounds, "cat_threshold": words} if words else {}
    nodes |= {"leaf_value": values, "leaf_count": counts, "internal_count": internal}
    return tree_text(num_leaves=n_leaves, num_cat=len(bounds) - 1, **nodes, **sets)


CUTS = (1e-36, -1e-36, 1.0000000180025095e-35, 0.1, -0.3, 2.5, 1e300, 0.30000000000000004)


def random_model(seed, max_leaves, n_features, categories, deep, n_trees=4):
    rng = np.random.default_rng(seed)
    categorical = set(range(n_features)[:categories])
    leaves = rng.integers(1, max_leaves + 1, size=n_trees)
    trees = [grown(rng, int(n), n_features, categorical, deep) for n in leaves]
    return model_text(*trees, n_features=n_features), random_matrix(rng, 70, n_features, categorical)


def random_matrix(rng, n_rows, n_features, categorical):
    """Rows made of what is hard: cuts themselves, their neighbours, nothing, almost nothing, too much."""
    cuts = np.array([-1.0, 0.0, 1.0, *CUTS])
    hard = [NAN, -0.0, np.inf, -np.inf, *cuts, *np.nextafter(cuts, np.inf), *np.nextafter(cuts, -np.inf)]
    matrix = rng.choice(hard, size=(n_rows, n_features))
    matrix[::5] = rng.normal(size=matrix[::5].shape)
    for feature in categorical:
        odd = [NAN, -1, -0.5, 0.7, 31, 32, 63, 95, 96, 1e6, 3e9, -3e9, np.inf]
        matrix[:, feature] = rng.choice([*range(20), *odd], size=n_rows)
    return matrix


def by_enumeration(text, row):
    """Shapley values of Lundberg's path-dependent expectation, by all orders of the features."""
    booster = lgb.Booster(model_str=text)
    dumped = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]

    def expected(node, known):
        if "leaf_value" in node:
            return node["leaf_value"]
        left, right = node["left_child"], node["right_child"]
        if node["split_feature"] in known:
            return expected(left if row[node["split_feature"]] <= node["threshold"] else right, known)
        sizes = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
        return (sizes[0] * expected(left, known) + sizes[1] * expected(right, known)) / sum(sizes)

    worth = lambda known: sum(expected(tree, known) for tree in dumped)  # noqa: E731
    n = len(row)
    values = []
    for feature in range(n):
        others = [other for other in range(n) if other != feature]
        gains = (
            factorial(size)
            * factorial(n - size - 1)
            / factorial(n)
            * (worth({*some, feature}) - worth({*some}))
            for size in range(n)
            for some in combinations(others, size)
        )
        values.append(sum(gains))
    return values


def assert_like_lightgbm(text, matrix):
    booster, engine = lgb.Booster(model_str=text), forest.read_forest(text)
    raw = booster.predict(matrix, raw_score=True)
    np.testing.assert_array_equal(forest.predict_raw(engine, matrix), raw)
    np.testing.assert_array_equal(forest.predict(engine, matrix), booster.predict(matrix))
    found, reference = forest.contributions(engine, matrix), booster.predict(matrix, pred_contrib=True)
    size = 1 + np.abs(raw).max()
    np.testing.assert_allclose(found, reference[:, :-1], rtol=0, atol=1e-8 * size)
    assert engine.expected_value == pytest.approx(reference[0, -1], rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(found.sum(axis=1) + engine.expected_value, raw, rtol=1e-9, atol=1e-11 * size)


def trained(params, n_rows=1500, rounds=12, seed=7):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_rows, 6))
    matrix[rng.random(matrix.shape) < 0.15] = NAN
    matrix[rng.random(matrix.shape) < 0.15] = 0.0
    matrix[:, 4] = rng.integers(-1, 40, n_rows)
    matrix[:, 5] = rng.integers(0, 3, n_rows)
    label = np.abs(np.nan_to_num(matrix[:, 0]) + (matrix[:, 4] % 3 == 1) + rng.normal(size=n_rows))
    if params["objective"] in ("binary", "cross_entropy"):
        label = (label > 1).astype(float)
    params = {"verbose": -1, "num_threads": 2, "seed": 1, "min_data_in_leaf": 5, **params}
    data = lgb.Dataset(matrix, label, categorical_feature=[4, 5], params={"verbose": -1})
    return lgb.train(params, data, rounds), matrix


def test_one_split_gives_its_feature_the_distance_from_the_mean_of_the_training_rows():
    engine = forest.read_forest(model_text(split(0, 0.5, [1, 5], [3, 1])))
    assert engine.expected_value == 2.0  # (3 * 1 + 1 * 5) / 4
    found = forest.contributions(engine, np.array([[0.0, 9.0], [1.0, 9.0]]))
    np.testing.assert_allclose(found, [[-1, 0], [3, 0]], atol=1e-15)


def test_two_features_that_only_count_together_share_equally():
    # 4 where both are above 0, else 0; a quarter of the training rows are, so the mean is 1. Each feature alone
    # lifts it to 2, the other then to 4: half of (2 - 1) and half of (4 - 2).
    both = tree_text(
        num_leaves=3, split_feature=[0, 1], threshold=[0, 0], decision_type=[8, 8], left_child=[-1, -2],
        right_child=[1, -3], leaf_value=[0, 0, 4], leaf_count=[2, 1, 1], internal_count=[4, 2],
    )  # fmt: skip
    found = forest.contributions(forest.read_forest(model_text(both)), np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(found, [[1.5, 1.5]], atol=1e-15)


def test_a_feature_met_twice_on_a_path_counts_once():
    twice = tree_text(
        num_leaves=3, split_feature=[0, 0], threshold=[0, 1], decision_type=[8, 8], left_child=[-1, -2],
        right_child=[1, -3], leaf_value=[0, 2, 6], leaf_count=[2, 1, 1], internal_count=[4, 2],
    )  # fmt: skip
    engine = forest.read_forest(model_text(twice))
    found = forest.contributions(engine, np.array([[-1.0, 0], [0.5, 0], [2.0, 0]]))
    np.testing.assert_allclose(found[:, 0], [0 - 2, 2 - 2, 6 - 2], atol=1e-15)


@FEW
@given(seed=st.integers(0, 10**6), n_features=st.integers(1, 4), deep=st.sampled_from([0.0, 0.8]))
def test_contributions_are_the_shapley_values_of_all_orders_of_the_features(seed, n_features, deep):
    text, _ = random_model(seed, 8, n_features, 0, deep, n_trees=2)
    row = np.random.default_rng(seed).normal(size=n_features)
    found = forest.contributions(forest.read_forest(text), row[None])
    np.testing.assert_allclose(found[0], by_enumeration(text, row), atol=1e-12)


@SEEDED
@given(
    seed=st.integers(0, 10**6),
    max_leaves=st.sampled_from([1, 2, 8, 9, 31, 33]),
    n_features=st.integers(1, 9),
    categories=st.integers(0, 3),
    deep=st.sampled_from([0.0, 0.5, 0.95]),
)
def test_random_models_score_and_explain_as_lightgbm_does(seed, max_leaves, n_features, categories, deep):
    assert_like_lightgbm(*random_model(seed, max_leaves, n_features, categories, deep))


@pytest.mark.parametrize("max_leaves", [65, 300])
@pytest.mark.parametrize("deep", [0.0, 0.7])
def test_trees_of_more_leaves_than_a_machine_word_score_and_explain_as_lightgbm_does(max_leaves, deep):
    assert_like_lightgbm(*random_model(3, max_leaves, 8, 2, deep))


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "binary", "sigmoid": 0.7},
        {"objective": "binary", "boosting": "dart", "num_leaves": 63},
        {"objective": "cross_entropy", "zero_as_missing": True},
        {"objective": "regression", "use_missing": False},
        {"objective": "regression_l1", "max_cat_to_onehot": 64},
        {"objective": "huber", "max_depth": 3},
        {"objective": "quantile", "alpha": 0.8},
        {"objective": "poisson", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"objective": "gamma", "data_sample_strategy": "goss"},
        {"objective": "tweedie", "tweedie_variance_power": 1.3, "monotone_constraints": [1, 0, 0, 0, 0, 0]},
        {"objective": "regression", "min_data_in_leaf": 5000},  # single leaves
    ],
    ids=lambda params: " ".join(map(str, params.values())),
)
def test_trained_models_of_every_known_objective_score_and_explain_as_lightgbm_does(params):
    if params["objective"] == "gamma":
        params = {**params, "min_data_in_leaf": 20}
    booster, matrix = trained(params)
    assert_like_lightgbm(booster.model_to_string(), matrix[:300])


def test_more_cuts_of_one_feature_than_a_byte_counts_are_told_apart():
    trees = [split(0, float(cut), [0, 2.0**-cut], [1, 1]) for cut in range(600)]
    text = model_text(*trees)
    matrix = np.stack([np.arange(-1, 602, dtype=float), np.zeros(603)], axis=1)
    assert_like_lightgbm(text, matrix)


def test_a_forest_without_trees_scores_zero():
    engine = forest.read_forest(model_text())
    assert forest.predict_raw(engine, np.ones((3, 2))).tolist() == [0, 0, 0]
    assert forest.contributions(engine, np.ones((3, 2))).tolist() == [[0, 0]] * 3
    assert engine.expected_value == 0


def test_no_rows_give_no_scores_and_no_reasons():
    engine = forest.read_forest(model_text(split(0, 0.5, [1, 5], [3, 1])))
    none = np.empty((0, 2))
    assert forest.predict(engine, none).shape == (0,)
    assert forest.top_contributions(engine, none, 1)[0].shape == (0, 1)


@pytest.fixture(scope="module")
def binary():
    booster, matrix = trained({"objective": "binary"}, n_rows=3001)
    return booster, forest.read_forest(booster.model_to_string()), matrix


def test_bytes_do_not_depend_on_threads_or_chunks(binary, monkeypatch):
    _, engine, matrix = binary
    reference = forest.predict(engine, matrix).tobytes(), forest.contributions(engine, matrix).tobytes()
    for n_threads, chunk in ((1, 7), (2, 64), (3, 1000)):
        monkeypatch.setattr(engine_module, "SCORE_CHUNK", chunk)
        monkeypatch.setattr(engine_module, "EXPLAIN_CHUNK", chunk)
        found = forest.predict(engine, matrix, n_threads=n_threads).tobytes()
        assert found == reference[0]
        assert forest.contributions(engine, matrix, n_threads=n_threads).tobytes() == reference[1]


@pytest.mark.parametrize("of", [np.float32, np.asfortranarray, lambda m: np.nan_to_num(m).astype(int)])
def test_any_dtype_and_order_scores_as_lightgbm_does(binary, of):
    booster, engine, matrix = binary
    matrix = of(matrix)
    np.testing.assert_array_equal(forest.predict(engine, matrix), booster.predict(matrix))


def test_groups_add_up_their_features(binary):
    _, engine, matrix = binary
    each = forest.contributions(engine, matrix)
    grouped = forest.grouped_contributions(engine, matrix, [0, 1, 0, 2, 2, 1])
    sums = np.stack([each[:, [0, 2]].sum(1), each[:, [1, 5]].sum(1), each[:, [3, 4]].sum(1)], axis=1)
    np.testing.assert_allclose(grouped, sums, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_top_reasons_are_the_largest_of_the_full_matrix(binary, k):
    _, engine, matrix = binary
    features, values = forest.top_contributions(engine, matrix, k)
    each = forest.contributions(engine, matrix)
    best = np.argsort(-np.abs(each), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(features, best)
    np.testing.assert_array_equal(values, np.take_along_axis(each, best, axis=1))


def test_the_top_groups_are_those_with_the_largest_sums_and_their_leaders(binary):
    booster, engine, matrix = binary
    groups = np.array([0, 1, 0, -1, 2, 1])
    each = forest.contributions(engine, matrix)
    sums = np.stack([each[:, groups == group].sum(axis=1) for group in range(3)], axis=1)
    best = np.argsort(-np.abs(sums), axis=1, kind="stable")[:, :2]
    for model, few in ((engine, matrix), (booster, matrix[:50])):
        features, found = forest.top_groups(model, few, groups, 2)
        np.testing.assert_allclose(found, np.take_along_axis(sums, best, axis=1)[: len(few)], atol=1e-12)
        for row in range(len(few)):
            for group, feature in zip(best[row], features[row], strict=True):
                towards = np.where(groups == group, each[row] * np.sign(sums[row, group]), -np.inf)
                assert towards[feature] == pytest.approx(towards.max(), abs=1e-12)


def test_a_group_that_moved_nothing_has_no_leader():
    engine = forest.read_forest(
        model_text(split(1, 0, [-1, 1], [1, 1]), split(2, 0, [1, -1], [1, 1]), n_features=4)
    )
    features, sums = forest.top_groups(engine, np.ones((1, 4)), [0, 1, 1, 2], 3)
    assert features.tolist() == [[-1, -1, -1]]  # 1 and -1 add up to nothing
    assert sums.tolist() == [[0, 0, 0]]
    features, sums = forest.top_groups(engine, np.ones((1, 4)), [0, 1, 2, 3], 3)
    assert (features.tolist(), sums.tolist()) == ([[1, 2, -1]], [[1, -1, 0]])
    with pytest.raises(InputError, match="The top 3 of 2 groups"):
        forest.top_groups(engine, np.ones((1, 4)), [-1, 0, 0, 1], 3)


def test_equal_reasons_come_in_the_order_of_the_features():
    engine = forest.read_forest(
        model_text(split(1, 0, [-1, 1], [1, 1]), split(2, 0, [1, -1], [1, 1]), n_features=4)
    )
    features, values = forest.top_contributions(engine, np.ones((1, 4)), 4)
    assert features.tolist() == [[1, 2, 0, 3]]
    assert values.tolist() == [[1, -1, 0, 0]]


def test_a_booster_serves_where_a_forest_does(binary):
    booster, engine, matrix = binary
    few = matrix[:50]
    for model in (booster, engine):
        assert forest.expected_value(model, 6) == pytest.approx(engine.expected_value, rel=1e-12)
    np.testing.assert_array_equal(forest.predict_raw(booster, few), forest.predict_raw(engine, few))
    np.testing.assert_array_equal(forest.predict(booster, few), forest.predict(engine, few))
    np.testing.assert_array_equal(
        forest.top_contributions(booster, few, 3)[0], forest.top_contributions(engine, few, 3)[0]
    )
    groups = [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(
        forest.grouped_contributions(booster, few, groups),
        forest.grouped_contributions(engine, few, groups),
        atol=1e-12,
    )


def test_short_lists_and_unknown_models_stay_with_lightgbm(binary):
    booster, _, _ = binary
    assert forest.fastest_engine(booster, 10) is booster
    assert isinstance(forest.fastest_engine(booster, forest.ROWS_TO_SCORE), forest.Forest)
    assert isinstance(forest.fastest_engine(booster, forest.ROWS_TO_EXPLAIN, explain=True), forest.Forest)
    linear, _ = trained({"objective": "regression", "linear_tree": True}, rounds=2)
    assert forest.fastest_engine(linear, 10**6) is linear


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"objective": "multiclass", "num_class": 3}, "several classes"),
        ({"objective": "regression", "linear_tree": True}, "linear trees"),
        (
            {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            "average_output",
        ),
        ({"objective": "regression", "reg_sqrt": True}, "regression sqrt"),
        ({"objective": "cross_entropy_lambda"}, "cross_entropy_lambda"),
    ],
)
def test_what_the_reader_does_not_know_is_refused_by_name(params, named):
    rng = np.random.default_rng(0)
    matrix, label = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    booster = lgb.train({"verbose": -1, **params}, lgb.Dataset(matrix, label), 2)
    with pytest.raises(UnsupportedModelError, match=f"Cannot read '.*{named}.*' in a model; LightGBM can"):
        forest.read_forest(booster.model_to_string())


@pytest.mark.parametrize(
    ("found", "instead", "named"),
    [
        ("version=v4", "version=v9", "tree version v9"),
        ("shrinkage=1", "shrinkage=1\nnew_entry=3", "new_entry"),
        ("leaf_value=1 5", "leaf_value=1", "1 numbers of leaf_value instead of 2"),
        ("leaf_value=1 5", "leaf_value=1 five", "broken tables"),
        ("leaf_count=3 1", "leaf_count=4 0", "leaves without training rows"),
        ("decision_type=8", "decision_type=12", "split of an unknown kind"),
        ("split_feature=0", "split_feature=7", "split of an unknown kind"),
        ("left_child=-1", "left_child=0", "nodes with two parents"),
        ("left_child=-1", "left_child=-9", "broken tables"),
    ],
)
def test_a_damaged_file_is_refused_by_what_is_wrong(found, instead, named):
    text = model_text(split(0, 0.5, [1, 5], [3, 1]))
    assert found in text
    with pytest.raises(UnsupportedModelError, match=named):
        forest.read_forest(text.replace(found, instead))


def test_contributions_to_several_classes_are_refused():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200, 3))
    data = lgb.Dataset(matrix, rng.integers(0, 3, 200))
    booster = lgb.train({"verbose": -1, "objective": "multiclass", "num_class": 3}, data, 2)
    with pytest.raises(UnsupportedModelError, match="several classes"):
        forest.contributions(booster, matrix)


def test_wrong_shapes_are_refused_in_the_words_of_the_caller(binary):
    _, engine, matrix = binary
    for wrong in (
        lambda: forest.predict(engine, matrix[:, :5]),
        lambda: forest.top_contributions(engine, matrix, 7),
        lambda: forest.top_contributions(engine, matrix, 0),
        lambda: forest.grouped_contributions(engine, matrix, [0, 1]),
        lambda: forest.grouped_contributions(engine, matrix, [0, 1, 2, 3, 4, -1]),
    ):
        with pytest.raises(InputError, match="feature"):
            wrong()
    assert issubclass(UnsupportedModelError, SintoniaError)


def test_importing_the_module_loads_neither_numba_nor_lightgbm():
    code = "import sys, sintonia.training.forest; sys.exit(bool({'numba', 'lightgbm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_install_that_cannot_be_written_to_compiles_without_a_cache(monkeypatch):
    from sintonia.core import jit

    def njit(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(jit.numba, "njit", njit)
    assert jit.compiled()(abs)(-1) == 1
