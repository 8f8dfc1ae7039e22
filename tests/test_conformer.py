from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parent / "apps"))
from smallconformers import SMILES, record, small_conformer_model, small_dataset

from molae.batch.skeletons import SkeletonBatch, SkeletonDataset, collate_skeletons
from molae.conformer import ConformerConfig, ConformerModel
from molae.errors import DataError
from molae.nn import torques
from molae.nn.torques import turned_pairs
from molae.ops import turn_bonds


def field_of(model: ConformerModel, batch: SkeletonBatch, pos: torch.Tensor) -> torch.Tensor:
    time = torch.full((len(batch),), 0.4, dtype=pos.dtype)
    return model.field(model.context(batch), pos, time, batch.bonds, batch.moved)


@pytest.fixture
def model() -> ConformerModel:
    return small_conformer_model().double()


@pytest.fixture
def batch() -> SkeletonBatch:
    batch = small_dataset().batch(np.arange(len(SMILES)))
    return replace(batch, starts=batch.starts.double())


def real(batch: SkeletonBatch, values: torch.Tensor) -> torch.Tensor:
    return values[batch.fold > 0]


def test_the_field_does_not_depend_on_the_pose(model: ConformerModel, batch: SkeletonBatch) -> None:
    pos = batch.starts[:, 0]
    rotation = torch.from_numpy(Rotation.random(rng=np.random.default_rng(0)).as_matrix())
    expected = real(batch, field_of(model, batch, pos))
    assert expected.abs().max() > 1e-3
    found = real(batch, field_of(model, batch, pos @ rotation.T + torch.tensor([3.0, -1.0, 2.0])))
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_mirror_images_turn_the_other_way(model: ConformerModel, batch: SkeletonBatch) -> None:
    pos = batch.starts[:, 0]
    found = real(batch, field_of(model, batch, -pos))
    torch.testing.assert_close(found, -real(batch, field_of(model, batch, pos)), atol=1e-9, rtol=0)


def test_the_order_of_the_atoms_does_not_matter(model: ConformerModel) -> None:
    one = record(SMILES[2])
    order = np.random.default_rng(0).permutation(len(one))
    place = np.argsort(order)
    other = replace(
        one,
        nodes=one.nodes[order],
        edges=one.edges[np.ix_(order, order)],
        hops=one.hops[np.ix_(order, order)],
        bonds=place[one.bonds],
        moved=one.moved[:, order],
        starts=one.starts[:, order],
    )
    found = []
    for each in (one, other):
        batch = collate_skeletons([each])
        found.append(field_of(model, batch, batch.starts[:, 0].double()))
    torch.testing.assert_close(*found, atol=1e-6, rtol=0)


def test_padding_changes_nothing(model: ConformerModel, batch: SkeletonBatch) -> None:
    expected = field_of(model, batch, batch.starts[:, 0])
    refined = model.refine(model.context(batch), batch.starts[:, 0])
    for place, smiles in enumerate(SMILES):
        alone = small_dataset().batch(np.array([place]))
        pos = alone.starts[:, 0].double()
        found = field_of(model, alone, pos)
        torch.testing.assert_close(found[0], expected[place, : found.shape[1]], atol=1e-6, rtol=0, msg=smiles)
        own = model.refine(model.context(alone), pos)[0]
        torch.testing.assert_close(own, refined[place, : len(own)], atol=1e-6, rtol=0, msg=smiles)


@pytest.mark.parametrize("smiles", SMILES)
def test_pairs_that_no_bond_turns_are_the_same_for_all_angles(model: ConformerModel, smiles: str) -> None:
    batch = collate_skeletons([record(smiles)])
    start, time = batch.starts[:, 0].double(), torch.tensor([0.4], dtype=torch.float64)
    angles = torch.linspace(-2.0, 3.0, batch.bonds.shape[1], dtype=torch.float64).unsqueeze(0)
    pos = turn_bonds(start, batch.bonds, batch.moved, angles)
    context = model.context(batch)
    turned, rest = context.split(turned_pairs(context.which, batch.bonds[0], batch.moved[0]))
    i, j = rest.which.ends
    torch.testing.assert_close((pos[:, i] - pos[:, j]).norm(dim=2), (start[:, i] - start[:, j]).norm(dim=2))
    others = model.field.unturned(rest, start, time)
    found = model.field.velocities(model.field.at(turned, time), pos, batch.bonds, batch.moved, others)
    torch.testing.assert_close(found, field_of(model, batch, pos), atol=1e-9, rtol=0)


