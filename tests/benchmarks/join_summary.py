"""Puts the summary of one model ahead of the codes of another, in the place of one that is there: neither is
trained again.

A summary depends on the graph alone (`molae.nn.summary`), so that of a model of SMILES serves a model of
conformers as well. What it was told of stereo is left out: the other model knows no such categories, its
stereo is in the positions. The rest of the code stays as it was, and the decoder takes no notice of the
summary, so that everything else that was measured of the model holds as before.

    python join_summary.py molecule graph --output joined
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from molae.apps.loading import load
from molae.apps.priors import code_space
from molae.autoencoder import Autoencoder
from molae.catalogue import CONFIG, read_description, read_json, resolve
from molae.checkpoint import CARD, save_checkpoint
from molae.fitted import FOLDER, FORMAT_VERSION, has_prior, load_prior, save_prior

_TABLES = "encoder.summary.embed.tables.{}.weight"
_FIRST = "decoder.head.0.weight"
_TARGETS = "targets."
_REPLACED = ("encoder.summary.", _TARGETS)


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", help="name or path of the model")
    made.add_argument("summary", help="name or path of the model that has one")
    made.add_argument("-o", "--output", type=Path, required=True, help="folder of the joined model")
    arguments = made.parse_args()
    joined = join(autoencoder(arguments.model), autoencoder(arguments.summary))
    save(joined, arguments.model, arguments.output)
    print(f"{arguments.output}: codes of {joined.config.code_size} numbers")


def join(model: Autoencoder, source: Autoencoder) -> Autoencoder:
    """The model with the summary of the other.

    Args:
        model: Model whose decoder can do without the summary that it may have.
        source: Model with a summary, whose nodes carry the channels of `model`, and perhaps more behind
            them; and likewise its edges.
    """
    size, before = source.encoder.summary_size, model.encoder.summary_size
    encoder = {**model.config.encoder, "summary": source.config.encoder["summary"]}
    whole = {"code_size": size + model.config.code_size - before, "encoder": encoder}
    joined = Autoencoder(model.config.model_copy(update=whole), model.schema)
    kept = {name: value for name, value in model.state_dict().items() if not name.startswith(_REPLACED)}
    weights = kept | _summary_weights(source, model)
    weights[_FIRST] = torch.nn.functional.pad(weights[_FIRST][:, before:], (size, 0))
    if joined.targets is not None:
        weights |= {name: value for name, value in source.state_dict().items() if name.startswith(_TARGETS)}
    joined.load_state_dict(weights)
    return joined.eval()


def save(model: Autoencoder, name: str, path: Path) -> None:
    """Saves the model with the card of the one it is made from, and its prior, which is one of graphs."""
    before = resolve(name)
    card = before / CARD
    told = card.read_text(encoding="utf-8") if card.exists() else None
    save_checkpoint(model, path, card=read_description(before)["card"], readme=told, half=True)
    if has_prior(before):
        description = read_json(before / FOLDER / CONFIG, FORMAT_VERSION)
        prior = load_prior(before, code_space(autoencoder(name)))
        save_prior(prior, description["prior"], path, card=description["card"], half=True)


def _summary_weights(source: Autoencoder, model: Autoencoder) -> dict[str, Tensor]:
    """Weights of the summary, for nodes and edges of fewer categories."""
    found = {k: v for k, v in source.state_dict().items() if k.startswith("encoder.summary.")}
    layers = [k for k in found if k.endswith(".kinds")]
    channels, kinds = len(model.schema.node_sizes), model.schema.edge_types - 1
    for extra in range(channels, len(source.schema.node_sizes)):
        # Category 0, that nothing is known, is what all nodes now have.
        found[_TABLES.format(0)] = found[_TABLES.format(0)] + found.pop(_TABLES.format(extra))[0]
    for name in layers:
        found[name] = found[name][:kinds]
    return found


def autoencoder(name: str) -> Autoencoder:
    """A model of whole molecules or graphs, by name or path."""
    model = load(name)
    if not isinstance(model, Autoencoder):
        raise SystemExit(f"{name} is a model of conformers, which has no codes of molecules")
    return model


if __name__ == "__main__":
    main()
