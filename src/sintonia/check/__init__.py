"""Does anything peek? Features proved on disturbed data, and columns whose values may tell of the future."""

from sintonia.check.leaks import LeakFinding, LeakRules, find_leaks, leak_figures
from sintonia.check.moments import ask, at, moments_of
from sintonia.check.proof import InvarianceTrial, Question, choose_dates, prove

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
