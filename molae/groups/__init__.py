"""Groups, their elements and how these act on batches of graphs, or of anything else.

To add one of your own: derive from `Group` and write its six methods; `molae.testing.check_group` holds it to
the axioms. `tutorials/your_own_group.py` does so in less than 60 lines.
"""

from molae.groups.action import GroupAction
from molae.groups.base import Group
from molae.groups.euclidean import Euclidean, RigidMotion, SpecialEuclidean
from molae.groups.image import CyclicRotations, ImageRotations
from molae.groups.permutation import SymmetricGroup, inverse_index, take_nodes
from molae.groups.product import DirectProduct, ProductElement
from molae.groups.rotation import Orthogonal, SpecialOrthogonal
from molae.groups.translation import Translations

__all__ = [
    "CyclicRotations",
    "DirectProduct",
    "Euclidean",
    "Group",
    "GroupAction",
    "ImageRotations",
    "Orthogonal",
    "ProductElement",
    "RigidMotion",
    "SpecialEuclidean",
    "SpecialOrthogonal",
    "SymmetricGroup",
    "Translations",
    "inverse_index",
    "take_nodes",
]
