import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molae.chem.stereo import assign_stereo_from_positions, has_positions
from molae.errors import RowError

CHIRAL = ["F[C@](Cl)(Br)I", "C[C@H](N)C(=O)O", "F/C=C/F", "F/C=C\\F", "C[C@H]1C[C@@H](F)C1", "[H]/N=C/C"]


def embedded(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    return Chem.RemoveHs(mol)


@pytest.mark.parametrize("smiles", CHIRAL)
def test_stereo_comes_from_heavy_atoms_alone(smiles: str) -> None:
    mol = embedded(smiles)
    Chem.RemoveStereochemistry(mol)
    assert Chem.MolToSmiles(assign_stereo_from_positions(mol)) == Chem.CanonSmiles(smiles)


def test_marks_that_the_molecule_had_do_not_survive() -> None:
    mol = embedded("F/C=C/F")
    mol.GetBondWithIdx(1).SetStereo(Chem.BondStereo.STEREOANY)
    assert Chem.MolToSmiles(assign_stereo_from_positions(mol)) == "F/C=C/F"
    assert mol.GetBondWithIdx(1).GetStereo() == Chem.BondStereo.STEREOANY, "the argument is left as it was"


def test_mirror_image_gets_the_other_configuration() -> None:
    mol = embedded("C[C@H](N)C(=O)O")
    conformer = mol.GetConformer()
    for atom, position in enumerate(conformer.GetPositions() * [1, 1, -1]):
        conformer.SetAtomPosition(atom, position.tolist())
    assert Chem.MolToSmiles(assign_stereo_from_positions(mol)) == Chem.CanonSmiles("C[C@@H](N)C(=O)O")


def test_without_positions_it_refuses() -> None:
    mol = Chem.MolFromSmiles("CC")
    assert not has_positions(mol)
    with pytest.raises(RowError, match="3D conformer") as caught:
        assign_stereo_from_positions(mol)
    assert caught.value.kind == "no_positions"
