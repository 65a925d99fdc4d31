"""Hyperparameter search: Optuna trials over the rolling folds, with pruning, resumable.

Every trial is judged relative to the settings the search starts from, fold by fold and tree by tree: losses of
different dates and of different numbers of trees do not compare, but their ratios to the same do.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sintonia.core.config import LIGHTGBM, ModelConfig, RangeConfig, TrainSettings, TuneConfig
from sintonia.core.errors import ConfigError, NotEnoughDataError, unknown
from sintonia.core.hashes import config_hash, short_hash
from sintonia.core.paths import WorkspacePaths
from sintonia.core.progress import counter
from sintonia.core.timeline import Split
from sintonia.training.dataset import Dataset
from sintonia.training.models import (
    BinnedFolds,
    ExplainFold,
    FoldResult,
    bin_folds,
    validate_folds,
    validate_own,
)

if TYPE_CHECKING:
    import optuna

PACE = "pace"
"""The trial's attribute that holds the losses all others are relative to."""
FOLDS = "folds"

TUNABLE = (
    "num_leaves",
    "learning_rate",
    "min_data_in_leaf",
    "feature_fraction",
    "bagging_fraction",
    "lambda_l2",
)
"""What trials may change: all but bins, which they share, and how long trees may go on."""

PRUNER_PERCENTILE = 100 / 3
"""Percent of the trials before, of which a trial must not be worse to go on: half of them cost a quarter more."""

FOLD_STEPS = 1_000_000
"""More trees than any fold grows: steps of later folds come after all of earlier ones."""


@dataclass(frozen=True)
class TuningTrial:
    """One trial: its settings, its loss relative to the start's (None when given up early), its folds."""

    number: int
    settings: Mapping[str, float]
    loss: float | None
    folds: tuple[FoldResult, ...]
    seconds: float


@dataclass(frozen=True)
class TuningResult:
    """What a search found: the best settings and every trial. Relative loss 1 is where it started."""

    model: ModelConfig
    best: TuningTrial
    trials: tuple[TuningTrial, ...]


@dataclass(frozen=True)
class ChosenSettings:
    """The settings to train with, how they did on each rolling fold, and the search that found them, if one did."""

    settings: TrainSettings
    folds: tuple[FoldResult, ...]
    search: TuningResult | None = None


def choose_settings(
    rows: Dataset,
    split: Split,
    settings: TrainSettings,
    storage: tuple[Path, str],
    explain: ExplainFold | None = None,
) -> ChosenSettings:
    """Return the settings as they are or as the search found them, with their figures on the rolling folds.

    Parameters
    ----------
    storage
        The workspace, where trials are kept, and the fingerprint of the data, under which.
    explain
        What is to be kept of the trees of each fold, under the settings that are returned.

    Raises
    ------
    NotEnoughDataError
        When there is to be a search, and no fold to judge by.
    """
    if settings.model.name != LIGHTGBM:
        if settings.tune.trials:
            raise ConfigError(
                f"tune.trials={settings.tune.trials} searches LightGBM's settings, which model.name="
                f"{settings.model.name} has not; set tune.trials=0, and search inside the class."
            )
        return ChosenSettings(settings, validate_own(rows, split.folds, settings))
    binned = bin_folds(rows, split.folds, settings)
    if not settings.tune.trials:
        return ChosenSettings(
            settings, validate_folds(binned, settings.model, settings.seed, explain=explain)
        )
    if split.shares is not None:
        raise ConfigError(
            f"tune.trials={settings.tune.trials} evaluates settings on rolling folds of dates, and split=customers has "
            "none; set tune.trials=0, or try settings by hand, as in -m model.num_leaves=4,15."
        )
    if not binned.folds:
        raise NotEnoughDataError(
            f"tune.trials={settings.tune.trials} needs rolling folds, and none of {len(split.folds)} dates "
            "has both outcomes and older data to learn from; raise split.snapshots or split.folds."
        )
    result = search(binned, settings, *storage)
    folds = result.best.folds
    if explain is not None:
        # The trees of a trial are gone when it ends: those of the best are grown once more, to be asked.
        again = validate_folds(binned, result.model, settings.seed, explain=explain)
        folds = tuple(
            replace(fold_result, sizes=same.sizes) for fold_result, same in zip(folds, again, strict=True)
        )
    return ChosenSettings(replace(settings, model=result.model), folds, result)


def search(binned: BinnedFolds, settings: TrainSettings, workspace: Path, fingerprint: str) -> TuningResult:
    """Return the best of `tune.trials` settings, those of an interrupted search included.

    The trials lie in the workspace's `tuning.db`, under a name made of settings, data and folds: the same search goes
    on where it was, with more trials further.

    Raises
    ------
    ConfigError
        When `tune.space` names no setting of the model.
    """
    tune = settings.tune
    check_space(tune.space)
    study = _study(settings, workspace, fingerprint, binned)
    start = _start_pace(study)
    with counter(tune.trials, "Searching settings") as count:
        count(len(_finished_trials(study)), "")
        while (done := len(_finished_trials(study))) < tune.trials:
            if start is None:
                study.enqueue_trial(_starting_settings(settings.model, tune))
            study.optimize(_objective(binned, settings, start), n_trials=1)
            start = _start_pace(study)
            count(
                len(_finished_trials(study)) - done,
                f"best loss so far {study.best_value:.4f} of the start's loss",
            )
    trials = tuple(_to_trial(frozen) for frozen in _finished_trials(study))
    best = min((trial for trial in trials if trial.loss is not None), key=_loss_of)
    return TuningResult(replace(settings.model, **_to_field_types(best.settings)), best, trials)


