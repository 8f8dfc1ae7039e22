import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from molae.chem.parse import MAX_ATOMS, MAX_CHARACTERS, Prepared, parse_smiles, prepare, prepare_smiles
from molae.chem.written import write
from molae.errors import RowError


def prepared(smiles: str) -> Prepared:
    return prepare(parse_smiles(smiles))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \t", "empty"),
        ("foo", "unparsable"),
        ("C1CC", "unparsable"),
        ("CC>>CC", "unparsable"),
        ("CC\x00C", "unparsable"),
        ("\udcff\udcfe", "unparsable"),
        ("PK\x03\x04", "unparsable"),
        ("C" * (MAX_CHARACTERS + 1), "too_large"),
        ("c1cc1", "invalid"),
        ("C(C)(C)(C)(C)C", "invalid"),
        ("*CC", "dummy_atom"),
        ("C[*:1]", "dummy_atom"),
        # RDKit would take hours to find bonds for so many.
        ("c1" + "*" * 40 + "c1", "dummy_atom"),
        ("c1" + "[#0]" * 40 + "c1", "dummy_atom"),
        ("C~C", "query_bond"),
        ("C" * (MAX_ATOMS + 1), "too_large"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    text: str | None, kind: str, capfd: pytest.CaptureFixture
) -> None:
    with pytest.raises(RowError) as caught:
        prepare(parse_smiles(text))
    assert caught.value.kind == kind
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 200
    assert capfd.readouterr().err == "", "RDKit's messages belong into the reason"


def test_the_reason_is_rdkits_own() -> None:
    with pytest.raises(RowError, match="unclosed ring"):
        parse_smiles("C1CC")
    with pytest.raises(RowError, match="near position 3"):
        parse_smiles("CC>C")
    with pytest.raises(RowError, match=r"valence for atom # 0 C, 5"):
        parse_smiles("C(C)(C)(C)(C)C")


@given(st.text(max_size=30))
def test_junk_is_read_or_refused(text: str) -> None:
    try:
        prepare(parse_smiles(text))
    except RowError as error:
        assert error.reason  # noqa: PT017  # most of these raise, some do not


@pytest.mark.parametrize(
    ("smiles", "result", "note"),
    [
        ("CC(=O)[O-].[Na+]", "CC(=O)[O-]", "fragments removed: [Na+]"),
        ("CN.OS(=O)(=O)O.O", "CN", "fragments removed: O.O=S(=O)(O)O"),
        ("[Na+].[Cl-]", "[Cl-]", "fragments removed: [Na+]"),
        ("[2H]C([2H])([2H])O", "CO", "isotope labels dropped"),
        ("C[C@@]([2H])(O)[H]", "CCO", "isotope labels dropped"),
        ("[CH3:2][OH:1]", "CO", "atom map numbers dropped"),
        ("CC[C@H](C)O |o1:2|", "CC[C@H](C)O", "enhanced stereo groups read as drawn"),
        ("CC(O)F", "CC(O)F", "stereo left open in 1 place: one isomer is taken"),
        ("CC=CC(O)F", "CC=CC(O)F", "stereo left open in 2 places: one isomer is taken"),
    ],
)
def test_changes_are_noted(smiles: str, result: str, note: str) -> None:
    molecule = prepared(smiles)
    assert Chem.MolToSmiles(molecule.mol) == Chem.CanonSmiles(result)
    assert molecule.notes == (note,)


@pytest.mark.parametrize("smiles", ["[CH3]", "[O-][N+](=O)C", "[Fe+2]", "[H][H]", "NC(=N)N", "CCO a name"])
def test_what_needs_no_change_gets_no_note(smiles: str) -> None:
    molecule = prepared(smiles)
    assert Chem.MolToSmiles(molecule.mol) == Chem.CanonSmiles(smiles.split()[0])
    assert molecule.notes == ()


def test_only_hydrogens_that_define_a_double_bond_stay() -> None:
    assert Chem.MolToSmiles(prepared("[H]/N=C/C([H])([H])[H]").mol) == "[H]/N=C/C"
    assert Chem.MolToSmiles(prepared("[H]N=CC").mol) == "CC=N"


def test_preparing_twice_changes_nothing() -> None:
    once = prepared("C[C@H](N)C(=O)[O-].[K+]").mol
    again = prepare(once)
    assert again.notes == ()
    assert Chem.MolToSmiles(again.mol) == Chem.MolToSmiles(once)


