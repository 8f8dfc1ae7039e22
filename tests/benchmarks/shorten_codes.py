"""Makes a model of graphs with shorter codes, or for fewer atoms, from a trained one: a start for training.

    python shorten_codes.py graph data/configs/graph-128.toml --max-atoms 32 --output start
    molae train --config data/configs/graph-128.toml --start start --data small.safetensors --output run

Each slot keeps the first of its own channels of the code, and all that was learned of nodes, edges and slots
stays, of the first slots where there are fewer. The maps between all slots at once and the code, which mean
nothing once its channels are others, start anew, as does a part that the source does not have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from molae.apps.loading import load
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.checkpoint import save_checkpoint
from molae.training.config import read_config

_ANEW = ("encoder.head", "encoder.gather", "decoder.head", "decoder.spread", "decoder.size", "targets")
_BY_OFFSET = "reach.table"


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("source", help="name or path of a model")
    made.add_argument("config", type=Path, help="configuration of the model to make")
    made.add_argument("--max-atoms", type=int, help="most atoms that it takes, if other than the source")
    made.add_argument("--seed", type=int, default=0, help="seed of what starts anew")
    made.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    arguments = made.parse_args()
    source, config = load(arguments.source), read_config(arguments.config).model
    if not isinstance(source, Autoencoder) or not isinstance(config, AutoencoderConfig):
        raise SystemExit("expected autoencoders, got a model of conformers")
    if source.schema.coordinates:
        raise SystemExit("expected a model of graphs without coordinates, whose codes have one part only")
    torch.manual_seed(arguments.seed)
    model = shorten(source, config, arguments.max_atoms or source.schema.max_nodes)
    save_checkpoint(model, arguments.output)
    print(f"{arguments.output}: {model.config.code_size} numbers, up to {model.schema.max_nodes} atoms")


@torch.no_grad()
def shorten(source: Autoencoder, config: AutoencoderConfig, max_atoms: int) -> Autoencoder:
    """A model of the configuration, with the weights of `source` as far as they mean the same in it."""
    schema = source.schema.model_copy(update={"max_nodes": max_atoms, "targets": ()})
    model, known = Autoencoder(config, schema), source.state_dict()
    for name, value in model.state_dict().items():
        if name in known and not name.startswith(_ANEW):
            _copy(known[name], value, name.endswith(_BY_OFFSET))
    return model


def _copy(old: Tensor, new: Tensor, by_offset: bool) -> None:
    """Copies the first entries of every axis; of a table by offset, whose middle is 0, the middle ones."""
    if by_offset:
        old = old[(len(old) - len(new)) // 2 :]
    common = tuple(slice(min(sizes)) for sizes in zip(old.shape, new.shape, strict=True))
    new[common] = old[common]


if __name__ == "__main__":
    main()
