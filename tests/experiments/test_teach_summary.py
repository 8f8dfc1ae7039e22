"""A summary is taught, turned, and put ahead of codes that stay as they were."""

from __future__ import annotations

import numpy as np
import pytest
import teach_summary
import torch

from molae.apps.molecules import molecule_schema, read_molecule
from molae.apps.pack import pack_file
from molae.apps.rows import Source
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.batch.packed import PackedDataset
from molae.chem.descriptors import TAUGHT_DESCRIPTORS
from molae.testing import with_generic_weights

SMILES = ["CCO", "c1ccccc1O", "CC(=O)N", "C[C@H](F)Cl", "CCN(C)C", "OCC=C", "c1ccncc1", "CC#N"]
SLOTS = {"name": "slots", "width": 16, "head_width": 32, "head_depth": 1}
BEFORE, AFTER, REST = 6, 10, 24


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    encoder = {**SLOTS, "summary": {"size": BEFORE, "width": 8, "layers": 2, "depth": 1}}
    config = AutoencoderConfig(code_size=BEFORE + REST, encoder=encoder, decoder=SLOTS)
    schema = molecule_schema(8, coordinates=False, targets=TAUGHT_DESCRIPTORS)
    return with_generic_weights(Autoencoder(config, schema)).eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    (folder / "some.smi").write_text("\n".join(SMILES * 4))
    pack_file(Source(folder / "some.smi"), folder / "some.safetensors", 8, coordinates=False)
    return PackedDataset.load(folder / "some.safetensors")


@pytest.fixture(scope="module")
def pupil(model, data, monkeymodule):
    monkeymodule.setattr(teach_summary, "HELD_OUT", 4)
    monkeymodule.setattr(teach_summary, "BATCH", 8)
    teacher = teach_summary.Teacher(SMILES * 4, 16, 1)
    return teach_summary.teach(model, data, teacher, AFTER, 60, 1e-2, 0), teacher


@pytest.fixture(scope="module")
def monkeymodule():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@torch.no_grad()
def test_it_learns_and_the_turn_makes_distances_those_of_what_is_told(model, data, pupil):
    taught, teacher = pupil
    rows = np.arange(8)
    lesson = teacher.of(data.rows[rows] - 1)
    assert lesson.descriptors.isfinite().any(1).all()
    before = taught.losses(data, rows, lesson)
    assert (before[1:] < 0.9).all()
    batch = data.batch(rows)
    told = _told(taught, batch)
    taught.turn(0)
    made = teach_summary.taught(model, taught)
    after = made.encode(batch).invariant[:, :AFTER]
    torch.testing.assert_close(torch.cdist(after, after), torch.cdist(told, told), rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(_told(taught, batch), told, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(made.targets(after), taught.targets(taught.summary(batch)))


@torch.no_grad()
def test_the_rest_of_the_code_stays_and_the_decoder_does_without(model, pupil):
    made = teach_summary.taught(model, pupil[0])
    batch = collate([read_molecule(each, model.schema).graph for each in SMILES])
    before, after = model.encode(batch).invariant, made.encode(batch).invariant
    assert after.shape == (len(SMILES), AFTER + REST)
    torch.testing.assert_close(after[:, AFTER:], before[:, BEFORE:], rtol=0, atol=0)
    other = after.clone()
    other[:, :AFTER] = 0
    torch.testing.assert_close(made.decode(other).edge_logits, made.decode(after).edge_logits)


def _told(pupil, batch):
    """What is told of molecules, in the units in which it counts."""
    summary = pupil.summary(batch)
    sizes = torch.tensor([kind.size for kind in teach_summary.KINDS])
    weights = torch.tensor([kind.weight for kind in teach_summary.KINDS]).repeat_interleave(sizes).sqrt()
    described = pupil.targets.map(summary) / len(TAUGHT_DESCRIPTORS) ** 0.5
    return torch.cat([described, pupil.map(summary) * weights], dim=1)
