"""Does anything peek? Features proved on disturbed data, and columns whose values may tell of the future."""

from sintonia.evaluation.leakage.invariance import (
    InvarianceQuestion,
    InvarianceTrial,
    check_invariance,
    choose_dates,
)
from sintonia.evaluation.leakage.leaks import LeakFinding, LeakRules, find_leaks, leak_figures
from sintonia.evaluation.leakage.moments import dataset_moments, label_moments, moments_at

__all__ = [
    "InvarianceQuestion",
    "InvarianceTrial",
    "LeakFinding",
    "LeakRules",
    "check_invariance",
    "choose_dates",
    "dataset_moments",
    "find_leaks",
    "label_moments",
    "leak_figures",
    "moments_at",
]
