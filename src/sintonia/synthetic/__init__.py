"""A small omnichannel brand, always called synthetic: known identities, known effects, messy silos.

A silo is a module with one function from a `World` to its `SiloRows`, and one entry in `simulate.SILOS`; it draws
its mess from a generator of its own, so that a new silo leaves the bytes of the others alone.
"""

from sintonia.synthetic.simulate import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
