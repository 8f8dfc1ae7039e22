"""Molecules as lines, and the arrays of many lines."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from rdkit import Chem
from slotarrays import ISOMERS, in_slots, molecule, real

from molae.chem.bonds import read_bonds
from molae.chem.featurise import featurise_isomer
from molae.chem.line import make_arrays, write_line
from molae.errors import RowError

CASES = [
    *("C", "[H][H]", "CC(=O)O", "C#N", "c1ccccc1-c1ccccc1", "C12C3C4C1C5C2C3C45", "c1ccc2[nH]ccc2c1"),
    *("[CH3]", "[O][O]", "[NH4+]", "C[N+](C)(C)C", "O=[N+]([O-])c1ccccc1", "C[Se]C", "[H]/N=C/C"),
    *("CC(C)(C(C)(C(C)C)C)C", "C1CC2(C1)CC1(CC2)CC1", "F/C=C/C=C\\F", "C[C@@H]1CC[C@H](C)CC1"),
    # A direction may be that of an aromatic bond, or that of a single one between aromatic atoms.
    "COc1ccc(-c2cc(O)c3cc/c(=[NH+]\\C(=O)C)cc-3o2)cc1",
    "CC(=O)C=c1/c(=C/C)c2ccccc2o1",
    # Directions where a ring closes, in a branch, and at neighbours that are not the first of theirs.
    *("C1CCCCCCCCC/C=C/1", "C1CCCCC/C=C\\CCC1", "FC(=C(/Cl)Br)/I", "C/C(=C\\C)c1ccccc1", "O/N=C(/C)c1ccco1"),
    *("CC(/C=C/C)(/C=C/F)C", "C/C=C/1CCC(C)CC1", "C(/C=C/C)(C)O"),
]


def dense(size: int, rows: np.ndarray) -> np.ndarray:
    edges = np.zeros((size, size), dtype=np.int64)
    edges[rows[:, 0], rows[:, 1]] = edges[rows[:, 1], rows[:, 0]] = rows[:, 2]
    return edges


def test_the_arrays_of_lines_are_those_of_the_graphs() -> None:
    mols = [molecule(smiles) for smiles in (*CASES, *ISOMERS)]
    mols += [mol for smiles in real(100) if (mol := _known(smiles)) is not None]
    lines = [write_line(mol) for mol in mols]
    arrays = make_arrays(lines)
    ends, bond_ends = np.cumsum(arrays.sizes), np.cumsum(arrays.bonds.counts)
    for index, mol in enumerate(mols):
        nodes, edges, _ = in_slots(mol)
        size, count = arrays.sizes[index], arrays.bonds.counts[index]
        assert size == len(lines[index]) == len(nodes)
        rows = arrays.bonds.rows[bond_ends[index] - count : bond_ends[index]]
        assert (rows[:, 0] < rows[:, 1]).all()
        np.testing.assert_array_equal(arrays.nodes[ends[index] - size : ends[index]], nodes)
        np.testing.assert_array_equal(dense(size, rows), edges)


def _known(smiles: str) -> Chem.Mol | None:
    try:
        mol = molecule(smiles)
        featurise_isomer(mol)
    except RowError:
        return None
    return mol


def test_many_rings_that_are_open_at_once() -> None:
    # Spokes between a chain that goes out and one that comes back.
    count = 15
    out = "".join(f"C%{10 + i}" for i in range(count))
    back = "".join(f"C%{10 + i}" for i in reversed(range(count)))
    mol = Chem.MolFromSmiles(f"{out}CCC{back}")
    params = Chem.SmilesWriteParams()
    params.allHsExplicit, params.canonical = True, False
    smiles = Chem.MolToSmiles(mol, params)
    assert "%1" in smiles
    bonds = read_bonds([smiles, "[CH4]", smiles])
    assert bonds.counts.tolist() == [mol.GetNumBonds(), 0, mol.GetNumBonds()]
    order = list(map(int, mol.GetProp("_smilesAtomOutputOrder").strip("[,]").split(",")))
    there = {
        tuple(sorted((order.index(b.GetBeginAtomIdx()), order.index(b.GetEndAtomIdx()))))
        for b in mol.GetBonds()
    }
    assert {(i, j) for i, j, _ in bonds.rows[: bonds.counts[0]].tolist()} == there


@pytest.mark.parametrize(
    ("smiles", "kind"),
    [
        ("[Xe]", "element"),
        ("[NH3]->[CuH]", "element"),
        ("C$C", "bond"),
        ("[CH-4]", "charge"),
        ("[C]", "radical"),
    ],
)
def test_what_has_no_category_is_refused_as_by_featurise(smiles: str, kind: str) -> None:
    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    mol.UpdatePropertyCache(strict=False)
    Chem.AssignRadicals(mol)
    with pytest.raises(RowError) as long:
        featurise_isomer(mol)
    with pytest.raises(RowError) as short:
        write_line(mol)
    assert short.value.kind == long.value.kind == kind
    assert short.value.reason == long.value.reason


def test_too_many_atoms() -> None:
    assert len(write_line(molecule("CCC"), 3)) == 3
    with pytest.raises(RowError, match="4 atoms, the model takes at most 3"):
        write_line(molecule("CCCC"), 3)


def test_a_line_can_be_sent_to_another_process() -> None:
    line = write_line(molecule("C/C=C/[C@H](N)/C=C/[CH2]"))
    assert line.unpaired
    assert line.bonds
    assert pickle.loads(pickle.dumps(line)) == line
