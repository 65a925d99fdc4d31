"""What actions change, and policies that earn their place: effects, values from logged decisions, the gate.

`Logged` holds decisions with their logging propensities; `learn_effects` learns from them what each action changes for
whom; `study.study` decides whether that earns a policy of its own, and says what it is worth.
"""

from sintonia.uplift.effects import Effects
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import NONE, Actions, Logged
from sintonia.uplift.study import Gate, Study

__all__ = ["NONE", "Actions", "Effects", "Gate", "Logged", "Study", "learn_effects"]
