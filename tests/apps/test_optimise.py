from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

import molae
from molae.apps.conformers.optimise import Optimised
from molae.apps.conformers.properties import shape_overlap
from molae.chem.clashes import have_clashes
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.errors import ConfigError, RowError

CHAIN = "C[C@H](O)CCC(=O)NCCCCO"


def etkdg(smiles: str, n: int, seed: int = 0) -> Chem.Mol:
    return molae.conformers(smiles, n, seed, model="etkdg")


def optimise(smiles: str, wanted: Any, n: int = 200, **options: Any) -> Optimised:
    return molae.optimise(smiles, wanted, n, model="etkdg", **options)


def apart(mol: Chem.Mol) -> list[Chem.Mol]:
    return [with_positions(mol, each.GetPositions()[None]) for each in mol.GetConformers()]


@pytest.mark.parametrize("maximise", [True, False])
def test_the_search_finds_more_than_random_draws(maximise: bool) -> None:
    result = optimise(CHAIN, "radius_of_gyration", n=120, seed=1, maximise=maximise)
    found, random = result.found, result.random
    sign = 1 if maximise else -1
    assert sign * found.values[0] > sign * random.values[0]
    assert (np.diff(sign * found.values) <= 0).all()
    assert found.evaluations == 120
    assert random.evaluations <= 120
    for best in (found, random):
        values = [rdMolDescriptors.CalcRadiusOfGyration(each) for each in apart(best.mol)]
        np.testing.assert_allclose(values, best.values)
        assert {isomeric_smiles(each) for each in apart(best.mol)} == {Chem.CanonSmiles(CHAIN)}
        positions = np.array([each.GetPositions() for each in best.mol.GetConformers()])
        assert not have_clashes(best.mol, positions).any()


def test_the_same_seed_finds_the_same() -> None:
    one, two = (optimise(CHAIN, ("distance", 0, 11), n=40, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.found.values, two.found.values)


def test_shapes_are_compared_with_a_reference() -> None:
    reference = etkdg(CHAIN, n=1, seed=77)
    result = optimise(CHAIN, ("shape", reference), n=60)
    assert 0.5 < result.found.values[0] <= 1
    assert result.found.values[0] == pytest.approx(shape_overlap(apart(result.found.mol)[0], reference))
    # Open3DAlign need not find the way back of a conformer onto itself, but does here.
    assert shape_overlap(reference, reference) == pytest.approx(1)


def test_any_function_will_do() -> None:
    result = optimise("CCCCO", lambda mol: float(mol.GetConformer().GetPositions()[0, 0]), n=30)
    assert len(result.found.values) == result.found.mol.GetNumConformers() == 10


def test_a_rigid_molecule_has_the_draws_alone() -> None:
    result = optimise("c1ccccc1", "radius_of_gyration", n=4)
    assert result.found.evaluations == 1
    assert result.random.evaluations == 4


def test_clashes_are_told() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CCCCC"))
    made = etkdg("CCCCC", n=1).GetConformer().GetPositions()
    folded = made.copy()
    folded[4] = folded[0] + 1.0
    assert have_clashes(mol, np.array([made, folded])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("wanted", "options", "message"),
    [
        ("magic", {}, "got 'magic'"),
        (("distance", 0, 99), {}, "no two atoms 0 and 99"),
        ("radius_of_gyration", {"n": 0}, "at least 1"),
    ],
)
def test_wrong_usage_is_named(wanted: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        optimise("CCCO", wanted, **options)


def test_what_cannot_be_found_says_so() -> None:
    with pytest.raises(RowError, match="no 3D conformer"):
        optimise("CCCO", ("shape", Chem.MolFromSmiles("CCO")))
    with pytest.raises(RowError, match="no number"):
        optimise("CCCO", lambda mol: float("nan"), n=5)
