"""Fits the prior that ships with a model to the codes of its training data.

    python tests/benchmarks/fit_prior.py train.safetensors --model graph -o with-prior --steps 7000

Takes what `molae pack` wrote. The output is a copy of the model with the prior in it, in half precision. With
`--go-on` the prior that the model has is trained further.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

import numpy as np
import torch
from report import parser

from molae.apps.loading import open_model
from molae.apps.priors import code_space, fitted_prior
from molae.autoencoder import Autoencoder
from molae.batch.packed import PackedDataset
from molae.catalogue import resolve
from molae.fitted import load_prior, save_prior

BATCH = 256


@torch.inference_mode()
def encode(model: Autoencoder, data: PackedDataset) -> np.ndarray:
    """The codes of all graphs of a data set."""
    codes = np.empty((len(data), model.config.code_size), dtype=np.float32)
    # Graphs of similar size go together, which wastes the least on padding.
    order = np.argsort(data.sizes, kind="stable")
    for chosen in (order[start : start + BATCH] for start in range(0, len(data), BATCH)):
        codes[chosen] = model.encode(data.batch(chosen)).invariant.numpy()
    return codes


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = PackedDataset.load(arguments.data)
    model = open_model(arguments.model, "cpu")
    codes = encode(model, data)
    shutil.copytree(resolve(arguments.model), arguments.output, dirs_exist_ok=True)
    settings = {
        "name": "autoregressive",
        "steps": arguments.steps,
        "temperature": arguments.temperature,
    }
    if arguments.go_on:
        prior = load_prior(arguments.output, code_space(model))
        prior.adapt(codes, arguments.seed, steps=arguments.steps)
    else:
        prior = fitted_prior(codes, model, settings, arguments.seed)
    card = {"data": f"{len(data)} molecules of {arguments.data.name}", "seed": arguments.seed}
    save_prior(prior, settings, arguments.output, card=card, half=True)
    print(f"{arguments.output}: fitted to {len(codes)} codes")


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("data", type=Path, help="packed data set")
    made.add_argument("--model", default="graph", help="model that makes the codes")
    made.add_argument("-o", "--output", type=Path, default=Path("with-prior"), help="folder of the copy")
    made.add_argument("--steps", type=int, default=7000)
    made.add_argument("--temperature", type=float, default=1.0, help="at which codes are drawn later")
    made.add_argument("--go-on", action="store_true", help="train the prior that the model has further")
    made.add_argument("--seed", type=int, default=0)
    main(made.parse_args())
