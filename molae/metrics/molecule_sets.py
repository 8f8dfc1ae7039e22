"""How alike two sets of molecules are, and how varied one is.

Some of the figures of the MOSES benchmark (Polykovskiy et al. 2020, arXiv:1811.12823).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import Descriptors, rdFingerprintGenerator
from scipy.stats import wasserstein_distance

PROPERTIES = {"weight": "MolWt", "logp": "MolLogP", "qed": "qed"}
_RADIUS, _BITS = 2, 1024


def compare_molecules(first: Sequence[Chem.Mol], second: Sequence[Chem.Mol]) -> dict[str, float]:
    """Compares two sets of molecules by their properties.

    Args:
        first: Sanitised molecules.
        second: Likewise.
    Returns:
        `weight_distance`, in Da, `logp_distance` and `qed_distance`: Wasserstein distances of the
        distributions, 0 for equal ones; and `diversity`, the mean Tanimoto distance between different
        molecules of `second` by Morgan fingerprints of radius 2, NaN for a single one.
    Raises:
        ValueError: If a set is empty.
    """
    if not first or not second:
        raise ValueError(f"expected two sets of molecules, got {len(first)} and {len(second)}")
    distances = {
        f"{name}_distance": float(wasserstein_distance(_values(first, known), _values(second, known)))
        for name, known in PROPERTIES.items()
    }
    return {**distances, "diversity": _diversity(second)}


def is_whole(mol: Chem.Mol) -> bool:
    """Whether a molecule is of one piece and has no unpaired electrons: RDKit finds others valid, too."""
    return len(Chem.GetMolFrags(mol)) == 1 and not Descriptors.NumRadicalElectrons(mol)


def _values(mols: Sequence[Chem.Mol], descriptor: str) -> list[float]:
    function = dict(Descriptors.descList)[descriptor]
    return [function(mol) for mol in mols]


def _diversity(mols: Sequence[Chem.Mol]) -> float:
    generator = rdFingerprintGenerator.GetMorganGenerator(_RADIUS, fpSize=_BITS)
    prints = generator.GetFingerprints(list(mols))
    alike = [DataStructs.BulkTanimotoSimilarity(each, prints[:i]) for i, each in enumerate(prints)]
    pairs = np.concatenate(alike)
    return 1.0 - float(pairs.mean()) if len(pairs) else float("nan")
