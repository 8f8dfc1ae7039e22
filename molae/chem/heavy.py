"""RMSDs between conformers of one molecule: heavy atoms, least over symmetry and rigid motions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdMolAlign
from rdkit.rdBase import BlockLogs

from molae.chem.automorphisms import isomorphisms
from molae.chem.stereo import has_positions
from molae.errors import RowError

#: Symmetric readings tried at most. A molecule with more gets RMSDs that are upper bounds.
MAX_MATCHES = 10_000


def heavy_atoms(mol: Chem.Mol) -> Chem.Mol:
    """A copy without any hydrogen, those that define a double bond included; conformers stay.

    Raises:
        RowError: `no_atoms`, if nothing is left.
    """
    with BlockLogs():
        bare = Chem.RemoveAllHs(mol)
    if not bare.GetNumAtoms():
        raise RowError("a molecule without heavy atoms", "no_atoms")
    return bare


def rmsd_matrix(
    references: Sequence[Chem.Mol], samples: Sequence[Chem.Mol], max_matches: int = MAX_MATCHES
) -> Float[np.ndarray, "k s"]:
    """Heavy-atom RMSD of every sample from every reference, after the best proper rigid motion.

    RDKit's `GetBestRMS`: the least over all ways in which one graph matches the other; the ends of
    conjugated groups, such as carboxylate and nitro, count as alike. Stereo plays no part in matching, so a
    mirror image has the RMSD that its positions have.

    Args:
        references: Molecules with one 3D conformer each, in Å; hydrogens are ignored.
        samples: The same molecule with other conformers, its atoms in any order.
        max_matches: Most symmetric readings that are tried.
    Returns:
        RMSDs, in Å.
    Raises:
        RowError: `no_positions`, `no_atoms`, or `other_molecule`, where two are not the same graph.
    """
    mols = [heavy_atoms(_positioned(mol)) for mol in (*references, *samples)]
    for mol in mols[1:]:
        if not len(isomorphisms(mols[0], mol, limit=1)):
            reason = f"not the molecule {Chem.MolToSmiles(mols[0])}: {Chem.MolToSmiles(mol)}"
            raise RowError(reason, "other_molecule")
    targets, probes = mols[: len(references)], mols[len(references) :]
    distances = [
        [rdMolAlign.GetBestRMS(probe, target, maxMatches=max_matches) for probe in probes]
        for target in targets
    ]
    return np.array(distances, dtype=np.float64).reshape(len(targets), len(probes))


def distinct(
    mol: Chem.Mol, threshold: float, max_matches: int = MAX_MATCHES, most: int | None = None
) -> list[int]:
    """Picks conformers that differ, the first of those that are alike.

    Args:
        mol: Molecule with conformers, in Å; hydrogens are ignored.
        threshold: Least heavy-atom RMSD between two conformers that are picked, in Å.
        max_matches: Most symmetric readings that are tried.
        most: Most conformers that are picked, None for any number.
    Returns:
        Places of the conformers, from 0, in order.
    """
    if not mol.GetNumHeavyAtoms():
        return list(range(min(1, mol.GetNumConformers())))
    bare = heavy_atoms(mol)
    identifiers = [conformer.GetId() for conformer in bare.GetConformers()]
    probe = Chem.Mol(bare)
    picked: list[int] = []
    for place, mine in enumerate(identifiers):
        if len(picked) == most:
            break
        distances = (
            rdMolAlign.GetBestRMS(probe, bare, mine, identifiers[other], maxMatches=max_matches)
            for other in picked
        )
        if all(distance >= threshold for distance in distances):
            picked.append(place)
    return picked


def _positioned(mol: Chem.Mol) -> Chem.Mol:
    if not has_positions(mol):
        raise RowError("an RMSD needs a molecule with a 3D conformer, got none", "no_positions")
    return mol
