"""Properties of conformers that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Literal

from rdkit import Chem
from rdkit.Chem import rdMolAlign, rdMolDescriptors, rdMolTransforms, rdShapeHelpers

from molae.chem.stereo import has_positions
from molae.errors import ConfigError, RowError

#: From a molecule with one conformer to a number.
Property = Callable[[Chem.Mol], float]
#: A property, or how one is known: `radius_of_gyration`; `distance` and the numbers of two atoms, from 0;
#: `shape` and a reference.
Known = (
    Property
    | Literal["radius_of_gyration"]
    | tuple[Literal["distance"], int, int]
    | tuple[Literal["shape"], Chem.Mol]
)


def find_property(known: Known, mol: Chem.Mol) -> Property:
    """Finds a property by what it is known as.

    Args:
        known: The property, or its name with what it needs (see `Known`).
        mol: Molecule that it is wanted of.
    Returns:
        The property.
    Raises:
        ConfigError: If there is none of that name, or no such atom.
        RowError: `no_positions`, if the reference of a shape has no 3D conformer.
    """
    if callable(known):
        return known
    match known:
        case "radius_of_gyration":
            return lambda each: float(rdMolDescriptors.CalcRadiusOfGyration(each))
        case ("distance", Integral() as i, Integral() as j):
            if not (0 <= i < mol.GetNumAtoms() and 0 <= j < mol.GetNumAtoms() and i != j):
                raise ConfigError(f"property: no two atoms {i} and {j} of {mol.GetNumAtoms()}, from 0")
            return lambda each: float(rdMolTransforms.GetBondLength(each.GetConformer(), int(i), int(j)))
        case ("shape", Chem.Mol() as reference):
            if not has_positions(reference):
                raise RowError("the reference of a shape has no 3D conformer", "no_positions")
            return lambda each: shape_overlap(each, reference)
    expected = "a function, 'radius_of_gyration', ('distance', i, j) or ('shape', molecule)"
    raise ConfigError(f"property: expected {expected}, got {known!r}")


def shape_overlap(mol: Chem.Mol, reference: Chem.Mol) -> float:
    """Shape Tanimoto coefficient of a conformer and a reference, after Open3DAlign has laid it on that.

    Open3DAlign (Tosco 2011, doi:10.1007/s10822-011-9462-9) by the Crippen contributions of the atoms.

    Args:
        mol: Molecule with one conformer.
        reference: Any molecule with a 3D conformer, the first of which counts.
    Returns:
        1 where the shapes are the same, 0 where they have nothing in common.
    """
    laid = Chem.Mol(mol)
    rdMolAlign.GetCrippenO3A(laid, reference).Align()
    return 1.0 - float(rdShapeHelpers.ShapeTanimotoDist(laid, reference))
