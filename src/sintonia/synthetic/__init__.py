"""A simulated omnichannel brand, always called synthetic: known identities, known effects, silos with errors.

A silo is a module with one function from a `World` to its `SiloRows`, and one entry in `simulate.SILOS`; it draws
its errors from its own generator, so that a new silo does not change the bytes of existing silos.
"""

from sintonia.synthetic.simulate import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
