from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jaxtyping import Float
from rdkit import Chem

import molae
from molae.apps.conformers import sampled
from molae.apps.conformers.generator import EtkdgGenerator, open_generator
from molae.apps.conformers.isomers import read_whole, sample_isomers, try_isomers
from molae.apps.conformers.sampled import Request, sample_conformers
from molae.chem.commonest import commonest
from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import keep_configurations, with_positions
from molae.errors import ConfigError, MolaeError, RowError

IBUPROFEN = "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O"


class Mirrored:
    """A model that makes every second conformer of the wrong hand, and forgets the last."""

    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        positions = sample_etkdg(mol, n, seed)
        positions[1::2] *= -1
        return positions[: max(n - 1, 1)]


class Refusing:
    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        raise RowError("element Se, which the model has not seen", "unseen_element")


class Broken:
    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        return np.full((n, mol.GetNumAtoms(), 3), np.nan)


def smiles_of(mol: Chem.Mol) -> set[str]:
    """Isomeric SMILES of every conformer, read from a mol block by RDKit alone."""
    blocks = (Chem.MolToMolBlock(mol, confId=each.GetId()) for each in mol.GetConformers())
    return {Chem.MolToSmiles(Chem.MolFromMolBlock(block)) for block in blocks}


def test_every_conformer_is_the_isomer_of_the_input() -> None:
    mol = molae.conformers(IBUPROFEN, n=6, seed=3)
    assert mol.GetNumConformers() == 6
    assert smiles_of(mol) == {Chem.CanonSmiles(IBUPROFEN)}
    assert [conformer.GetProp("molae_generator") for conformer in mol.GetConformers()] == ["model"] * 6
    again = molae.conformers(IBUPROFEN, n=6, seed=3)
    for one, two in zip(mol.GetConformers(), again.GetConformers(), strict=True):
        assert (one.GetPositions() == two.GetPositions()).all()


def test_atoms_of_the_input_come_first_and_positions_do_not_matter() -> None:
    plain = Chem.MolFromSmiles("OC[C@H](N)C")
    first = molae.conformers(plain, n=2)
    posed = molae.conformers(with_positions(first, np.array([first.GetConformer(1).GetPositions()])), n=2)
    symbols = [atom.GetSymbol() for atom in first.GetAtoms()]
    assert symbols[:5] == ["O", "C", "C", "N", "C"]
    assert set(symbols[5:]) == {"H"}
    assert np.allclose(first.GetConformer().GetPositions(), posed.GetConformer().GetPositions())
    assert plain.GetNumConformers() == 0


def test_relaxed_conformers_are_sorted_and_pruned() -> None:
    mol = molae.conformers("CCCCO", n=8, relax="mmff", prune_rmsd=0.2)
    energies = [conformer.GetDoubleProp("molae_energy_kcal_mol") for conformer in mol.GetConformers()]
    assert energies == sorted(energies)
    assert 1 < len(energies) <= 8
    assert molae.conformers("CCCCO", n=8, relax="mmff", prune_rmsd=9.0).GetNumConformers() == 1


def test_of_more_conformers_the_lowest_that_differ_are_kept() -> None:
    def energies(**options: int) -> list[float]:
        mol = molae.conformers("CCCCCO", relax="mmff", **options)  # type: ignore[arg-type]
        return [conformer.GetDoubleProp("molae_energy_kcal_mol") for conformer in mol.GetConformers()]

    every, lowest = energies(n=40), energies(n=5, of=40)
    assert len(set(np.round(lowest, 2))) == len(lowest) == 5
    assert lowest[0] == min(every)
    assert len(energies(n=40, of=40)) < 40
    few = sample_isomers("CCCCCO", EtkdgGenerator(), Request(40, relax="mmff", of=40))[0]
    assert "fewer conformers than asked for: no others that differ were found" in few.sampled.notes
    with pytest.raises(ConfigError, match="of: expected at least n, 5, got 4"):
        molae.conformers("CCCCCO", n=5, of=4, relax="mmff")


def test_of_more_conformers_the_commonest_that_differ_are_kept() -> None:
    mol = molae.conformers("CCCCCO", n=40, model="etkdg")
    chosen = molae.conformers("CCCCCO", n=4, of=40, model="etkdg")
    drawn, kept = ([c.GetPositions() for c in each.GetConformers()] for each in (mol, chosen))
    places = [next(i for i, other in enumerate(drawn) if np.array_equal(each, other)) for each in kept]
    assert places == commonest(mol, np.array(drawn), 4)


def test_gfn2_says_which_are_the_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    mol, _ = read_whole("CCCCCO")
    made = sample_conformers(mol, EtkdgGenerator(), Request(4))
    energies = iter([3.0, None, 1.0, 2.0])

    def energy(mol: Chem.Mol, positions: np.ndarray) -> float:
        found = next(energies)
        if found is None:
            raise RowError("no convergence", "gfn2_failed")
        return found

    monkeypatch.setattr(sampled, "energy_gfn2", energy)
    kept = sampled.lowest_by_gfn2(mol, made, 2)
    assert np.array_equal(kept.positions, made.positions[[2, 3]])
    assert sampled.lowest_by_gfn2(mol, made, 4) is made
    late = sampled.lowest_by_gfn2(mol, made, 2, end=0.0)
    assert np.array_equal(late.positions, made.positions[:2])


