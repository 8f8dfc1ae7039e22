"""Groups, their elements and how these act on batches of graphs."""

from molae.groups.action import GroupAction
from molae.groups.base import Group
from molae.groups.euclidean import Euclidean, RigidMotion, SpecialEuclidean
from molae.groups.permutation import SymmetricGroup, inverse_index, take_nodes
from molae.groups.product import DirectProduct, ProductElement
from molae.groups.rotation import Orthogonal, SpecialOrthogonal
from molae.groups.translation import Translations

__all__ = [
    "DirectProduct",
    "Euclidean",
    "Group",
    "GroupAction",
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
