"""Does anything peek? Features proved on disturbed data, and columns whose values may tell of the future."""

from sintonia.evaluation.leakage.invariance import InvarianceTrial, Question, choose_dates, prove
from sintonia.evaluation.leakage.leaks import LeakFinding, LeakRules, find_leaks, leak_figures
from sintonia.evaluation.leakage.moments import ask, at, moments_of

__all__ = [
    "InvarianceTrial",
    "LeakFinding",
    "LeakRules",
    "Question",
    "ask",
    "at",
    "choose_dates",
    "find_leaks",
    "leak_figures",
    "moments_of",
    "prove",
]
