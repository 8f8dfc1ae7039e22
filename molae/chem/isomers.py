"""Stereoisomers: which one the positions are, and which ones a molecule with open stereo may be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions
from rdkit.rdBase import BlockLogs

from molae.chem.automorphisms import same_stereo
from molae.chem.handedness import clearly_alike
from molae.chem.stereo import assign_stereo_from_positions, marked_atoms

_OPEN = {Chem.BondStereo.STEREONONE, Chem.BondStereo.STEREOANY}

_Tag = Chem.ChiralType
_Stereo = tuple[Chem.BondStereo, tuple[int, ...]]


def isomeric_smiles(mol: Chem.Mol) -> str:
    """Canonical SMILES with the stereo of the first 3D conformer.

    Raises:
        RowError: `no_positions`, if there is no 3D conformer.
    """
    return Chem.MolToSmiles(_posed(mol))


def is_same_isomer(first: Chem.Mol, second: Chem.Mol) -> bool:
    """Whether the 3D conformers of two molecules are the same stereoisomer.

    Where canonical SMILES differ, an isomorphism that keeps every configuration counts as equal too: RDKit's
    canonical SMILES of some small cages depends on the numbering.
    """
    first, second = _posed(first), _posed(second)
    return Chem.MolToSmiles(first) == Chem.MolToSmiles(second) or same_stereo(first, second)


def keep_configurations(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Bool[np.ndarray, " s"]:
    """Tells which of several conformers have every configuration that a molecule specifies.

    Args:
        mol: Molecule with its stereo assigned, all hydrogens atoms; its own conformers are ignored.
        positions: Positions of its atoms, in Å.
    Returns:
        True where every specified centre and double bond is as specified; what is open may be either.
    """
    atoms, bonds = _marks(mol)
    kept = np.zeros(len(positions), dtype=bool)
    done = kept.copy()
    for place, coordinates in enumerate(positions):
        if done[place]:
            continue
        posed = assign_stereo_from_positions(with_positions(mol, coordinates[None]))
        # Same atoms and bonds in the same order: the marks compare directly. Where they differ, that may be
        # in what stands for the same configuration.
        kept[place] = _has_marks(posed, atoms, bonds) or _is_isomer(posed, mol)
        if kept[place] and not done.any():
            done = clearly_alike(posed, positions, place)
            kept |= done
    return kept


def with_positions(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Chem.Mol:
    """A copy of a molecule whose conformers have the given positions, in Å."""
    posed = _without_conformers(mol)
    for coordinates in positions:
        conformer = Chem.Conformer(mol.GetNumAtoms())
        conformer.Set3D(True)
        conformer.SetPositions(np.ascontiguousarray(coordinates, dtype=np.float64))
        posed.AddConformer(conformer, assignId=True)
    return posed


def open_isomers(mol: Chem.Mol, seed: int, limit: int) -> Iterator[Chem.Mol]:
    """Gives the stereoisomers that a molecule with open stereo may be, in an order that the seed decides.

    Args:
        mol: Molecule as `prepare` leaves it, without positions.
        seed: Seed of the order.
        limit: Most isomers.
    Yields:
        Copies in which every centre and double bond is specified, no two the same isomer; some may be
        impossible in three dimensions. One of `C=NH` is specified only where the hydrogen is an atom.
    """
    options = StereoEnumerationOptions(unique=True, rand=seed, maxIsomers=limit)
    with BlockLogs():
        yield from EnumerateStereoisomers(_without_conformers(mol), options)


def _without_conformers(mol: Chem.Mol) -> Chem.Mol:
    mol = Chem.Mol(mol)
    mol.RemoveAllConformers()
    return mol


def _posed(mol: Chem.Mol) -> Chem.Mol:
    with BlockLogs():
        return Chem.RemoveHs(assign_stereo_from_positions(mol))


def _marks(mol: Chem.Mol) -> tuple[dict[int, _Tag], dict[int, _Stereo]]:
    """The specified centres and double bonds."""
    bonds = {bond.GetIdx(): bond.GetStereo() for bond in mol.GetBonds()}
    return (
        {atom.GetIdx(): atom.GetChiralTag() for atom in marked_atoms(mol)},
        {
            place: (stereo, tuple(mol.GetBondWithIdx(place).GetStereoAtoms()))
            for place, stereo in bonds.items()
            if stereo not in _OPEN
        },
    )


def _has_marks(mol: Chem.Mol, atoms: dict[int, _Tag], bonds: dict[int, _Stereo]) -> bool:
    if any(mol.GetAtomWithIdx(place).GetChiralTag() != tag for place, tag in atoms.items()):
        return False
    found = {place: mol.GetBondWithIdx(place) for place in bonds}
    return all(
        (bond.GetStereo(), tuple(bond.GetStereoAtoms())) == bonds[place] for place, bond in found.items()
    )


def _is_isomer(posed: Chem.Mol, mol: Chem.Mol) -> bool:
    """Whether `posed` has every configuration that `mol` specifies."""
    # With its hydrogens, the ways to exchange them would all be tried on a wrong isomer.
    bare = Chem.RemoveHs(_without_conformers(mol))
    return Chem.RemoveHs(posed).HasSubstructMatch(bare, useChirality=True)
