import math

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolAlign

from molae.chem.conformers import embed_conformer
from molae.chem.featurise import featurise
from molae.chem.parse import parse_smiles, prepare
from molae.chem.rebuild import rebuild
from molae.chem.vocabulary import ELEMENTS
from molae.metrics.reconstruction import compare, summarise

SMILES = [
    "C[C@H](N)C(=O)O",
    "F/C=C/Cl",
    "[H]/N=C/[C@H](F)Cl",
    "c1ccccc1C(F)(F)F",
    "CC(=O)[O-]",
    "O=C=O",
    "C",
    "[CH2]C",
]


def posed(smiles: str) -> Chem.Mol:
    return embed_conformer(prepare(parse_smiles(smiles)).mol)


def moved(mol: Chem.Mol, shift: np.ndarray, flip: float = 1) -> Chem.Mol:
    mol = Chem.Mol(mol)
    conformer = mol.GetConformer()
    for atom, position in enumerate(conformer.GetPositions() * [1, 1, flip] + shift):
        conformer.SetAtomPosition(atom, position.tolist())
    return mol


def shuffled(mol: Chem.Mol, seed: int) -> Chem.Mol:
    return Chem.RenumberAtoms(mol, np.random.default_rng(seed).permutation(mol.GetNumAtoms()).tolist())


@pytest.mark.parametrize("smiles", SMILES)
def test_a_renumbered_copy_is_exact(smiles: str) -> None:
    mol = posed(smiles)
    for seed in range(5):
        result = compare(shuffled(mol, seed), mol)
        assert result.exact
        assert result.exact_graph
        assert result.stereo_correct
        assert result.sanitised
        assert result.rmsd_action < 1e-9
        assert result.rmsd_aligned < 1e-6


def test_a_shift_shows_in_the_action_only() -> None:
    mol = posed("C[C@H](N)C(=O)O")
    result = compare(shuffled(moved(mol, np.array([0.0, 0.6, 0.0])), 0), mol)
    assert result.rmsd_action == pytest.approx(0.6)
    assert result.rmsd_aligned < 1e-6


def test_the_mirror_image_has_the_graph_only() -> None:
    mol = posed("C[C@H](N)C(=O)O")
    result = compare(moved(mol, np.zeros(3), flip=-1), mol)
    assert result.exact_graph
    assert result.has_stereo
    assert not result.stereo_correct
    assert not result.exact
    assert result.rmsd_aligned > 0.1


def test_stereo_is_read_from_positions_whatever_the_tags_say() -> None:
    mol = posed("C[C@H](N)C(=O)O")
    untagged = Chem.Mol(mol)
    Chem.RemoveStereochemistry(untagged)
    assert compare(untagged, mol).exact
    assert compare(mol, untagged).exact


def test_explicit_hydrogens_do_not_count() -> None:
    mol = posed("C[C@H](N)C(=O)O")
    result = compare(Chem.AddHs(mol, addCoords=True), mol)
    assert result.exact
    assert result.rmsd_action < 1e-9


@pytest.mark.parametrize("smiles", ["C", "CCO", "C[C@H](N)C(=O)O", "c1ccccc1"])
def test_hydrogens_as_nodes_go_through_arrays_and_back(smiles: str) -> None:
    mol = embed_conformer(prepare(parse_smiles(smiles), hydrogens=True).mol, hydrogens=True)
    graph = featurise(mol)
    assert len(graph) == mol.GetNumAtoms() > mol.GetNumHeavyAtoms()
    order = np.random.default_rng(0).permutation(len(graph))
    nodes, edges, pos = graph.nodes[order], graph.edges[np.ix_(order, order)], graph.pos[order]
    back = compare(rebuild(nodes, edges, pos), mol)
    assert back.exact
    assert back.rmsd_action < 1e-9
    heavy = nodes[:, 0] != ELEMENTS.index("H")
    stretched = np.where(heavy[:, None], pos, pos * 1.01)
    assert compare(rebuild(nodes, edges, stretched), mol).rmsd_action < 1e-9, (
        "hydrogens do not count for the RMSD"
    )
    assert not compare(rebuild(nodes[heavy], edges[np.ix_(heavy, heavy)], pos[heavy]), mol).exact_graph


def test_a_hydrogen_without_a_neighbour_is_an_error_and_no_noise(capfd: pytest.CaptureFixture) -> None:
    lone = rebuild(np.array([[2, 0, 4, 0], [0, 0, 0, 1]]), np.zeros((2, 2), dtype=int), np.eye(2, 3))
    assert not compare(lone, posed("C")).exact_graph
    assert capfd.readouterr().err == ""


def test_the_hydrogen_of_an_imine_is_stereo_and_not_graph() -> None:
    mol = posed("[H]/N=C/[C@H](F)Cl")
    bare = Chem.RemoveAllHs(mol)
    result = compare(bare, mol)
    assert result.exact_graph
    assert not result.exact
    assert result.rmsd_action < 1e-9


def test_another_graph_has_no_rmsd() -> None:
    result = compare(posed("CCO"), posed("CCN"))
    assert result.sanitised
    assert not result.exact_graph
    assert not result.exact
    assert math.isnan(result.rmsd_action)
    assert math.isnan(result.rmsd_aligned)


def test_charge_counts() -> None:
    assert not compare(posed("CC(=O)O"), posed("CC(=O)[O-]")).exact_graph


def test_failed_and_broken_decodes() -> None:
    reference = posed("CCO")
    failed = compare(None, reference)
    assert not any((failed.decoded, failed.sanitised, failed.exact_graph, failed.exact))
    broken = Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False)
    result = compare(broken, reference)
    assert result.decoded
    assert not result.sanitised
    assert not result.exact


def test_without_positions_the_tags_count() -> None:
    first, second = (Chem.MolFromSmiles(s) for s in ("C[C@H](F)Cl", "C[C@@H](F)Cl"))
    assert compare(first, first).exact
    assert not compare(second, first).exact
    assert math.isnan(compare(first, first).rmsd_action)


def test_cages_are_exact_in_every_numbering() -> None:
    cage = posed("C1[C@H]2C[C@@H]1[C@@H]1C[C@H]2C1")
    assert all(compare(shuffled(cage, seed), cage).exact for seed in range(30))


def test_superposition_agrees_with_rdkit() -> None:
    rng = np.random.default_rng(0)
    mol = posed("CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O")
    noisy = moved(mol, rng.normal(size=(mol.GetNumAtoms(), 3)) * 0.3)
    best = rdMolAlign.GetBestRMS(Chem.Mol(noisy), mol, symmetrizeConjugatedTerminalGroups=False)
    assert compare(noisy, mol).rmsd_aligned == pytest.approx(best, abs=1e-6)


def test_summary_counts_failures() -> None:
    mol = posed("C[C@H](N)C(=O)O")
    mirrored = moved(mol, np.zeros(3), flip=-1)
    shifted = moved(mol, np.array([0.5, 0, 0]))
    summary = summarise([compare(each, mol) for each in (mol, shifted, mirrored, None)])
    assert summary["count"] == 4
    assert summary["failed"] == 1
    assert summary["exact_rate"] == 0.5
    assert summary["exact_graph_rate"] == summary["sanitised_rate"] == 0.75
    assert summary["stereo_count"] == summary["rmsd_count"] == 3
    assert summary["stereo_correct_rate"] == pytest.approx(2 / 3)
    assert summary["rmsd_action_median"] == pytest.approx(0.5)


def test_summary_of_nothing() -> None:
    summary = summarise([])
    assert summary["count"] == 0
    assert math.isnan(summary["exact_rate"])
