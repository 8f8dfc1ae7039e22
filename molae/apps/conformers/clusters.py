"""Conformers of a molecule in groups of similar codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from rdkit import Chem

from molae.apps.conformers.codes import read_posed
from molae.chem.conformer_code import code_distances, code_layout
from molae.errors import ConfigError

RADIUS = 1.0
"""Mean distance of codes within which conformers are similar, unless told: that of a bond turned by 60°."""


@dataclass(frozen=True)
class Clusters:
    """Groups of conformers.

    Attributes:
        labels: Group of each conformer, from 0, the largest group first.
        centres: For each group, the place of the conformer with the least mean distance to the others of it.
    """

    labels: Int[np.ndarray, " c"]
    centres: Int[np.ndarray, " g"]


def cluster_conformers(molecule: Chem.Mol, radius: float = RADIUS) -> Clusters:
    """Groups the conformers of a molecule by their codes.

    Agglomerative clustering by mean distance (scikit-learn), the distance of two conformers the least over
    the readings that symmetry allows (`molae.chem.conformer_code.code_distances`). One bond that is turned by
    an angle α puts codes 2 sin(α / 2) apart; for several bonds, the squares add up.

    Args:
        molecule: RDKit molecule with 3D conformers, as for `molae.embed_conformers`.
        radius: Largest mean distance between the codes of two groups that become one.
    Returns:
        The groups.
    Raises:
        RowError: As `molae.embed_conformers`.
        ConfigError: If the radius is not above 0.

    >>> import molae
    >>> clusters = molae.cluster_conformers(molae.conformers("CCCC", n=8, model="etkdg"))
    >>> len(clusters.labels), len(clusters.centres) <= 3
    (8, True)
    """
    from sklearn.cluster import AgglomerativeClustering

    if not radius > 0:
        raise ConfigError(f"radius: expected a number above 0, got {radius}")
    mol = read_posed(molecule)
    positions = np.array([conformer.GetPositions() for conformer in mol.GetConformers()])
    distances = code_distances(code_layout(mol), positions)
    if len(distances) == 1:
        return Clusters(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    fitted = AgglomerativeClustering(
        n_clusters=None, distance_threshold=radius, metric="precomputed", linkage="average"
    ).fit(distances)
    sizes = np.bincount(fitted.labels_)
    order = np.argsort(-sizes, kind="stable")
    labels = np.argsort(order, kind="stable")[fitted.labels_]
    members = [np.flatnonzero(labels == group) for group in range(len(order))]
    centres = [each[distances[np.ix_(each, each)].mean(axis=1).argmin()] for each in members]
    return Clusters(labels, np.array(centres, dtype=np.int64))
