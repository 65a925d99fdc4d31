"""A small omnichannel brand, always called synthetic: known identities, known effects, messy silos."""

from sintonia.synthetic.simulate import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
