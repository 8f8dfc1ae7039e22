"""Teaches a summary descriptors and fingerprints, and puts it ahead of the codes of a model of graphs.

    molae pack --graphs train.smi -o train.safetensors
    python tests/benchmarks/teach_summary.py train.smi train.safetensors --model graph -o taught

From the summary (`molae.nn.summary`), by itself, a linear map is taught to tell RDKit's descriptors of the
first molecules, and of all how often each environment occurs, by four kinds of fingerprints. At last the
channels are turned and stretched, so that the squared distance of two summaries is that of what is told of
them: about as much of it of descriptors as of fingerprints. The rest of the code stays as it is, and the
decoder takes no notice of the summary, which it should not need: measure the reconstruction anew. The prior
of the model comes along.
"""

from __future__ import annotations

import argparse
import time
from functools import cache, cached_property
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from join_summary import autoencoder, join, save
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from report import parser
from torch import Tensor, nn

from molae.autoencoder import Autoencoder
from molae.batch.packed import PackedDataset
from molae.batch.samplers import BucketSampler
from molae.chem.descriptors import TAUGHT_DESCRIPTORS, descriptors
from molae.nn.summary import Summary, TargetHead
from molae.training.average import AveragedWeights
from molae.training.config import TrainingConfig
from molae.training.schedule import learning_rate

BATCH, WARM_UP, DECAY, CLIP = 256, 200, 0.998, 1.0
HELD_OUT = 2000


class Kind(NamedTuple):
    """A kind of fingerprint: its generator, number of counts, and weight in the loss."""

    name: str
    size: int
    weight: float

    def generator(self) -> rdFingerprintGenerator.FingerprintGenerator64:
        """RDKit's generator."""
        if self.name == "pairs":
            return rdFingerprintGenerator.GetAtomPairGenerator(fpSize=self.size)
        if self.name == "torsions":
            return rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=self.size)
        settings = {}
        if self.name == "features":
            settings["atomInvariantsGenerator"] = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
        return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=self.size, **settings)


KINDS = (
    Kind("morgan", 2048, 1.0),
    Kind("features", 1024, 0.5),
    Kind("pairs", 1024, 0.5),
    Kind("torsions", 1024, 0.5),
)
DESCRIPTORS = 6.0
"""Weight of the Huber loss of the descriptors."""
COUNTS = sum(kind.size for kind in KINDS)


class Lesson(NamedTuple):
    """What is known of some molecules: descriptors, NaN where they are not, and logarithms of counts."""

    descriptors: Tensor
    counts: Tensor