def test_given_positions_stay_and_decide_the_stereo() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("[H]/N=C/[C@H](F)Cl"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    positions = mol.GetConformer().GetPositions()
    Chem.RemoveStereochemistry(mol)
    molecule = prepare(mol)
    assert molecule.notes == ()
    assert Chem.MolToSmiles(molecule.mol) == Chem.CanonSmiles("[H]/N=C/[C@H](F)Cl")
    kept = molecule.mol.GetConformer().GetPositions()
    assert all((position == positions).all(axis=1).any() for position in kept)


def test_hydrogens_may_be_atoms_of_their_own() -> None:
    molecule = prepare(parse_smiles("C[C@H](N)C(=O)O.[Na+]"), hydrogens=True)
    assert molecule.notes == ("fragments removed: [Na+]",)
    assert molecule.mol.GetNumAtoms() == 13
    assert all(atom.GetTotalNumHs() == 0 for atom in molecule.mol.GetAtoms())
    assert Chem.MolToSmiles(Chem.RemoveHs(molecule.mol)) == "C[C@H](N)C(=O)O"


def test_hydrogens_that_are_atoms_keep_their_positions_and_those_left_out_get_one() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("[H]/N=C/[C@H](F)Cl"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    # Where RDKit would not put them.
    positions = mol.GetConformer().GetPositions() * 1.07
    mol.GetConformer().SetPositions(positions)
    Chem.RemoveStereochemistry(mol)
    kept = prepare(mol, hydrogens=True).mol
    np.testing.assert_array_equal(kept.GetConformer().GetPositions(), positions)
    partly = prepare(Chem.RemoveAllHs(mol), hydrogens=True).mol
    assert partly.GetNumAtoms() == mol.GetNumAtoms()
    for full in (kept, partly):
        # The hydrogen of the imine is on one side or the other: its geometry is read in any case.
        assert Chem.MolToSmiles(Chem.RemoveHs(full)).startswith("[H]/N=C")
        assert [hand for _, hand in Chem.FindMolChiralCenters(full)] == ["R"]


def test_hydrogens_in_substance_groups_go_too() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CO"))
    group = Chem.CreateMolSubstanceGroup(mol, "DAT")
    for atom in range(mol.GetNumAtoms()):
        group.AddAtomWithIdx(atom)
    assert prepare(mol).mol.GetNumAtoms() == 2


def test_a_drawing_loses_its_coordinates_and_keeps_its_wedges() -> None:
    mol = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    rdDepictor.Compute2DCoords(mol)
    for block in (Chem.MolToMolBlock(mol), Chem.MolToMolBlock(mol).replace("2D", "3D", 1)):
        molecule = prepare(Chem.MolFromMolBlock(block, removeHs=False))
        assert molecule.mol.GetNumConformers() == 0
        assert molecule.notes[0] == "coordinates dropped: a drawing in 2D"
    block = Chem.MolToMolBlock(mol)
    assert Chem.MolToSmiles(prepare(Chem.MolFromMolBlock(block)).mol) == Chem.MolToSmiles(mol)


def test_a_flat_molecule_is_no_drawing() -> None:
    mol = Chem.MolFromSmiles("c1ccccc1")
    rdDepictor.Compute2DCoords(mol)
    mol.GetConformer().Set3D(True)
    assert prepare(mol).mol.GetNumConformers() == 1


def test_coordinates_that_are_all_the_same_are_none() -> None:
    mol = Chem.MolFromSmiles("CC")
    conformer = Chem.Conformer(2)
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    assert np.ptp(conformer.GetPositions()) == 0
    assert prepare(mol).mol.GetNumConformers() == 0


def test_a_molecule_that_was_never_sanitised_is_checked() -> None:
    with pytest.raises(RowError) as caught:
        prepare(Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False))
    assert caught.value.kind == "invalid"


def test_no_atoms() -> None:
    with pytest.raises(RowError) as caught:
        prepare(Chem.Mol())
    assert caught.value.kind == "no_atoms"


@pytest.mark.parametrize(
    "smiles",
    [
        *(
            "CCO",
            "C[C@H](N)C(=O)O",
            "C[C@@H]1CC[C@H](C)CC1",
            "C[C@H](C)C",
            "C/C=C\\C",
            "C/C=C(/C)C",
            "CN(=O)=O",
            "[H]/N=C/C",
            "[H]N=CC",
            "C%10CCCC%10",
            "[O-][N+](=O)C a name",
            "C[Se]c1ccc[se]1",
            "[Cl-]",
            "C[Mg]Br",
            "O->[Fe]",
            "N[Sc](Cl)Cl",
            "[NH3][Pt](Cl)(Cl)[NH3]",
        ),
        *("CC(=O)[O-].[Na+]", "[2H]C", "C[C@@]([2H])(O)[H]", "[CH3:2]O", "C1.C1", "[#6]C"),
        *("CC[C@H](C)O |o1:2|", "F[P@TB1](Cl)(Br)(N)O", "[H][H]", "CC(O)F"),
    ],
)
def test_a_smiles_is_prepared_the_short_way_as_the_long_way(smiles: str) -> None:
    short, long = prepare_smiles(smiles), prepare(parse_smiles(smiles), coordinates=False)
    assert short.notes == long.notes
    assert Chem.MolToSmiles(short.mol, canonical=False) == Chem.MolToSmiles(long.mol, canonical=False)
    bare = prepare_smiles(smiles, to_write=True)
    found, expected = write(bare.mol), write(long.mol)
    assert (bare.notes, found.smiles, found.order) == (long.notes, expected.smiles, expected.order)
    unpaired = any(atom.GetNumRadicalElectrons() for atom in long.mol.GetAtoms())
    assert not (bare.closed_shell and unpaired)


@pytest.mark.parametrize(
    "smiles", [None, "", "C1CC", "*C", "C~C", "c1cc1", "CC(C)(C)(C)C", "C" * (MAX_ATOMS + 1)]
)
def test_what_is_refused_is_refused_the_short_way_too(smiles: str | None) -> None:
    with pytest.raises(RowError) as long:
        prepare(parse_smiles(smiles), coordinates=False)
    with pytest.raises(RowError) as short:
        prepare_smiles(smiles)
    assert (short.value.kind, short.value.reason) == (long.value.kind, long.value.reason)
