"""3D conformers for molecules that come without: the same ones for every spelling of a molecule."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

from molae.chem.automorphisms import isomorphisms
from molae.chem.force_field import relax_force_field
from molae.chem.rmsd import rmsd_superposed
from molae.chem.stereo import assign_stereo_from_positions, has_other_stereo
from molae.errors import RowError

TIMEOUT = 30
# Tries for each conformer asked for, and settings of ETKDGv3, in turn. Large molecules need random
# coordinates. Strained cages need bare distance geometry: RDKit's checks of stereocentres refuse good
# geometries of them, and its knowledge of torsions works against them; so the right isomer is left to chance.
ATTEMPTS: tuple[tuple[int, dict[str, int]], ...] = (
    (1, {"maxIterations": 50}),
    (1, {"useRandomCoords": True}),
    (
        20,
        {
            "useRandomCoords": True,
            "enforceChirality": False,
            "useBasicKnowledge": False,
            "useExpTorsionAnglePrefs": False,
        },
    ),
)
# Conformer k of a run takes its seed plus k: the runs of neighbouring seeds must not share them.
SEED_STRIDE = 10_007
# Conformers nearer than this to one another are one minimum, in Å.
DISTINCT_RMSD = 0.125
EXCEEDED_TIMEOUT = int(rdDistGeom.EmbedFailureCauses.EXCEEDED_TIMEOUT)
"""Place among the failure counts of an embedding."""


def embed_conformer(
    mol: Chem.Mol, seed: int = 0, timeout: int = TIMEOUT, relax: bool = True, hydrogens: bool = False
) -> Chem.Mol:
    """Gives a molecule one 3D conformer, the same whatever its atom order.

    ETKDGv3 (Wang 2020, doi:10.1021/acs.jcim.0c00025) on the molecule read back from its canonical SMILES,
    then MMFF94s, or UFF where MMFF94s lacks parameters, or neither where both do. Where the stereo was left
    open, the seed decides. Enantiomers get mirror images of one conformer.

    Args:
        mol: Molecule as `prepare` leaves it; a conformer that it has is ignored.
        seed: Seed of the embedding.
        timeout: Most seconds for each attempt, of which there are three.
        relax: Whether to relax the embedded geometry.
        hydrogens: Whether to keep all hydrogens as atoms; the conformer is the same with and without.
    Returns:
        A copy with one conformer in Å and the stereo of it. Atoms are in the order of `prepare(mol).mol`
        (bonds need not be); behind them hydrogens that define a double bond whose geometry was open, or all
        hydrogens, in the order of the atoms that bear them, which is that of RDKit's `AddHs`.
    Raises:
        RowError: `embed_failed`, `embed_timeout`, or `stereo_mismatch` where the geometry is another isomer.
    """
    return embed_conformers(mol, 1, seed, timeout, relax, hydrogens)[0]


def embed_conformers(
    mol: Chem.Mol,
    n: int,
    seed: int = 0,
    timeout: int = TIMEOUT,
    relax: bool = True,
    hydrogens: bool = False,
) -> list[Chem.Mol]:
    """Gives a molecule up to `n` distinct 3D conformers, as `embed_conformer` gives one.

    Args:
        mol: Molecule as `prepare` leaves it.
        n: Number of conformers to try.
        seed: Seed of the embedding.
        timeout: Most seconds for each attempt.
        relax: Whether to relax the embedded geometries.
        hydrogens: Whether to keep all hydrogens as atoms.
    Returns:
        One molecule for each conformer that is more than 0.125 Å of heavy-atom RMSD from those before it.
        Conformers of the wrong isomer are left out.
    Raises:
        RowError: As `embed_conformer`, if no conformer is left.
    """
    canonical, order, reflected = _canonical_hand(Chem.RemoveHs(mol))
    for tries, settings in ATTEMPTS:
        parameters = etkdg_parameters(seed, timeout, **settings)
        try:
            with BlockLogs():
                full = _embed(canonical, n, tries * n, parameters, relax)
            full = [_reflect(each) for each in full] if reflected else full
            bare = [Chem.RemoveHs(each) for each in full]
            return [_renumbered((full if hydrogens else bare)[i], order) for i in _distinct(bare)]
        except RowError as error:
            failure = error
            if failure.kind == "embed_timeout" and parameters.useRandomCoords:
                break
    raise failure


def _canonical_hand(mol: Chem.Mol) -> tuple[Chem.Mol, Int[np.ndarray, "n"], bool]:
    """The canonical reading (see `_canonical`) of the molecule or of its mirror image, first by alphabet.

    Returns:
        The molecule to embed, the order of its atoms, and whether it is the mirror image.
    """
    canonical, order = _canonical(mol)
    tags = {atom.GetChiralTag() for atom in mol.GetAtoms()} - {Chem.ChiralType.CHI_UNSPECIFIED}
    if not tags or has_other_stereo(mol):
        return canonical, order, False
    image = Chem.Mol(mol)
    for atom in image.GetAtoms():
        atom.InvertChirality()
    mirrored, mirrored_order = _canonical(image)
    if Chem.MolToSmiles(canonical) <= Chem.MolToSmiles(mirrored):
        return canonical, order, False
    return mirrored, mirrored_order, True


def _reflect(mol: Chem.Mol) -> Chem.Mol:
    """The molecule with all positions negated, and the stereo of these."""
    image = Chem.Mol(mol)
    image.GetConformer().SetPositions(-mol.GetConformer().GetPositions())
    return assign_stereo_from_positions(image)


def _canonical(mol: Chem.Mol) -> tuple[Chem.Mol, Int[np.ndarray, "n"]]:
    """Reads the molecule back from its canonical SMILES; `order[i]` is the atom of `mol` that is now atom i.

    The canonical SMILES of some small cages changes when it is read and written again, once or for ever:
    hence the loop, to the SMILES that reads back as itself, or the first by alphabet of those that alternate.
    """
    reader = Chem.SmilesParserParams()
    reader.removeHs = False  # type: ignore[assignment]  # RDKit's stub is wrong
    order = np.arange(mol.GetNumAtoms())
    seen: dict[str, tuple[Chem.Mol, Int[np.ndarray, "n"]]] = {}
    while (smiles := Chem.MolToSmiles(mol)) not in seen:
        written = mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]
        mol, order = Chem.MolFromSmiles(smiles, reader), order[list(written)]
        seen[smiles] = mol, order
    rounds = list(seen)
    return seen[min(rounds[rounds.index(smiles) :])]


def _embed(
    canonical: Chem.Mol, n: int, tries: int, parameters: rdDistGeom.EmbedParameters, relax: bool
) -> list[Chem.Mol]:
    """Makes up to `n` conformers of the right isomer, each a molecule, all hydrogens atoms."""
    full = Chem.AddHs(canonical)
    try:
        # The identifier of a try that ran out of time is -1.
        identifiers = [i for i in rdDistGeom.EmbedMultipleConfs(full, tries, parameters) if i >= 0]
    except (RuntimeError, ValueError) as error:
        raise RowError(f"no 3D conformer: {error}", "embed_failed") from error
    if not identifiers and parameters.GetFailureCounts()[EXCEEDED_TIMEOUT]:
        raise RowError(f"no 3D conformer within {parameters.timeout} s", "embed_timeout")
    if not identifiers:
        raise RowError("no 3D conformer: the geometry cannot be built", "embed_failed")
    posed = [assign_stereo_from_positions(Chem.Mol(full, confId=identifier)) for identifier in identifiers]
    right = [each for each in posed if _is_isomer(each, canonical)][:n]
    if not right:
        raise RowError("every embedded geometry is another stereoisomer than the input", "stereo_mismatch")
    return [_relaxed(each, canonical) if relax else each for each in right]


def etkdg_parameters(seed: int, timeout: int, **settings: int) -> rdDistGeom.EmbedParameters:
    """Settings of ETKDGv3: conformer k of a run is the same however many are asked for.

    Args:
        seed: Seed; the runs of two seeds share no conformer.
        timeout: Most seconds for a conformer, 0 for any.
        settings: Other settings, by the names of RDKit's `EmbedParameters`.
    Returns:
        The settings.
    """
    parameters = rdDistGeom.ETKDGv3()
    settings |= {
        # Else conformer k takes (k + 1) times the seed: with seed 0, all the same.
        "enableSequentialRandomSeeds": True,
        "randomSeed": seed % (2**31 // SEED_STRIDE) * SEED_STRIDE,
        "timeout": timeout,
        "trackFailures": True,
    }
    for name, value in settings.items():
        setattr(parameters, name, value)
    return parameters


def _relaxed(mol: Chem.Mol, canonical: Chem.Mol) -> Chem.Mol:
    """The molecule, relaxed if there are parameters and its configurations survive it."""
    full = Chem.Mol(mol)
    relax_force_field(full)
    full = assign_stereo_from_positions(full)
    return full if _is_isomer(full, canonical) else mol


def _is_isomer(full: Chem.Mol, canonical: Chem.Mol) -> bool:
    """Whether `full` has every configuration that `canonical` specifies."""
    # With its hydrogens, the ways to exchange them would all be tried on a wrong isomer.
    return Chem.RemoveHs(full).HasSubstructMatch(canonical, useChirality=True)


def _distinct(mols: list[Chem.Mol]) -> list[int]:
    """Places of those that differ from all before them."""
    kept: list[int] = []
    for place, mol in enumerate(mols):
        if all(_distance(mol, mols[other]) > DISTINCT_RMSD for other in kept):
            kept.append(place)
    return kept


def _distance(mol: Chem.Mol, other: Chem.Mol) -> float:
    """Least RMSD after superposition, in Å; infinite between isomers that differ in the hydrogens kept."""
    orders = isomorphisms(mol, other)
    if not len(orders):
        return float("inf")
    return rmsd_superposed(other.GetConformer().GetPositions(), mol.GetConformer().GetPositions(), orders)


def _renumbered(mol: Chem.Mol, order: Int[np.ndarray, "n"]) -> Chem.Mol:
    """Back to the input's atom order, hydrogens that were added behind, in the order of what bears them."""
    added = range(len(order), mol.GetNumAtoms())
    behind = sorted(added, key=lambda i: order[mol.GetAtomWithIdx(i).GetNeighbors()[0].GetIdx()])
    return Chem.RenumberAtoms(mol, [*np.argsort(order).tolist(), *behind])