class Teacher:
    """Descriptors and fingerprints of molecules, the latter kept sparse.

    Args:
        smiles: The molecules.
        described: How many of them, the first, get descriptors, which take milliseconds each.
        processes: Processes that calculate.
    """

    def __init__(self, smiles: list[str], described: int, processes: int) -> None:
        with Pool(processes) as pool:
            found = pool.map(_counts, smiles, 500)
            known = pool.map(_described, smiles[:described], 200)
        self._starts = np.cumsum([0, *(len(places) for places, _ in found)])
        self._places = np.concatenate([places for places, _ in found])
        self._counts = np.concatenate([counts for _, counts in found])
        self._known = np.full((len(smiles), len(TAUGHT_DESCRIPTORS)), np.nan, dtype=np.float32)
        self._known[: len(known)] = known

    def of(self, rows: np.ndarray) -> Lesson:
        """What is known of the molecules in some rows."""
        lengths = np.diff(self._starts)[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        place = np.concatenate([np.arange(self._starts[row], self._starts[row + 1]) for row in rows])
        counts = np.zeros((len(rows), COUNTS), dtype=np.float32)
        counts[owner, self._places[place]] = np.log1p(self._counts[place])
        return Lesson(torch.from_numpy(self._known[rows]), torch.from_numpy(counts))


class Pupil(nn.Module):
    """A summary, and linear maps from it to what it is taught.

    Args:
        summary: The network.
        lesson: What is known of many molecules, for centres and scales.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, summary: Summary, lesson: Lesson) -> None:
        super().__init__()
        self.summary = summary
        self.targets = TargetHead(summary.config.size, len(TAUGHT_DESCRIPTORS))
        self.targets.fit(lesson.descriptors)
        self.map = nn.Linear(summary.config.size, COUNTS)
        for parameter in [*self.targets.map.parameters(), *self.map.parameters()]:
            nn.init.zeros_(parameter)
        # The squared error of a kind is the share of its variance that is not told.
        spread = [part.var(0).sum().sqrt() for part in lesson.counts.split(_sizes(), 1)]
        self.register_buffer("centre", lesson.counts.mean(0))
        self.register_buffer("scale", torch.stack(spread).repeat_interleave(torch.tensor(_sizes())))

    def losses(self, data: PackedDataset, chosen: np.ndarray, lesson: Lesson) -> Tensor:
        """Huber loss of the descriptors that are known, then the shares of the counts that are not told."""
        with torch.autocast("cpu", torch.bfloat16):
            summary = self.summary(data.batch(chosen))
        summary = summary.float()
        known = lesson.descriptors.isfinite().any(1)
        described = self.targets.loss(summary, lesson.descriptors).sum() / known.sum().clamp(min=1)
        off = (self.map(summary) - (lesson.counts - self.centre) / self.scale).square()
        return torch.stack([described, *(part.sum(1).mean() for part in off.split(_sizes(), 1))])

    @cached_property
    def weights(self) -> Tensor:
        """Weights of the losses."""
        return torch.tensor([DESCRIPTORS, *(kind.weight for kind in KINDS)])

    @torch.no_grad()
    def turn(self, seed: int) -> None:
        """Turns and stretches the channels, so that distances of summaries are those of what is told of them.

        The last turn is a random one, which leaves all channels with about the same deviation.

        Args:
            seed: Seed of that turn.
        """
        told = self.targets.map.weight.double()
        counted = self.map.weight.double()
        weights = self.weights[1:].double().repeat_interleave(torch.tensor(_sizes()))
        metric = told.T @ told / len(told) + (counted.T * weights) @ counted
        values, vectors = torch.linalg.eigh(metric)
        stretch = values.clamp(min=1e-6 * float(values.max())).sqrt()
        random = torch.randn(metric.shape, dtype=metric.dtype, generator=torch.Generator().manual_seed(seed))
        rotation = torch.linalg.qr(random).Q
        last = self.summary.head[-1]
        change = (vectors * stretch) @ rotation
        back = rotation.T @ (vectors / stretch).T
        last.weight.copy_(change.T @ last.weight.double())
        last.bias.copy_(last.bias.double() @ change)
        for reader in (self.targets.map, self.map):
            reader.weight.copy_(reader.weight.double() @ back.T)


def teach(
    start: Autoencoder, data: PackedDataset, teacher: Teacher, size: int, steps: int, rate: float, seed: int
) -> Pupil:
    """Trains a summary that begins as that of a model; gives the moving average."""
    torch.manual_seed(seed)
    order = np.random.default_rng(seed).permutation(len(data))
    held, learned = order[:HELD_OUT], order[HELD_OUT:]
    pupil = Pupil(_begun(start, size), teacher.of(data.rows[learned[:20_000]] - 1))
    optimiser = torch.optim.AdamW(pupil.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-3)
    average = AveragedWeights(pupil, DECAY)
    sampler = BucketSampler(data.sizes[learned], BATCH, seed, window=32)
    schedule = TrainingConfig(
        steps=steps, learning_rate=rate, final_learning_rate=rate / 50, warmup_steps=min(WARM_UP, steps)
    )
    begun = time.perf_counter()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, schedule)
        chosen = learned[sampler.batch(step)]
        loss = pupil.losses(data, chosen, teacher.of(data.rows[chosen] - 1)) @ pupil.weights
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(pupil.parameters(), CLIP)
        optimiser.step()
        average.update(step)
        if (step + 1) % 1000 == 0 or step + 1 == steps:
            shown = validate(average.model, data, held, teacher)
            print(f"{step + 1} steps, {time.perf_counter() - begun:.0f} s: {shown}", flush=True)
    return average.model


@torch.no_grad()
def validate(pupil: Pupil, data: PackedDataset, held: np.ndarray, teacher: Teacher) -> str:
    """The losses on molecules held out."""
    parts = np.array_split(held, max(1, len(held) // BATCH))
    found = torch.stack([pupil.losses(data, part, teacher.of(data.rows[part] - 1)) for part in parts]).mean(0)
    names = ("descriptors", *(kind.name for kind in KINDS))
    return ", ".join(f"{name} {value:.4f}" for name, value in zip(names, found.tolist(), strict=True))


def taught(model: Autoencoder, pupil: Pupil) -> Autoencoder:
    """The model with the summary of the pupil in the place of its own."""
    encoder = {**model.config.encoder, "summary": pupil.summary.config.model_dump()}
    own = model.config.code_size - model.encoder.summary_size
    config = model.config.model_copy(
        update={"code_size": own + pupil.summary.config.size, "encoder": encoder}
    )
    schema = model.schema.model_copy(update={"targets": TAUGHT_DESCRIPTORS})
    source = Autoencoder(config, schema)
    source.encoder.summary.load_state_dict(pupil.summary.state_dict())
    source.targets.load_state_dict(pupil.targets.state_dict())
    return join(model, source)


def _begun(start: Autoencoder, size: int) -> Summary:
    """A summary of so many channels, the first ones those of a model, as far as it has any."""
    before = start.encoder.summary
    network = Summary(before.config.model_copy(update={"size": size}), start.schema)
    first = min(size, before.config.size)
    weights = before.state_dict()
    last = network.head[-1]
    nn.init.normal_(last.weight, std=0.05)
    with torch.no_grad():
        for name, own in (("weight", last.weight), ("bias", last.bias)):
            key = f"head.{len(network.head) - 1}.{name}"
            own[:first] = weights[key][:first]
            weights[key] = own.detach().clone()
    network.load_state_dict(weights)
    return network


def _sizes() -> list[int]:
    return [kind.size for kind in KINDS]


@cache
def _generators() -> list[rdFingerprintGenerator.FingerprintGenerator64]:
    return [kind.generator() for kind in KINDS]


def _counts(smiles: str) -> tuple[np.ndarray, np.ndarray]:
    mol, places, counts, offset = Chem.MolFromSmiles(smiles), [], [], 0
    for kind, generator in zip(KINDS, _generators(), strict=True) if mol is not None else ():
        found = generator.GetCountFingerprint(mol).GetNonzeroElements()
        places += [place + offset for place in found]
        counts += found.values()
        offset += kind.size
    return np.array(places, dtype=np.uint16), np.array(counts, dtype=np.float32)


def _described(smiles: str) -> np.ndarray:
    mol = Chem.MolFromSmiles(smiles)
    return np.full(len(TAUGHT_DESCRIPTORS), np.nan) if mol is None else descriptors(mol, TAUGHT_DESCRIPTORS)


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    data = PackedDataset.load(arguments.data)
    smiles = arguments.molecules.read_text().split()
    if len(data) <= HELD_OUT or data.rows.max() > len(smiles):
        raise SystemExit(
            f"expected more than {HELD_OUT} graphs, all of {arguments.molecules}: got {len(data)}"
        )
    model = autoencoder(arguments.model)
    teacher = Teacher(smiles, arguments.described, arguments.processes)
    pupil = teach(model, data, teacher, arguments.size, arguments.steps, arguments.rate, arguments.seed)
    pupil.turn(arguments.seed)
    joined = taught(model, pupil)
    save(joined, arguments.model, arguments.output)
    print(f"{arguments.output}: codes of {joined.config.code_size} numbers")


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("molecules", type=Path, help="SMILES, one a line and nothing else")
    made.add_argument("data", type=Path, help="packed graphs of these very molecules")
    made.add_argument("--model", default="graph", help="name or path of a model of graphs with a summary")
    made.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    made.add_argument("--size", type=int, default=240, help="numbers of the summary")
    made.add_argument("--steps", type=int, default=30_000)
    made.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    made.add_argument("--described", type=int, default=60_000, help="molecules to describe, the first")
    made.add_argument("--processes", type=int, default=2, help="processes that describe molecules")
    made.add_argument("--seed", type=int, default=0)
    main(made.parse_args())
