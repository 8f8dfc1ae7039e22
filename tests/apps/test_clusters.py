from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

import molae
from molae.chem.conformer_code import code_distances, code_layout
from molae.chem.isomers import with_positions
from molae.chem.readings import find_readings
from molae.errors import ConfigError, RowError


def test_wells_of_butane_are_groups() -> None:
    mol = molae.conformers("CCCC", n=20, relax="mmff", model="etkdg")
    clusters = molae.cluster_conformers(mol)
    angles = molae.embed_conformers(mol)[:, :2] @ np.array([1, 1j])
    assert clusters.labels.max() + 1 == len(clusters.centres)
    assert 2 <= len(clusters.centres) <= 3
    for group, centre in enumerate(clusters.centres):
        assert clusters.labels[centre] == group
        assert np.ptp(np.angle(angles[clusters.labels == group] / angles[centre])) < 0.2
    assert (np.diff(np.bincount(clusters.labels)) <= 0).all()


def test_readings_of_a_conformer_are_no_way_apart() -> None:
    mol = molae.conformers("COc1ccc(OCC)cc1", n=1, model="etkdg")
    pos = mol.GetConformer().GetPositions()
    read = pos[find_readings(mol)]
    assert len(read) == 2
    np.testing.assert_allclose(code_distances(code_layout(mol), read), 0, atol=1e-6)
    assert molae.cluster_conformers(with_positions(mol, read)).labels.tolist() == [0, 0]


def test_one_conformer_is_one_group() -> None:
    clusters = molae.cluster_conformers(molae.conformers("CCO", n=1, model="etkdg"))
    assert (clusters.labels.tolist(), clusters.centres.tolist()) == ([0], [0])


def test_wrong_usage_is_named() -> None:
    with pytest.raises(ConfigError, match="radius"):
        molae.cluster_conformers(molae.conformers("CCO", n=2, model="etkdg"), radius=0)
    with pytest.raises(RowError, match="3D conformers"):
        molae.cluster_conformers(Chem.MolFromSmiles("CCO"))
