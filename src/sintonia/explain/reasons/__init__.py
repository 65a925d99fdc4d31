"""Why a score is what it is, in sentences a marketer would say: by family, with the customer's own numbers."""

from sintonia.explain.reasons.decisions import decision_reasons
from sintonia.explain.reasons.texts import LanguageTexts, read_texts
from sintonia.explain.reasons.writer import Reasons, ReasonWriter

__all__ = ["LanguageTexts", "ReasonWriter", "Reasons", "decision_reasons", "read_texts"]
