"""Takes the head off the encoder of a model of graphs: codes are then linear in nodes and edges.

Decoded graphs can be proofread from such codes (`molae.decoder.proofread`). For a model whose head adds
little: the decoder stays as it was trained, so measure the reconstruction anew.

    python drop_head.py run/best -o without
"""

from __future__ import annotations

import argparse
from pathlib import Path

from molae.apps.loading import load
from molae.autoencoder import Autoencoder
from molae.checkpoint import save_checkpoint

_HEAD = ("encoder.head.", "encoder.gather.")


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", help="name or path of a model")
    made.add_argument("-o", "--output", type=Path, required=True, help="folder of the model without the head")
    arguments = made.parse_args()
    model = load(arguments.model)
    if not isinstance(model, Autoencoder):
        raise SystemExit(f"{arguments.model} is a model of conformers, which has no codes of molecules")
    save_checkpoint(without_head(model), arguments.output, half=True)
    print(f"{arguments.output}: codes linear in nodes and edges")


def without_head(model: Autoencoder) -> Autoencoder:
    """The model with the other weights as they are."""
    encoder = {**model.config.encoder, "head": False}
    found = Autoencoder(model.config.model_copy(update={"encoder": encoder}), model.schema)
    weights = model.state_dict().items()
    found.load_state_dict({name: value for name, value in weights if not name.startswith(_HEAD)})
    return found.eval()


if __name__ == "__main__":
    main()
