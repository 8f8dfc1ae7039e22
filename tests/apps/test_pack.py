from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molae.apps.molecules import molecule_schema
from molae.apps.pack import pack_file
from molae.apps.rows import Source
from molae.batch.packed import PackedDataset
from molae.chem.descriptors import TAUGHT_DESCRIPTORS, descriptors
from molae.errors import ConfigError, DataError
from molae.graphs.vocabulary import AttributeChoice


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "x.smi").write_text("CCO\nbad\nCCCCCO\n[Na+].CC(=O)[O-]\n" + "C" * 12 + "\n")
    return Source(tmp_path / "x.smi")


def test_rows_that_can_be_used_are_packed(source: Source, tmp_path: Path) -> None:
    summary = pack_file(source, tmp_path / "x.safetensors", max_nodes=10)
    assert str(summary) == ("3 of 5 rows ok; 2 failed (unparsable 1, too_large 1); fragments removed: 1")
    packed = PackedDataset.load(tmp_path / "x.safetensors")
    assert (packed.schema.max_nodes, packed.schema.hydrogens) == (10, False)
    assert packed.sizes.tolist() == [3, 6, 4]
    assert packed.rows.tolist() == [1, 3, 4]


def test_a_row_may_have_several_conformers_and_hydrogens(source: Source, tmp_path: Path) -> None:
    pack_file(source, tmp_path / "x.safetensors", 30, 8, hydrogens=True)
    packed = PackedDataset.load(tmp_path / "x.safetensors")
    assert packed.rows.tolist().count(3) > 1
    assert packed.sizes[0] == 9


def test_graphs_may_go_without_positions(source: Source, tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("C[C@H](F)Cl\nC[C@@H](F)Cl\n")
    pack_file(source, tmp_path / "x.safetensors", max_nodes=10, coordinates=False)
    packed = PackedDataset.load(tmp_path / "x.safetensors")
    assert packed.schema == molecule_schema(10, coordinates=False)
    batch = packed.batch(np.arange(2))
    assert batch.pos is None
    # The two hands differ in the parity of the centre alone.
    assert (batch.nodes[0] != batch.nodes[1]).sum() == 1


def test_descriptors_are_packed_as_targets(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    pack_file(source, path, max_nodes=10, coordinates=False, descriptors=True)
    packed = PackedDataset.load(path)
    assert packed.schema.targets == TAUGHT_DESCRIPTORS
    targets = packed.batch(np.array([1, 0])).targets
    assert targets is not None
    expected = [descriptors(Chem.MolFromSmiles(smiles), TAUGHT_DESCRIPTORS) for smiles in ("CCCCCO", "CCO")]
    np.testing.assert_allclose(targets.numpy(), np.array(expected), rtol=1e-3, atol=1e-3)


def test_other_processes_pack_the_same(source: Source, tmp_path: Path) -> None:
    paths = [tmp_path / f"{workers}.safetensors" for workers in range(2)]
    for workers, path in enumerate(paths):
        some = replace(source, num_workers=workers)
        summary = pack_file(some, path, max_nodes=10, coordinates=False, descriptors=True)
        assert (summary.ok, summary.failed) == (3, {"unparsable": 1, "too_large": 1})
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_targets_are_not_known_where_they_were_not_packed(source: Source, tmp_path: Path) -> None:
    for name in ("with", "without"):
        pack_file(source, tmp_path / f"{name}.safetensors", 10, coordinates=False, descriptors=name == "with")
    first, second = (PackedDataset.load(tmp_path / f"{name}.safetensors") for name in ("with", "without"))
    for both, known in ((first + second, [1, 0]), (second + first, [0, 1])):
        assert both.schema == first.schema
        targets = both.batch(np.array([0, 3])).targets
        assert targets is not None
        assert targets.isfinite().any(1).tolist() == [bool(each) for each in known]


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("bad\n")
    assert pack_file(Source(tmp_path / "x.smi"), tmp_path / "x.safetensors").ok == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.smi"]


def test_wrong_options_are_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"suffix \.safetensors"):
        pack_file(source, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no folder"):
        pack_file(source, tmp_path / "no" / "x.safetensors")
    with pytest.raises(ConfigError, match="1 to 255"):
        pack_file(source, tmp_path / "x.safetensors", max_nodes=300)
    with pytest.raises(ConfigError, match="at least 1"):
        pack_file(source, tmp_path / "x.safetensors", conformers=0)
    with pytest.raises(ConfigError, match="without coordinates"):
        pack_file(source, tmp_path / "x.safetensors", conformers=2, coordinates=False)


def test_molecules_have_no_attributes_to_choose(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds molecules: attributes and directions are those of graphs"):
        pack_file(source, tmp_path / "out.safetensors", choice=AttributeChoice(directed=True))
