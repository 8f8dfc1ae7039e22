from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from smallconformers import small_conformer_model
from smallmodel import save_small_model
from typer.testing import CliRunner

import molae
from molae.apps.conformers.generator import open_generator
from molae.apps.conformers.pack import pack_ensembles
from molae.apps.conformers.turned import TurnedGenerator, starts_for
from molae.batch.skeletons import LEVELS, SkeletonDataset
from molae.checkpoint import load_checkpoint, save_checkpoint
from molae.chem.isomers import keep_configurations
from molae.chem.skeleton import skeleton
from molae.cli import app
from molae.conformer import ConformerModel
from molae.errors import ConfigError, DataError, RowError
from molae.io.ensembles import read_ensembles

EXAMPLES = Path(__file__).parents[2] / "data" / "ensembles_examples.parquet"
CONFIG = """
[model]
kind = "conformer"
width = 16
pair_width = 8
layers = 1
heads = 2
draws = 2
steps = 2

[training]
steps = 6
batch_size = 4
warmup_steps = 1
validate_every = 3
validation_size = 2
log_every = 2
accelerator = "cpu"
"""


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Path]:
    save_checkpoint(small_conformer_model(), tmp_path / "model")
    yield tmp_path / "model"
    open_generator.cache_clear()


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def test_a_model_comes_back_as_it_was(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert isinstance(loaded, ConformerModel)
    expected = small_conformer_model().state_dict()
    assert all((value == expected[name]).all() for name, value in loaded.state_dict().items())


def test_it_makes_as_many_conformers_as_asked_for_of_the_right_isomer(saved: Path) -> None:
    mol = molae.conformers("C[C@H](N)C(=O)N[C@@H](CO)C(=O)O", n=7, seed=2, model=str(saved))
    assert [each.GetProp("molae_generator") for each in mol.GetConformers()] == ["model"] * 7
    again = molae.conformers("C[C@H](N)C(=O)N[C@@H](CO)C(=O)O", n=7, seed=2, model=str(saved))
    for one, other in zip(mol.GetConformers(), again.GetConformers(), strict=True):
        np.testing.assert_array_equal(one.GetPositions(), other.GetPositions())
    positions = np.array([each.GetPositions() for each in mol.GetConformers()])
    assert keep_configurations(full("C[C@H](N)C(=O)N[C@@H](CO)C(=O)O"), positions).all()


def test_what_it_does_not_know_etkdg_makes(saved: Path) -> None:
    mol = molae.conformers("CCC[Ge](C)CC", n=3, model=str(saved))
    made_by = {each.GetProp("molae_generator") for each in mol.GetConformers()}
    assert made_by == {"etkdg: the model knows no element Ge"}
    chain = molae.conformers("C" * 40, n=1, model=str(saved))
    assert chain.GetConformer().GetProp("molae_generator").startswith("etkdg: 37 bonds that turn")


@pytest.mark.parametrize(
    ("smiles", "n", "expected"),
    [
        ("CCCCc1ccccc1", 50, 2),
        ("CCCCc1ccccc1", 1, 1),
        ("CCCCC1CCCCC1", 50, 7),
        ("CCCCC1CCCCC1", 10, 4),
        ("C1CCCCC1", 50, 50),
        ("CCC1CCCCC1", 50, 17),
    ],
)
def test_rings_that_take_several_shapes_get_more_starts(smiles: str, n: int, expected: int) -> None:
    found = skeleton(full(smiles))
    assert starts_for(n, len(found.bonds), found.has_flexible_ring) == expected


def test_large_and_small_rigid_molecules_are_taken() -> None:
    generator = TurnedGenerator(small_conformer_model())
    for smiles in ("C", "O", "C1CCCCC1", "c1ccccc1"):
        assert generator.generate(full(smiles), 3, 0).shape == (3, full(smiles).GetNumAtoms(), 3)
    with pytest.raises(RowError, match="the model takes 80"):
        generator.generate(full("C1CC1" * 30), 1, 0)


def test_models_of_another_kind_are_refused(saved: Path, tmp_path: Path) -> None:
    other = save_small_model(tmp_path / "autoencoder")
    with pytest.raises(ConfigError, match="no model of conformers"):
        open_generator(str(other))
    with pytest.raises(ConfigError, match="a model of conformers: use it with `molae conformers`"):
        molae.embed(["CCO"], model=str(saved))


def test_ensembles_are_packed(tmp_path: Path) -> None:
    summary = pack_ensembles(EXAMPLES, tmp_path / "data.safetensors", starts=2)
    data = SkeletonDataset.load(tmp_path / "data.safetensors")
    assert summary.ok == len(data) > 5
    assert summary.total == sum(1 for _ in read_ensembles(EXAMPLES))
    batch = data.batch(np.arange(len(data)))
    assert batch.starts.shape[1] == 2
    np.testing.assert_allclose(batch.weights.sum(1), 1, atol=1e-6)
    assert {LEVELS[level] for level in batch.level.tolist()} == {"mmff"}
    assert batch.fit[batch.fit.isfinite()].max() < 3.5


def test_wrong_ensembles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="level: expected one of dft"):
        pack_ensembles(EXAMPLES, tmp_path / "data.safetensors", "b3lyp")
    with pytest.raises(DataError, match=r"a packed data set is \.safetensors"):
        pack_ensembles(EXAMPLES, tmp_path / "data.parquet")


def test_from_ensembles_to_conformers_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(CONFIG)
    Path("in.smi").write_text("CCCCO alcohol\n")
    for arguments in (
        ["pack", str(EXAMPLES), "-o", "data.safetensors", "--starts", "2"],
        ["train", "--config", "run.toml", "--data", "data.safetensors", "-o", "run"],
        ["conformers", "in.smi", "-n", "4", "-o", "out.sdf", "--model", "run/best"],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.stderr
    names = [(mol.GetProp("_Name"), mol.GetProp("molae_generator")) for mol in Chem.SDMolSupplier("out.sdf")]
    assert names == [("alcohol", "model")] * 4
    open_generator.cache_clear()
