"""Conformers to codes and back, and what lies between two."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Chem import rdMolAlign

from molae.apps.conformers.isomers import read_whole
from molae.apps.molecules import as_source, parse_source
from molae.chem.conformer_code import (
    CODE_SIZE,
    CodeLayout,
    Readings,
    blend,
    code_layout,
    encode_conformers,
    read,
    ring_angles,
    start_distances,
    torsion_angles,
)
from molae.chem.etkdg import sample_etkdg
from molae.chem.force_field import relax_force_field
from molae.chem.isomers import is_same_isomer, isomeric_smiles, keep_configurations, with_positions
from molae.chem.parse import prepare
from molae.chem.restrained import relax_restrained
from molae.chem.stereo import has_positions
from molae.chem.torsions import fixed_torsions, four_atoms, measure_torsions, turn_torsions
from molae.errors import ConfigError, DataError, RowError

STARTS = 16
"""Embeddings that a conformer is decoded from one of."""


def embed_conformers(molecule: Chem.Mol) -> Float[np.ndarray, "c 128"]:
    """Encodes the conformers of a molecule, each in a code of fixed size.

    Codes say how the bonds of the molecule are turned (see `molae.chem.conformer_code`), so codes of one
    molecule compare, and those of different ones do not. They are the same however conformers are moved and
    atoms numbered.

    Args:
        molecule: RDKit molecule with 3D conformers in Å; hydrogens that are no atoms are put where RDKit
            puts them.
    Returns:
        A code for each conformer.
    Raises:
        RowError: If the molecule cannot be read, has no conformer or too many rotatable bonds.

    >>> import molae
    >>> molae.embed_conformers(molae.conformers("CCCCO", n=3, model="etkdg")).shape
    (3, 128)
    """
    return encode_conformers(read_posed(molecule))


def decode_conformers(
    molecule: str | Chem.Mol,
    codes: Float[np.ndarray, "c 128"],
    seed: int = 0,
    *,
    starts: int = STARTS,
    relax: bool = True,
) -> Chem.Mol:
    """Makes the conformers of a molecule that codes say.

    The molecule is embedded by ETKDGv3 a few times, and these embeddings are relaxed by MMFF94s, or UFF where
    it lacks parameters. For each code, the embedding whose rings and nitrogens are nearest to those of the
    code is taken, and its bonds are turned to the angles of the code. Relaxation, in which all angles of the
    code are held, then mends bond angles, and rings that no embedding has.

    Args:
        molecule: SMILES or RDKit molecule; positions that it has serve to tell its stereo alone.
        codes: Codes of conformers of this molecule.
        seed: Seed of the embeddings.
        starts: Number of embeddings.
        relax: Whether to relax what was turned, too.
    Returns:
        The molecule with all hydrogens, atoms of the input first, and a conformer for each code, in Å. All
        are of the isomer that the input says; what it leaves open may be either.
    Raises:
        RowError: If the molecule cannot be read or embedded, has too many rotatable bonds, or if every start
            becomes another isomer (`stereo_mismatch`).
        DataError: If the codes have another shape, or are not finite.
        ConfigError: If there is not one start.

    >>> import molae
    >>> conformers = molae.conformers("CCCCO", n=3, model="etkdg")
    >>> molae.decode_conformers("CCCCO", molae.embed_conformers(conformers)).GetNumConformers()
    3
    """
    codes = _checked(codes)
    if starts < 1:
        raise ConfigError(f"starts: expected at least 1, got {starts}")
    mol, _ = read_whole(as_source(molecule))
    layout = code_layout(mol)
    return with_positions(mol, decode_positions(mol, layout, codes, _make_starts(mol, starts, seed), relax))


def decode_positions(
    mol: Chem.Mol,
    layout: CodeLayout,
    codes: Float[np.ndarray, "c 128"],
    starts: Float[np.ndarray, "s n 3"],
    relax: bool,
) -> Float[np.ndarray, "c n 3"]:
    """Turns the bonds of geometries to the angles that codes say.

    Args:
        mol: Molecule with all hydrogens as atoms.
        layout: What the numbers of its codes are of.
        codes: Codes of its conformers.
        starts: Positions in Å to begin with, of the right isomer.
        relax: Whether to relax, the angles held.
    Returns:
        Positions for each code.
    Raises:
        RowError: `stereo_mismatch`, if every start becomes another isomer.
    """
    readings = read(layout, starts)
    found = np.empty((len(codes), mol.GetNumAtoms(), 3))
    for place, code in enumerate(codes):
        for start, reading in _by_distance(readings, code):
            pos = _decode(mol, layout, code, starts[start], layout.orders[reading], relax)
            if pos is not None:
                found[place] = pos
                break
        else:
            raise RowError("every start becomes another isomer when it is turned", "stereo_mismatch")
    return found


def interpolate_conformers(
    a: Chem.Mol, b: Chem.Mol, steps: int = 10, *, seed: int = 0, starts: int = STARTS, relax: bool = True
) -> Chem.Mol:
    """Decodes conformers along the way between the codes of two of one molecule.

    Every angle goes the shorter way round. Of the readings of the second conformer that its symmetry allows,
    the one that is nearest to the first counts. Nothing keeps atoms on the way apart.

    Args:
        a: RDKit molecule whose first 3D conformer is the start.
        b: The same molecule, its atoms in any order, whose first 3D conformer is the end.
        steps: Number of conformers, those of both ends, decoded like the others, included.
        seed: Seed of the embeddings.
        starts: Number of embeddings.
        relax: Whether to relax each conformer, its angles held.
    Returns:
        `a` with all hydrogens and these conformers, in Å, each laid on the first.
    Raises:
        RowError: As `embed_conformers` and `decode_conformers`; `other_molecule`, if the two are not the same
            isomer.
        ConfigError: If there are fewer than two steps, or not one start.
    """
    if steps < 2:
        raise ConfigError(f"steps: expected at least 2, one for each end, got {steps}")
    first, last = read_posed(a), read_posed(b)
    if not is_same_isomer(first, last):
        smiles = [isomeric_smiles(each) for each in (first, last)]
        raise RowError(f"two molecules, {smiles[0]} and {smiles[1]}: expected one", "other_molecule")
    start = encode_conformers(first)[0]
    codes = blend(start, _nearest_reading(last, start), np.linspace(0, 1, steps))
    made = decode_conformers(first, codes, seed, starts=starts, relax=relax)
    heavy = [atom.GetIdx() for atom in made.GetAtoms() if atom.GetAtomicNum() > 1]
    rdMolAlign.AlignMolConformers(made, atomIds=heavy)
    return made


def read_posed(molecule: Chem.Mol) -> Chem.Mol:
    """Makes the molecule whose conformers are encoded, all hydrogens atoms.

    Raises:
        RowError: If it cannot be read, or has no 3D conformer.
    """
    mol = prepare(parse_source(as_source(molecule)), hydrogens=True).mol
    if not has_positions(mol):
        raise RowError("expected a molecule with 3D conformers, got none: molae.conformers", "no_positions")
    return mol


def _make_starts(mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
    """Embeddings, each relaxed unless that makes another isomer of it."""
    embedded = sample_etkdg(mol, n, seed)
    posed = with_positions(mol, embedded)
    relax_force_field(posed)
    relaxed = np.array([conformer.GetPositions() for conformer in posed.GetConformers()])
    return np.where(keep_configurations(mol, relaxed)[:, None, None], relaxed, embedded)


def _decode(
    mol: Chem.Mol,
    layout: CodeLayout,
    code: Float[np.ndarray, " 128"],
    start: Float[np.ndarray, "n 3"],
    order: Int[np.ndarray, " n"],
    relax: bool,
) -> Float[np.ndarray, "n 3"] | None:
    """A start that is read in an order, turned to the angles of a code; None if that is another isomer."""
    wanted = torsion_angles(layout, code[None])
    turned = turn_torsions(start[None, order], layout.torsions, wanted)[0]
    # What relaxation would make another isomer of, stays as it is.
    for pos in (_relax(mol, layout, code, turned), turned) if relax else (turned,):
        found = np.empty_like(pos)
        found[order] = pos
        if keep_configurations(mol, found[None])[0]:
            return found
    return None


def _relax(
    mol: Chem.Mol, layout: CodeLayout, code: Float[np.ndarray, " 128"], pos: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Relaxes turned positions, their angles held, and those of rings brought to the code's."""
    # An angle may be measured from a point between atoms; the force field wants atoms.
    turning = four_atoms(layout.torsions)
    held = np.concatenate([turning, four_atoms(layout.rings)])
    reached = measure_torsions(pos[None], fixed_torsions(turning.tolist(), len(pos)))
    angles = np.concatenate([reached, ring_angles(layout, code[None])], axis=1)[0]
    relaxed = relax_restrained(mol, pos, held, angles)
    return turn_torsions(relaxed[None], layout.torsions, torsion_angles(layout, code[None]))[0]


def _by_distance(readings: Readings, code: Float[np.ndarray, " 128"]) -> list[tuple[int, int]]:
    """Starts, the nearest first, each with its nearest reading of the right hand."""
    distances = start_distances(readings.codes, code)
    distances[~readings.right_hand()] = np.inf
    nearest = distances.argmin(axis=1)
    least = np.take_along_axis(distances, nearest[:, None], axis=1)[:, 0]
    return [(int(start), int(nearest[start])) for start in np.argsort(least, kind="stable")]


def _nearest_reading(mol: Chem.Mol, code: Float[np.ndarray, " 128"]) -> Float[np.ndarray, " 128"]:
    """The reading of the first conformer, of those of the right hand, that is nearest to a code."""
    readings = read(code_layout(mol), mol.GetConformer().GetPositions()[None])
    codes = readings.codes[readings.right_hand()]
    return codes[np.square(codes - code).sum(axis=1).argmin()]


def _checked(codes: object) -> Float[np.ndarray, "c 128"]:
    found = np.asarray(codes, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != CODE_SIZE:
        raise DataError(f"codes: expected an array of shape (n, {CODE_SIZE}), got {found.shape}")
    if not np.isfinite(found).all():
        raise DataError("codes: expected finite numbers")
    return found