def test_refinement_moves_with_the_pose(model: ConformerModel, batch: SkeletonBatch) -> None:
    context, pos = model.context(batch), batch.starts[:, 0]
    rotation = torch.from_numpy(Rotation.random(rng=np.random.default_rng(1)).as_matrix())
    refined = model.refine(context, pos)
    assert (refined - pos)[batch.mask].abs().max() > 1e-4
    for reflect in (1, -1):
        found = model.refine(context, reflect * pos @ rotation.T + 1.0)
        expected = reflect * refined @ rotation.T + 1.0
        torch.testing.assert_close(found[batch.mask], expected[batch.mask], atol=1e-9, rtol=0)


def test_atoms_out_of_reach_are_not_seen() -> None:
    torch.manual_seed(0)
    ends = [collate_skeletons([record(smiles)]) for smiles in ("CCCCCCC", "CCCCCCO")]
    for reach, seen in ((1, False), (None, True)):
        config = ConformerConfig(width=32, pair_width=16, layers=2, heads=2, reach=reach)
        context = ConformerModel(config, small_dataset().schema).context
        for layer in context.layers:
            torch.nn.init.normal_(layer.out.weight)
        first, other = (context(each).pairs[0, 0] for each in ends)
        # Two layers see two bonds far: the pair of the first two atoms is four bonds from the other end.
        assert torch.allclose(first, other) != seen


def test_gradients_are_finite_where_atoms_coincide(model: ConformerModel, batch: SkeletonBatch) -> None:
    model.loss(replace(batch, starts=torch.zeros_like(batch.starts)))["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_it_learns_one_conformer_by_heart() -> None:
    torch.manual_seed(0)
    # Not the same as its mirror image, which is learned with it.
    batch = collate_skeletons([record("CC[C@H](Cl)C=O", conformers=1, starts=1)])
    config = ConformerConfig(width=32, pair_width=16, layers=1, heads=2, draws=64)
    model = ConformerModel(config, small_dataset().schema)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        optimizer.zero_grad()
        model.loss(batch, generator)["loss"].backward()
        optimizer.step()
    off = model.sample(model.prepare(batch), 16, seed=1).angles - batch.turns[0, 0, 0]
    off = (off + math.pi).remainder(2 * math.pi) - math.pi
    assert off.norm(dim=1).median() < 0.3


def test_draws_are_those_of_the_seed() -> None:
    model, batch = small_conformer_model(), small_dataset().batch(np.array([1]))
    first, again, other = (model.sample(model.prepare(batch), 6, seed=seed) for seed in (3, 3, 4))
    torch.testing.assert_close(first.angles, again.angles, rtol=0, atol=0)
    torch.testing.assert_close(first.start, again.start)
    assert not torch.allclose(first.angles, other.angles)


def test_a_rigid_molecule_has_its_starts_alone() -> None:
    model = small_conformer_model()
    turned = model.sample(model.prepare(collate_skeletons([record("C1CCCCC1")])), 5)
    assert turned.angles.shape == (5, 0)
    assert len(turned.start) == 5


def test_a_data_set_comes_back_as_it_was(tmp_path: Path) -> None:
    data = small_dataset()
    data.save(tmp_path / "data.safetensors")
    again = SkeletonDataset.load(tmp_path / "data.safetensors")
    assert again.schema == data.schema
    one, other = (each.batch(np.arange(len(SMILES))) for each in (data, again))
    for name in ("nodes", "edges", "hops", "bonds", "moved", "fold", "level", "mask"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    torch.testing.assert_close(one.turns, other.turns, atol=4e-3, rtol=0)
    torch.testing.assert_close(one.starts, other.starts, atol=1e-6, rtol=0)
    assert len(data + again) == 2 * len(SMILES)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no packed data set"):
        SkeletonDataset.load(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="not a packed data set of conformers"):
        SkeletonDataset.load(tmp_path / "other.safetensors")


def test_radial_functions_that_inference_asked_for_first_can_be_trained_with() -> None:
    torques._gaussians.cache_clear()
    with torch.inference_mode():
        torques.radial_basis(torch.rand(3))
    distance = torch.rand(3, requires_grad=True)
    torques.radial_basis(distance).sum().backward()
    assert distance.grad is not None
    assert distance.grad.isfinite().all()
