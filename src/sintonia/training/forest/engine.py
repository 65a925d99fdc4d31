"""Scores and contributions, chunk by chunk in threads, by the forest or by LightGBM itself."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.errors import InputError, UnsupportedModelError
from sintonia.training.forest.reading import read_forest
from sintonia.training.forest.tables import Forest

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


def fastest_engine(booster: Booster, n_rows: int, *, explain: bool = False) -> Forest | Booster:
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
        # One row needs no second thread, which would spin for milliseconds after it.
        return model.predict(matrix, raw_score=True, num_threads=n_threads if len(matrix) > 1 else 1)
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
        from sintonia.training.forest import explain_kernels

        explain_kernels.top_features(phi, features[first:stop], values[first:stop])

    keep_one = keep_compiled if isinstance(model, Forest) else keep
    _explain(model, matrix, np.arange(matrix.shape[1]), n_threads, keep_one)
    return features, values


def top_groups(
    model: Forest | Booster, matrix: Array, groups: Sequence[int] | Array, k: int, *, n_threads: int = 2
) -> tuple[Array, Array]:
    """Return the features (n_rows, k) int32 that lead the groups with the largest contributions, and these (n_rows, k).

    Feature f is of group `groups[f]`, of none where that is below 0. A group's contribution is its features' sum; its
    leader moved the score furthest in the sum's direction. The largest in size comes first, of equals the lower group
    and the lower feature; where fewer than k groups moved a row, the feature is -1. Besides the result, only a chunk
    of rows is held.
    """
    group = np.asarray(groups, np.int64)
    n_groups = len(np.unique(group[group >= 0]))
    if group.shape != matrix.shape[1:]:
        raise InputError(f"{group.shape} groups for {matrix.shape[1]} features: give each feature one.")
    if not 0 < k <= n_groups:
        raise InputError(f"The top {k} of {n_groups} groups; ask for 1 to {n_groups}.")
    features, sums = np.empty((matrix.shape[0], k), np.int32), np.empty((matrix.shape[0], k))

    def keep(first: int, stop: int, phi: Array) -> None:
        from sintonia.training.forest import explain_kernels

        explain_kernels.leading_features(
            np.ascontiguousarray(phi), group, features[first:stop], sums[first:stop]
        )

    _explain(model, matrix, np.arange(matrix.shape[1]), n_threads, keep)
    return features, sums


def leading_groups(parts: Array, groups: Sequence[int] | Array, k: int) -> tuple[Array, Array]:
    """Return what `top_groups` does, of contributions that are there already.  # (n_rows, n_features)"""
    from sintonia.training.forest import explain_kernels

    features, sums = np.empty((len(parts), k), np.int32), np.empty((len(parts), k))
    explain_kernels.leading_features(
        np.ascontiguousarray(parts.T), np.asarray(groups, np.int64), features, sums
    )
    return features, sums


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


def _as_float_matrix(model: Forest, matrix: Array) -> Array:
    """Return the matrix as float32 or float64."""
    if matrix.ndim != 2 or matrix.shape[1] != len(model.feature_names):
        raise InputError(f"A matrix {matrix.shape} for a model of {len(model.feature_names)} features.")
    return matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float64)


def _encoded(forest: Forest, matrix: Array, block: int) -> tuple[Array, Array]:
    """Return ranks (n_columns + 1, n_blocks, block) and levels (n_category_columns + 1, ...), the last spare."""
    from sintonia.training.forest import score_kernels

    n_blocks = -(-matrix.shape[0] // block)
    codes = np.zeros((forest.tables.columns.feature.size + 1, n_blocks * block), np.uint8)
    levels = np.zeros((forest.tables.columns.category.size + 1, n_blocks * block), np.uint32)
    score_kernels.encode(matrix, forest.tables.columns, codes, levels)
    return codes.reshape(-1, n_blocks, block), levels.reshape(-1, n_blocks, block)


def _scores(forest: Forest, matrix: Array, n_threads: int, link: str) -> Array:
    from sintonia.training.forest import score_kernels

    matrix, scores = _as_float_matrix(forest, matrix), np.empty(matrix.shape[0])

    def work(first: int, stop: int) -> None:
        codes, levels = _encoded(forest, matrix[first:stop], score_kernels.SCORE_ROWS)
        raw = np.empty(codes.shape[1:])
        score_kernels.sum_trees(codes, levels, forest.tables, raw)
        scores[first:stop] = raw.ravel()[: stop - first]
        if link == "sigmoid":
            score_kernels.sigmoid(scores[first:stop], forest.slope)
        elif link == "exponential":
            score_kernels.exponential(scores[first:stop])

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
    from sintonia.training.forest import explain_kernels

    matrix = _as_float_matrix(model, matrix)
    points = _quadrature(int(model.tables.trees.n_points.max(initial=0)))

    def work(first: int, stop: int) -> None:
        codes, levels = _encoded(model, matrix[first:stop], explain_kernels.EXPLAIN_ROWS)
        phi = np.zeros((slot.max(initial=-1) + 1, *codes.shape[1:]))
        if model.tables.nodes.feature.size:
            explain_kernels.explain(codes, levels, model.tables, points, slot, phi)
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
