from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from molae.errors import DataError, RowError
from molae.io.ensembles import (
    StoredEnsemble,
    ensemble_columns,
    ensemble_metadata,
    read_ensembles,
    read_explicit_smiles,
    to_fixed_point,
    write_explicit_smiles,
)


def save(path: Path, metadata: dict[str, str] | None = None) -> tuple[Path, np.ndarray]:
    positions = np.random.default_rng(0).normal(scale=3.0, size=(2, 5, 3))
    methane = StoredEnsemble(
        "[H]C([H])([H])[H]", to_fixed_point(positions), np.array([0.0, 1.5]), "x", seed=3
    )
    columns = ensemble_columns([None, methane], [1, 2], ["bad", None])
    table = pa.table(columns).replace_schema_metadata(metadata or ensemble_metadata({}))
    pq.write_table(table, path)
    return path, positions


def test_molecules_come_back_with_their_conformers(tmp_path: Path) -> None:
    path, positions = save(tmp_path / "a.parquet")
    (found,) = read_ensembles(path)
    assert (found.row, found.id, found.seed, found.level) == (2, None, 3, "x")
    mol = found.mol
    assert [atom.GetSymbol() for atom in mol.GetAtoms()] == ["H", "C", "H", "H", "H"]
    centred = positions - positions.mean(axis=1, keepdims=True)
    held = np.array([conformer.GetPositions() for conformer in mol.GetConformers()])
    np.testing.assert_allclose(held, centred, atol=0.0005 + 1e-9)
    assert mol.GetConformer(1).GetDoubleProp("molae_relative_energy_kcal_mol") == 1.5


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)[O-]", "F/C=C\\Cl", "[H]/N=C/C", "c1cc[nH]c1", "[CH3]"])
def test_smiles_with_all_hydrogens_are_read_in_their_order(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    written, order = write_explicit_smiles(mol)
    read = read_explicit_smiles(written)
    symbols = [mol.GetAtomWithIdx(place).GetSymbol() for place in order]
    assert [atom.GetSymbol() for atom in read.GetAtoms()] == symbols
    assert Chem.MolToSmiles(Chem.RemoveHs(read)) == Chem.CanonSmiles(smiles)


def test_what_is_no_ensemble_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="not all atoms"):
        read_explicit_smiles("CC")
    with pytest.raises(RowError, match=r"32\.767"):
        to_fixed_point(np.array([[[0.0, 0.0, 0.0], [90.0, 0.0, 0.0]]]))
    path, _ = save(tmp_path / "a.parquet", {"other": "1"})
    with pytest.raises(DataError, match="holds no ensembles"):
        next(read_ensembles(path))
    path, _ = save(tmp_path / "b.parquet", {"molae_ensembles": '{"format": 9}'})
    with pytest.raises(DataError, match="of format 9"):
        next(read_ensembles(path))
    for told in ("[", "{}", '{"format": "x"}'):
        path, _ = save(tmp_path / "d.parquet", {"molae_ensembles": told})
        with pytest.raises(DataError, match="is damaged"):
            next(read_ensembles(path))
    path, _ = save(tmp_path / "e.parquet")
    pq.write_table(pq.read_table(path).drop_columns("energies"), path)
    with pytest.raises(DataError, match="no ensembles"):
        next(read_ensembles(path))
    (tmp_path / "c.parquet").write_text("no")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        next(read_ensembles(tmp_path / "c.parquet"))


@pytest.mark.parametrize(
    ("name", "count", "most"), [("ensembles_examples", 20, 10), ("ensembles_gfn2", 349, 5)]
)
def test_shipped_ensembles_can_be_read(name: str, count: int, most: int) -> None:
    found = list(read_ensembles(Path(__file__).parents[2] / "data" / f"{name}.parquet"))
    assert len(found) == count
    for ensemble in found:
        assert ensemble.mol.GetNumConformers() == len(ensemble.energies) <= most
        assert ensemble.energies[0] == 0
        assert sorted(ensemble.energies) == list(ensemble.energies)