def check_space(space: Mapping[str, RangeConfig]) -> None:
    """Refuse a space with a setting that no trial can change."""
    for name in space:
        if name not in TUNABLE:
            raise unknown("setting in tune.space", name, TUNABLE)


def _study(settings: TrainSettings, workspace: Path, fingerprint: str, binned: BinnedFolds) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    workspace.mkdir(parents=True, exist_ok=True)
    settings_hash = config_hash(replace(settings, tune=replace(settings.tune, trials=0)))
    dates = [str(fold) for fold in binned.folds]
    name = f"{settings.task.name}-{short_hash([settings_hash, fingerprint, *binned.names, *dates])}"
    study = optuna.create_study(
        storage=f"sqlite:///{WorkspacePaths(workspace).tuning.resolve()}",
        study_name=name,
        load_if_exists=True,
        pruner=optuna.pruners.PercentilePruner(
            PRUNER_PERCENTILE, settings.tune.startup_trials, n_min_trials=3
        ),
    )
    # A search that goes on must not draw again what it drew before.
    seed, guessing = settings.seed + len(study.trials), min(10, max(settings.tune.trials // 3, 1))
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=guessing)
    return study


def _objective(
    binned: BinnedFolds, settings: TrainSettings, start: Sequence[Mapping[str, float]] | None
) -> Any:  # noqa: ANN401
    """Return the function of a trial that gives its mean loss relative to the start's.

    Without a start this trial is it: its losses after every `tune.report_trees` trees are kept as the pace.
    """
    import optuna

    every = settings.tune.report_trees
    # With another learning rate a number of trees is another distance: then only whole folds compare.
    within = "learning_rate" not in settings.tune.space

    def judge(trial: "optuna.Trial") -> float:
        chosen = replace(settings.model, **_to_field_types(_suggest_settings(trial, settings.tune.space)))
        pace: list[dict[str, float]] = [{} for _ in binned.folds]
        ended: list[float] = []

        def watch(fold: int, trees: int, best: float) -> None:
            pace[fold]["last"] = best
            if start is None:
                pace[fold].update({str(trees): best} if trees % every == 0 else {})
                return
            if len(ended) < fold:
                ended.append(pace[fold - 1]["last"] / start[fold - 1]["last"])
                report(sum(ended) / fold, fold * FOLD_STEPS)
            if within and trees % every == 0:
                ratio = best / start[fold].get(str(trees), start[fold]["last"])
                report((sum(ended) + ratio) / (fold + 1), fold * FOLD_STEPS + trees)

        def report(loss: float, step: int) -> None:
            trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        results = validate_folds(binned, chosen, settings.seed, watch)
        trial.set_user_attr(FOLDS, [asdict(result) for result in results])
        if start is None:
            trial.set_user_attr(PACE, pace)
            return 1.0
        return sum(result["last"] / first["last"] for result, first in zip(pace, start, strict=True)) / len(
            start
        )

    return judge


def _suggest_settings(trial: "optuna.Trial", space: Mapping[str, RangeConfig]) -> dict[str, float]:
    kinds = {field.name: field.type for field in fields(ModelConfig)}
    drawn: dict[str, float] = {}
    for name, span in space.items():
        if kinds[name] is int:
            drawn[name] = trial.suggest_int(name, round(span.low), round(span.high), log=span.log)
        else:
            drawn[name] = trial.suggest_float(name, span.low, span.high, log=span.log)
    return drawn


def _starting_settings(model: ModelConfig, tune: TuneConfig) -> dict[str, float]:
    """Return the settings the search starts from, moved into the space where they lie outside."""
    return {name: min(max(getattr(model, name), span.low), span.high) for name, span in tune.space.items()}


def _to_field_types(settings: Mapping[str, float]) -> dict[str, Any]:
    kinds = {field.name: field.type for field in fields(ModelConfig)}
    return {name: round(value) if kinds[name] is int else float(value) for name, value in settings.items()}


def _finished_trials(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.PRUNED)
    trials: list[optuna.trial.FrozenTrial] = study.get_trials(deepcopy=False, states=states)
    return trials


def _start_pace(study: "optuna.Study") -> list[dict[str, float]] | None:
    """Return the pace of the search's first trial; None before it has ended."""
    return next(
        (trial.user_attrs[PACE] for trial in _finished_trials(study) if PACE in trial.user_attrs), None
    )


def _to_trial(frozen: "optuna.trial.FrozenTrial") -> TuningTrial:
    took = frozen.duration
    return TuningTrial(
        number=frozen.number,
        settings=dict(frozen.params),
        loss=frozen.value if FOLDS in frozen.user_attrs else None,
        folds=tuple(FoldResult(**fold) for fold in frozen.user_attrs.get(FOLDS, [])),
        seconds=round(took.total_seconds(), 3) if took else 0.0,
    )


def _loss_of(trial: TuningTrial) -> float:
    return float("inf") if trial.loss is None else trial.loss
