"""A model keeps its codes and what they decode to when another's summary is put ahead of them."""

from __future__ import annotations

import join_summary
import pytest
import torch

from molae.apps.molecules import molecule_schema, read_molecule
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.testing import with_generic_weights

SIZE, SUMMARY = 24, {"size": 6, "width": 8, "layers": 2, "depth": 1}
SLOTS = {"name": "slots", "width": 16, "head_width": 32, "head_depth": 1}


def small(coordinates, summary=None):
    torch.manual_seed(0)
    config = AutoencoderConfig(code_size=SIZE, encoder={**SLOTS, "summary": summary}, decoder=SLOTS)
    return with_generic_weights(Autoencoder(config, molecule_schema(8, coordinates=coordinates))).eval()


def batch(model, *smiles):
    return collate([read_molecule(each, model.schema).graph for each in smiles])


@pytest.fixture(scope="module")
def models():
    model, source = small(True), small(False, SUMMARY)
    return model, source, join_summary.join(model, source)


@torch.no_grad()
def test_the_codes_stay_and_decode_to_the_same(models):
    model, _, joined = models
    molecules = batch(model, "CCO", "C[C@H](F)Cl", "c1ccccc1")
    before, after = model.encode(molecules).invariant, joined.encode(molecules).invariant
    assert after.shape == (3, SUMMARY["size"] + SIZE)
    torch.testing.assert_close(after[:, SUMMARY["size"] :], before, rtol=0, atol=0)
    slots = molecules.mask.shape[1]
    for one, other in zip(
        model.decoder(before, slots).node_logits, joined.decoder(after, slots).node_logits, strict=True
    ):
        torch.testing.assert_close(other, one)


@torch.no_grad()
def test_the_summary_is_that_of_the_molecule_without_its_stereo(models):
    _, source, joined = models
    smiles = ["CCO", "CC(F)Cl", "FC=CF", "C[N+](C)(C)C"]
    expected = source.encode(batch(source, *smiles)).invariant[:, : SUMMARY["size"]]
    found = joined.encode(batch(joined, *smiles)).invariant[:, : SUMMARY["size"]]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    hands = joined.encode(batch(joined, "C[C@H](F)Cl", "C[C@@H](F)Cl")).invariant[:, : SUMMARY["size"]]
    torch.testing.assert_close(hands[0], hands[1])
