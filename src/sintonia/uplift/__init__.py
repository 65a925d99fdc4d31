"""What actions change, and what a policy is worth: effects, off-policy values from logged decisions, the gate.

`LoggedDecisions` holds decisions with their logging propensities; `learn_effects` learns from them what each action
changes for whom; `study.study` decides whether a personalised policy replaces the best constant one, and estimates its
value.
"""

from sintonia.uplift.effects import Effects
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import NONE, Actions, LoggedDecisions
from sintonia.uplift.study import PersonalisationGate, Study

__all__ = ["NONE", "Actions", "Effects", "LoggedDecisions", "PersonalisationGate", "Study", "learn_effects"]
