import numpy as np
import pytest
from rdkit import Chem

from molae.chem import gfn2
from molae.chem.etkdg import sample_etkdg
from molae.chem.force_field import relax_force_field
from molae.chem.isomers import with_positions
from molae.chem.parse import parse_smiles, prepare
from molae.errors import ConfigError


def posed(smiles: str, n: int = 1) -> Chem.Mol:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    return with_positions(mol, sample_etkdg(mol, n))


def test_force_fields_lower_the_energy_and_are_named() -> None:
    mol = posed("CCCO", 3)
    method, energies = relax_force_field(mol)
    again, lower = relax_force_field(mol)
    assert method == again == "MMFF94s"
    assert energies.shape == (3,)
    assert (lower <= energies + 1e-6).all()
    assert relax_force_field(posed("C[Se]C"))[0] == "UFF"


def test_gfn2_finds_the_minimum_of_water() -> None:
    pytest.importorskip("tblite")
    mol = posed("O")
    found = gfn2.relax_gfn2(mol, mol.GetConformer().GetPositions())
    oxygen, *hydrogens = found.positions
    for hydrogen in hydrogens:
        assert np.linalg.norm(hydrogen - oxygen) == pytest.approx(0.96, abs=0.01)
    # xtb 6: -5.070544 hartree.
    assert found.energy / gfn2.HARTREE == pytest.approx(-5.07054, abs=1e-4)
    assert gfn2.energy_gfn2(mol, found.positions) == pytest.approx(found.energy, abs=1e-3)
    assert found.start >= found.energy


def test_without_tblite_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gfn2, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'molae\[conformers\]'"):
        gfn2.relax_gfn2(posed("O"), np.zeros((3, 3)))


def test_a_wave_function_that_leads_astray_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    interface = pytest.importorskip("tblite.interface")
    mol = posed("O")
    expected = gfn2.relax_gfn2(mol, mol.GetConformer().GetPositions())
    single = interface.Calculator.singlepoint
    astray: list[bool] = []

    def fails_from_another(self: object, result: object = None) -> object:
        astray.append(result is not None)
        if result is not None:
            raise RuntimeError("not converged")
        return single(self)

    monkeypatch.setattr(interface.Calculator, "singlepoint", fails_from_another)
    found = gfn2.relax_gfn2(mol, mol.GetConformer().GetPositions())
    assert any(astray)
    assert found.energy == pytest.approx(expected.energy, abs=1e-3)
