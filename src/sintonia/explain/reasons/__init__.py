"""Why a score is what it is, in sentences a marketer would say: by family, with the customer's own numbers."""

from sintonia.explain.reasons.decisions import decided
from sintonia.explain.reasons.texts import Words, read_words
from sintonia.explain.reasons.writer import Reasons, Speaker

__all__ = ["Reasons", "Speaker", "Words", "decided", "read_words"]
