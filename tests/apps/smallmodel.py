"""A model small enough to be trained in a few seconds to remember a few molecules."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from molae.apps.molecules import molecule_schema, read_molecule
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.batch.schema import Schema
from molae.checkpoint import save_checkpoint

#: What it knows by heart; two mirror images among them.
KNOWN = ("CO", "CCN", "c1ccccc1", "C[C@H](F)Cl", "C[C@@H](F)Cl", "O=C=O", "CC(=O)O", "C#N")
SCHEMA = molecule_schema(24)
#: The same without positions.
ISOMER_SCHEMA = molecule_schema(24, coordinates=False)
CONFIG = AutoencoderConfig(
    code_size=16,
    encoder={"name": "slots", "width": 16, "vectors": 4, "head_width": 64, "head_depth": 1},
    decoder={"name": "slots", "width": 16, "pair_width": 16, "head_width": 64, "head_depth": 1},
    mirror=0.0,
)


def small_model(schema: Schema = SCHEMA) -> Autoencoder:
    """The trained model, the same object whenever it is asked for."""
    return _trained(schema)


@cache
def _trained(schema: Schema) -> Autoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Autoencoder(CONFIG, schema).train()
        batch = collate([read_molecule(smiles, schema).graph for smiles in KNOWN])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(200):
            optimizer.zero_grad()
            model.loss(batch)["loss"].backward()
            optimizer.step()
    return model.eval()


def save_small_model(path: Path, schema: Schema = SCHEMA) -> Path:
    """Saves the trained model."""
    save_checkpoint(small_model(schema), path, card={"data": "eight molecules", "measured": {"exact": 1.0}})
    return path
