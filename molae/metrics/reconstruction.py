"""How well decoded molecules agree with their originals: exactness, stereo, and symmetry-corrected RMSDs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.chem.automorphisms import DEFAULT_LIMIT, isomorphisms, same_stereo
from molae.chem.rmsd import rmsd_as_posed, rmsd_superposed
from molae.chem.stereo import assign_stereo_from_positions, has_positions

NAN = float("nan")


@dataclass(frozen=True)
class Reconstruction:
    """What one decoded molecule shares with its reference.

    Attributes:
        decoded: Whether the decoder gave a molecule at all.
        sanitised: Whether RDKit sanitises it.
        exact_graph: Same elements, charges, hydrogens and bonds.
        exact: Same canonical isomeric SMILES.
        has_stereo: Whether the reference has a stereocentre or double bond to get wrong.
        rmsd_action: Heavy-atom RMSD as posed, no refit, least over the automorphisms, in Å; NaN where the
            graphs differ, or one of the two molecules has no positions.
        rmsd_aligned: The same after the best proper rigid motion.
    """

    decoded: bool = False
    sanitised: bool = False
    exact_graph: bool = False
    exact: bool = False
    has_stereo: bool = False
    rmsd_action: float = NAN
    rmsd_aligned: float = NAN

    @property
    def stereo_correct(self) -> bool:
        """Whether, the graph being right, every configuration is right too."""
        return self.exact


def compare(
    decoded: Chem.Mol | None, reference: Chem.Mol, max_automorphisms: int = DEFAULT_LIMIT
) -> Reconstruction:
    """Compares a decoded molecule with its reference; the atom order of the decoded one is free.

    Stereo is read from the positions of both (from the tags, where a molecule has no positions), and
    hydrogens that are atoms are treated as in `molae.chem.parse.prepare`. Where canonical SMILES differ on
    equal graphs, an isomorphism that keeps every configuration counts as equal too: RDKit's canonical
    SMILES of about 1 in 10,000 small cages depends on the numbering.

    Args:
        decoded: Decoded molecule, or None for a failed decode.
        reference: Molecule as it went into the encoder.
        max_automorphisms: Most isomorphisms enumerated for the RMSDs. Of a molecule with more, that many
            random ones are tried, so that its RMSDs are upper bounds.
    Returns:
        The comparison; a failed decode has every flag false.
    """
    reference = _as_positioned(reference)
    isomeric = Chem.MolToSmiles(reference)
    reference_graph = _skeleton(reference)
    graph = Chem.MolToSmiles(reference_graph, isomericSmiles=False)
    has_stereo = any(mark in isomeric for mark in "@/\\")
    clean = _sanitised(decoded)
    if clean is None:
        return Reconstruction(decoded=decoded is not None, has_stereo=has_stereo)
    clean = _as_positioned(clean)
    decoded_graph = _skeleton(clean)
    if Chem.MolToSmiles(decoded_graph, isomericSmiles=False) != graph:
        return Reconstruction(decoded=True, sanitised=True, has_stereo=has_stereo)
    action, aligned = _rmsds(decoded_graph, reference_graph, max_automorphisms)
    return Reconstruction(
        decoded=True,
        sanitised=True,
        exact_graph=True,
        exact=Chem.MolToSmiles(clean) == isomeric or same_stereo(clean, reference),
        has_stereo=has_stereo,
        rmsd_action=action,
        rmsd_aligned=aligned,
    )


def summarise(reconstructions: Sequence[Reconstruction]) -> dict[str, float]:
    """Gathers the figures of the reconstruction protocol; a failed decode counts as not exact.

    Args:
        reconstructions: One comparison for each molecule of the test set, failed ones included.
    Returns:
        `count`; `failed` (no molecule that RDKit sanitises); over all molecules `exact_rate`,
        `exact_graph_rate` and `sanitised_rate`; over the `stereo_count` molecules of right graph whose
        reference has stereo `stereo_correct_rate`; over the `rmsd_count` molecules of right graph mean and
        median of both RMSDs in Å. NaN where there is nothing to average.
    """
    with_stereo = [r for r in reconstructions if r.exact_graph and r.has_stereo]
    posed = [r for r in reconstructions if not np.isnan(r.rmsd_action)]
    return {
        "count": len(reconstructions),
        "failed": sum(not r.sanitised for r in reconstructions),
        "exact_rate": _over(np.mean, [r.exact for r in reconstructions]),
        "exact_graph_rate": _over(np.mean, [r.exact_graph for r in reconstructions]),
        "sanitised_rate": _over(np.mean, [r.sanitised for r in reconstructions]),
        "stereo_count": len(with_stereo),
        "stereo_correct_rate": _over(np.mean, [r.stereo_correct for r in with_stereo]),
        "rmsd_count": len(posed),
        "rmsd_action_mean": _over(np.mean, [r.rmsd_action for r in posed]),
        "rmsd_action_median": _over(np.median, [r.rmsd_action for r in posed]),
        "rmsd_aligned_mean": _over(np.mean, [r.rmsd_aligned for r in posed]),
        "rmsd_aligned_median": _over(np.median, [r.rmsd_aligned for r in posed]),
    }


def _over(statistic: Callable[[Sequence[float]], np.floating], values: Sequence[float]) -> float:
    return float(statistic(values)) if values else NAN


def _sanitised(mol: Chem.Mol | None) -> Chem.Mol | None:
    if mol is None:
        return None
    mol = Chem.Mol(mol)
    failure = Chem.SanitizeMol(mol, catchErrors=True)
    return None if failure else mol


def _as_positioned(mol: Chem.Mol) -> Chem.Mol:
    """The molecule with the stereo of its positions, and no more explicit hydrogens than that needs."""
    if has_positions(mol):
        mol = assign_stereo_from_positions(mol)
    if not _hydrogens(mol):
        return mol
    # RDKit warns of hydrogens that a decoder left without a neighbour.
    with BlockLogs():
        return Chem.RemoveHs(mol)


def _skeleton(mol: Chem.Mol) -> Chem.Mol:
    """The molecule without the hydrogens that define the geometry of a double bond."""
    if not _hydrogens(mol):
        return mol
    every = Chem.RemoveHsParameters()
    every.removeDefiningBondStereo = True  # type: ignore[assignment]  # RDKit's stub is wrong
    with BlockLogs():
        return Chem.RemoveHs(mol, every)


def _hydrogens(mol: Chem.Mol) -> bool:
    return any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms())


def _rmsds(decoded: Chem.Mol, reference: Chem.Mol, limit: int) -> tuple[float, float]:
    if not (has_positions(decoded) and has_positions(reference)):
        return NAN, NAN
    orders = isomorphisms(reference, decoded, limit)
    source, target = _positions(decoded), _positions(reference)
    return rmsd_as_posed(source, target, orders), rmsd_superposed(source, target, orders)


def _positions(mol: Chem.Mol) -> Float[np.ndarray, "n 3"]:
    return mol.GetConformer().GetPositions()
