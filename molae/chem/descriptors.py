"""The usual features of molecules that need no trained model: RDKit's descriptors and fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import Descriptors, rdFingerprintGenerator
from rdkit.rdBase import BlockLogs

ECFP_SIZE = 2048
ECFP_RADIUS = 2  # ECFP4
FINGERPRINT_KINDS = 5
"""Kinds of fingerprints that `fingerprint_counts` puts side by side, each of as many counts."""
FINGERPRINT_SIZE = FINGERPRINT_KINDS * 1024

_KNOWN = dict(Descriptors.descList)

#: Names of all descriptors of this RDKit, in its order.
DESCRIPTOR_NAMES = tuple(_KNOWN)

#: Those that a model may be taught: without the ones that grow beyond all bounds or take longest.
TAUGHT_DESCRIPTORS = tuple(name for name in _KNOWN if name != "Ipc" and not name.startswith("BCUT2D_"))


def descriptors(mol: Chem.Mol, names: Sequence[str] = DESCRIPTOR_NAMES) -> Float[np.ndarray, " d"]:
    """RDKit's 2D descriptors.

    Args:
        mol: Sanitised molecule; a conformer does not matter.
        names: Which, each one of `DESCRIPTOR_NAMES`.
    Returns:
        A float32 number for each name; NaN where RDKit gives none, or none that float32 can hold.
    Raises:
        KeyError: If RDKit has no descriptor of a name.

    >>> descriptors(Chem.MolFromSmiles("CCO"), ["NumHDonors", "RingCount"]).tolist()
    [1.0, 0.0]
    """
    with BlockLogs():
        values = np.array([_value(name, mol) for name in names], dtype=np.float64)
    values[~(np.abs(values) <= np.finfo(np.float32).max)] = np.nan
    return values.astype(np.float32)


def ecfp_counts(mol: Chem.Mol) -> Float[np.ndarray, " d"]:
    """How often each Morgan environment of up to `ECFP_RADIUS` bonds occurs, hashed (ECFP4 counts).

    Args:
        mol: Sanitised molecule.
    Returns:
        `ECFP_SIZE` counts, float32.
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=ECFP_RADIUS, fpSize=ECFP_SIZE)
    return generator.GetCountFingerprintAsNumPy(mol).astype(np.float32)


def fingerprint_counts(mol: Chem.Mol) -> Float[np.ndarray, " d"]:
    """Counts of five kinds of fingerprints: Morgan (radius 2), pairs of atoms and topological torsions; then
    Morgan and pairs of atoms by what atoms can do (donor, acid, aromatic, ...) instead of what they are. All
    but the last tell stereo.

    Args:
        mol: Sanitised molecule, in any order.
    Returns:
        `FINGERPRINT_SIZE` counts, float32, one kind after the other.
    """
    # The order of the atoms matters to torsions through rings of three, and stereo is read off its labels.
    canonical = Chem.MolFromSmiles(Chem.MolToSmiles(mol)) or mol
    counts = [generator.GetCountFingerprintAsNumPy(canonical) for generator in _fingerprint_generators()]
    return np.concatenate(counts).astype(np.float32)


@cache
def _fingerprint_generators() -> tuple[rdFingerprintGenerator.FingerprintGenerator64, ...]:
    size = FINGERPRINT_SIZE // FINGERPRINT_KINDS
    make = rdFingerprintGenerator
    features = make.GetMorganFeatureAtomInvGen()
    return (
        make.GetMorganGenerator(radius=2, fpSize=size, includeChirality=True),
        make.GetAtomPairGenerator(fpSize=size, includeChirality=True),
        make.GetTopologicalTorsionGenerator(fpSize=size, includeChirality=True),
        make.GetMorganGenerator(
            radius=2, fpSize=size, includeChirality=True, atomInvariantsGenerator=features
        ),
        make.GetAtomPairGenerator(fpSize=size, atomInvariantsGenerator=features),
    )


def _value(name: str, mol: Chem.Mol) -> float:
    try:
        return float(_KNOWN[name](mol))
    except KeyError:
        raise
    except Exception:  # whatever a descriptor may come up with on an unusual molecule
        return float("nan")
