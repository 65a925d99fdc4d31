"""Why a score is what it is, in sentences a marketer would say: by family, with the customer's own numbers."""

from sintonia.reasons.deciding import decided
from sintonia.reasons.speaker import Reasons, Speaker
from sintonia.reasons.words import Words, read_words

__all__ = ["Reasons", "Speaker", "Words", "decided", "read_words"]
