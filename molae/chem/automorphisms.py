"""Graph isomorphisms between molecules, stereo left aside: the renumberings that RMSDs and losses forgive."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from rdkit import Chem

DEFAULT_LIMIT = 1000
SAMPLING_SEED = 0


def automorphisms(mol: Chem.Mol, limit: int = DEFAULT_LIMIT) -> Int[np.ndarray, "a n"]:
    """Finds the renumberings that leave elements, charges, hydrogen counts and bonds as they are.

    Bonds are compared as RDKit perceives them (aromatic ones are all alike); stereo is not considered.

    Args:
        mol: Sanitised molecule.
        limit: Most renumberings that are enumerated. A molecule with more gets at most `limit` of them,
            drawn at random with a fixed seed, so that a minimum over them is an upper bound.
    Returns:
        Permutations, the identity first: `positions[permutation]` is as good as `positions`.
    """
    found = isomorphisms(mol, mol, limit)
    identity = np.arange(mol.GetNumAtoms())
    others = found[(found != identity).any(axis=1)]
    return np.concatenate([identity[None], others])[: max(limit, 1)]


def isomorphisms(pattern: Chem.Mol, mol: Chem.Mol, limit: int = DEFAULT_LIMIT) -> Int[np.ndarray, "a n"]:
    """Finds the ways to read `mol` in the atom order of `pattern`, stereo left aside.

    Args:
        pattern: Sanitised molecule that gives the order.
        mol: Sanitised molecule that is read.
        limit: Most ways that are enumerated; beyond it, a random sample with a fixed seed.
    Returns:
        Maps from atoms of `pattern` to atoms of `mol`: `positions_of_mol[map]` is in the order of
        `pattern`. None (shape 0, n) if the two are different graphs.
    """
    n = pattern.GetNumAtoms()
    if mol.GetNumAtoms() != n or mol.GetNumBonds() != pattern.GetNumBonds():
        return np.empty((0, n), dtype=np.int64)
    pattern, mol = _coloured(pattern), _coloured(mol)
    # One more than the limit, to tell a complete list from a truncated one.
    found = mol.GetSubstructMatches(pattern, uniquify=False, useChirality=False, maxMatches=limit + 1)
    if len(found) > limit:
        return _sample(pattern, mol, limit)
    return np.array(found, dtype=np.int64).reshape(-1, n)


def same_stereo(first: Chem.Mol, second: Chem.Mol) -> bool:
    """Whether an isomorphism of the two graphs keeps the configuration of every centre and double bond.

    Args:
        first: Sanitised molecule with its stereo assigned.
        second: Another.
    Returns:
        True if the two are the same stereoisomer.
    """
    if first.GetNumAtoms() != second.GetNumAtoms() or first.GetNumBonds() != second.GetNumBonds():
        return False
    first, second = _coloured(first), _coloured(second)
    # Both ways: what the pattern leaves unspecified matches anything.
    return second.HasSubstructMatch(first, useChirality=True) and first.HasSubstructMatch(
        second, useChirality=True
    )


def _coloured(mol: Chem.Mol) -> Chem.Mol:
    """Copies a molecule with all that tells its atoms apart, but stereo, written in the isotope field.

    RDKit's substructure search lets an atom of charge 0 match any charge, and ignores hydrogens (it would
    swap the two nitrogens of imidazole); isotopes other than 0 it compares strictly.
    """
    mol = Chem.Mol(mol)
    for atom in mol.GetAtoms():
        charge = atom.GetFormalCharge() + 10
        atom.SetIsotope(1 + atom.GetTotalNumHs() + 10 * (atom.GetNumRadicalElectrons() + 10 * charge))
    return mol


def _sample(pattern: Chem.Mol, mol: Chem.Mol, count: int) -> Int[np.ndarray, "a n"]:
    """Draws isomorphisms: the first match after renumbering both molecules at random.

    The first matches of one fixed numbering would all differ in the last few atoms only.
    """
    rng = np.random.default_rng(SAMPLING_SEED)
    n = mol.GetNumAtoms()
    drawn = np.empty((count, n), dtype=np.int64)
    for row in drawn:
        from_pattern, from_mol = rng.permutation(n), rng.permutation(n)
        match = Chem.RenumberAtoms(mol, from_mol.tolist()).GetSubstructMatch(
            Chem.RenumberAtoms(pattern, from_pattern.tolist())
        )
        row[from_pattern] = from_mol[list(match)]
    return np.unique(drawn, axis=0)
