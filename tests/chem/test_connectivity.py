from __future__ import annotations

import pytest
from rdkit import Chem

from molae.chem.connectivity import require_connectivity
from molae.chem.etkdg import sample_etkdg
from molae.errors import RowError


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize("smiles", ["O", "C12C3C4C1C5C2C3C45", "C1C2CC1C2", "OC(=O)CCC[NH3+]", "CSSC"])
def test_embedded_molecules_are_what_they_are(smiles: str) -> None:
    require_connectivity(full(smiles), sample_etkdg(full(smiles), 1)[0])


def test_bonds_that_break_or_form_are_named() -> None:
    mol = full("OCCCO")
    positions = sample_etkdg(mol, 1)[0]
    moved = positions.copy()
    hydrogen = next(atom.GetIdx() for atom in mol.GetAtomWithIdx(0).GetNeighbors() if atom.GetIdx() != 1)
    moved[hydrogen] += 5 * (moved[hydrogen] - moved[0])
    with pytest.raises(RowError, match=f"the bond O0-H{hydrogen} is broken") as caught:
        require_connectivity(mol, moved)
    assert caught.value.kind == "bond_broken"
    # A proton between the two oxygens, at 0.99 Å from the other one.
    moved = positions.copy()
    moved[4] = moved[hydrogen] + [0.0, 0.0, 0.99]
    with pytest.raises(RowError):
        require_connectivity(mol, moved)
    far = full("[He].[He]")
    with pytest.raises(RowError, match="He0-He1 is formed") as caught:
        require_connectivity(far, [[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])
    assert caught.value.kind == "bond_formed"
