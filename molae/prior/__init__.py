"""Priors: distributions of codes, from which new ones are drawn; fitted to codes after training.

To add one: write a module here with a configuration and a class registered in `PRIORS`, and import it below.
"""

from molae.prior.autoregressive import AutoregressivePrior
from molae.prior.base import PRIORS, CodeSpace, OrderedGraph, Prior
from molae.prior.mixture import MixturePrior
from molae.prior.normal import NormalPrior

__all__ = [
    "PRIORS",
    "AutoregressivePrior",
    "CodeSpace",
    "MixturePrior",
    "NormalPrior",
    "OrderedGraph",
    "Prior",
]