def test_of_more_conformers_gfn2_relaxes_the_lowest() -> None:
    pytest.importorskip("tblite")
    mol = molae.conformers("CCO", n=2, of=6, relax="gfn2", model="etkdg")
    energies = [conformer.GetDoubleProp("molae_energy_kcal_mol") for conformer in mol.GetConformers()]
    assert energies == sorted(energies)
    assert len(energies) <= 2


def test_open_stereo_is_picked_by_the_seed_or_enumerated() -> None:
    source = "CC(F)C(Cl)C=CO"
    picked = {seed: sample_isomers(source, EtkdgGenerator(), Request(2, seed))[0] for seed in range(6)}
    assert all(isomer.stereo == "picked" for isomer in picked.values())
    assert "stereo left open in 3 places: one isomer is picked at random" in picked[0].notes
    smiles = {seed: Chem.MolToSmiles(Chem.RemoveHs(isomer.mol)) for seed, isomer in picked.items()}
    assert len(set(smiles.values())) > 1
    for seed, isomer in picked.items():
        posed = with_positions(isomer.mol, isomer.sampled.positions)
        assert smiles_of(posed) == {smiles[seed]}
    found = sample_isomers(source, EtkdgGenerator(), Request(1), enumerate_stereo=True)
    assert len({Chem.MolToSmiles(Chem.RemoveHs(isomer.mol)) for isomer in found}) == 8
    assert found[0].stereo == "enumerated"


def test_wrong_hands_of_a_model_are_made_again_then_by_etkdg() -> None:
    mol, _ = read_whole(IBUPROFEN)
    found = sample_conformers(mol, Mirrored(), Request(8))
    assert found.positions.shape == (8, mol.GetNumAtoms(), 3)
    assert keep_configurations(mol, found.positions).all()
    by_model = found.made_by.count("model")
    assert found.made_by == ("model",) * by_model + (
        "etkdg: wrong stereo or no finite positions in what the model made",
    ) * (8 - by_model)
    assert 4 <= by_model < 8
    assert any(note.startswith("conformers by ETKDGv3") for note in found.notes)


@pytest.mark.parametrize(("model", "reason"), [(Refusing(), "element Se"), (Broken(), "wrong stereo")])
def test_what_a_model_cannot_make_etkdg_makes_and_says_so(model: Any, reason: str) -> None:
    mol, _ = read_whole("CCO")
    found = sample_conformers(mol, model, Request(3))
    assert len(found.made_by) == 3
    assert all(each.startswith(f"etkdg: {reason}") for each in found.made_by)


def test_a_time_limit_leaves_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    mol, _ = read_whole("CCCCCCCCCC")
    found = sample_conformers(mol, EtkdgGenerator(time_limit=0.05), Request(5000, time_limit=0.05))
    assert 0 < len(found.positions) < 5000
    assert found.notes == ("fewer conformers than asked for: the others failed, or time ran out",)


def test_axes_are_named_as_not_looked_after() -> None:
    biaryl = (
        "Cc1cccc(I)c1-c1c(C)cccc1Br |(-1.8,1.3,;-.9,.1,;-1.5,-1.3,;-.6,-2.5,;.9,-2.3,;1.5,-1,;3,-.8,;.6,.2,;"
        "1.2,1.6,;.4,2.9,;-1.1,2.9,;1.1,4.2,;2.6,4.2,;3.3,2.9,;2.6,1.6,;3.4,.3,),wU:7.6|"
    )
    _, notes = read_whole(biaryl)
    assert any("axis" in note for note in notes)
    assert not read_whole("CC(C)O")[1]


def test_hydrogen_alone_is_pruned_too() -> None:
    assert (
        len(
            sample_conformers(read_whole("[H][H]")[0], EtkdgGenerator(), Request(3, prune_rmsd=0.1)).positions
        )
        == 1
    )


def test_any_seed_is_taken() -> None:
    mol, _ = read_whole("CCCC")
    for seed in (214_597, 2**31 - 1):
        assert len(sample_etkdg(mol, 3, seed, None)) == 3


def test_rows_that_fail_say_why() -> None:
    for source in ("bad", None, "", "*CC", RowError("too long", "too_long")):
        assert isinstance(try_isomers(source, EtkdgGenerator(), Request(1)), RowError)
    with pytest.raises(RowError, match="not a valid SMILES"):
        molae.conformers("bad")


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"prune_rmsd": 0}, {"time_limit": -1}, {"relax": "am1"}, {"model": "none"}]
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(MolaeError, match=str(next(iter(options.values())))):
        molae.conformers("CCO", **options)


def test_a_generator_is_opened_once() -> None:
    assert open_generator("etkdg") is open_generator("etkdg")
