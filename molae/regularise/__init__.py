"""Regularisers: what is asked of codes beside that graphs can be rebuilt from them.

To add one: write a module here with a configuration and a class registered in `REGULARISERS`, and import it
below.
"""

from molae.regularise.base import REGULARISERS, Context, Regulariser
from molae.regularise.distance_covariance import DistanceCovariance
from molae.regularise.masked import Masked
from molae.regularise.variational import VariationalRegulariser
from molae.regularise.vicreg import VICReg

__all__ = [
    "REGULARISERS",
    "Context",
    "DistanceCovariance",
    "Masked",
    "Regulariser",
    "VICReg",
    "VariationalRegulariser",
]
