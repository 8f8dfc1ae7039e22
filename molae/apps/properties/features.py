"""Features of molecules for property models: the code of a model, RDKit's descriptors and fingerprints.

Of a code with a summary (`molae.nn.summary`) only that counts as the code here: it is smooth, while what
holds the molecule exactly jumps with the order of its atoms, which a regression has nothing to learn from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from jaxtyping import Bool, Int, UInt8
from rdkit import Chem

from molae.apps.embed import BATCH_SIZE, embed_read
from molae.apps.loading import Model, open_model
from molae.apps.molecules import (
    Molecule,
    as_sources,
    first_conformers,
    in_chunks,
    molecule_schema,
    molecule_workers,
)
from molae.apps.properties.packing import pack_graph, packed_size
from molae.apps.properties.scaling import Blocks
from molae.apps.rows import Progress, Summary, no_progress
from molae.autoencoder import Autoencoder
from molae.batch.schema import Schema
from molae.chem.descriptors import (
    DESCRIPTOR_NAMES,
    ECFP_SIZE,
    FINGERPRINT_SIZE,
    descriptors,
    ecfp_counts,
    fingerprint_counts,
)
from molae.chem.parse import MAX_ATOMS
from molae.chem.scaffolds import scaffold, skeleton
from molae.errors import ConfigError, RowError
from molae.nn.summary import Summary as SummaryNetwork

#: What is read where no code is wanted: any molecule that a model could take, without a conformer.
_WITHOUT_MODEL = molecule_schema(MAX_ATOMS, coordinates=False)


class Featuriser:
    """Computes blocks of features of molecules that were read.

    Args:
        names: Blocks wanted: `code`, `descriptors`, `fingerprints`, `ecfp`; `graph` for packed graphs to
            fine-tune on.
        model: Name, path, or loaded model that codes come from; not looked at where no code is wanted.
        device: Where the model runs.
        batch_size: Molecules that the model takes at once.
        descriptor_names: Descriptors to compute, in order.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If there is no such device.
    """

    def __init__(
        self,
        names: Iterable[str],
        model: Model = "graph",
        device: str = "auto",
        batch_size: int = BATCH_SIZE,
        descriptor_names: Sequence[str] = DESCRIPTOR_NAMES,
    ) -> None:
        self.names = tuple(names)
        self.descriptor_names = tuple(descriptor_names)
        self._model: Autoencoder | None = open_model(model, device) if "code" in self.names else None
        self._batch_size = batch_size
        if "graph" in self.names and self.network is None:
            raise ConfigError("this model has no summary to fine-tune: take graph, molecule or molecule-qm9")

    @property
    def network(self) -> SummaryNetwork | None:
        """The network of the summary, or None where there is none."""
        return self._model.encoder.summary if self._model else None

    @property
    def schema(self) -> Schema:
        """What the graphs of the molecules must carry."""
        return self._model.schema if self._model else _WITHOUT_MODEL

    def to(self, device: str) -> None:
        """Moves the model to a device, `auto`, `cpu` or `cuda`.

        Raises:
            ConfigError: If there is no such device.
        """
        if self._model is not None:
            self._model = open_model(self._model, device)

    def size(self, name: str) -> int:
        """Number of columns of a block."""
        if name == "graph":
            return packed_size(self.schema)
        if name == "code" and self._model:
            return self._model.encoder.summary_size or self._model.config.code_size
        if name == "descriptors":
            return len(self.descriptor_names)
        return FINGERPRINT_SIZE if name == "fingerprints" else ECFP_SIZE

    def compute(self, read: Sequence[Molecule | RowError]) -> tuple[Blocks, list[RowError | None]]:
        """Computes the features.

        Args:
            read: Molecules, or reasons why there are none.
        Returns:
            The blocks, float32, a row of NaN where there is no molecule; and why there is none, else None.
        """
        blocks: dict[str, np.ndarray] = {}
        errors: list[RowError | None] = [each if isinstance(each, RowError) else None for each in read]
        if self._model:
            codes, errors = embed_read(self._model, read, self._batch_size)
            blocks["code"] = codes[:, : self.size("code")]
        mols = [
            each.mol if isinstance(each, Molecule) and error is None else None
            for each, error in zip(read, errors, strict=True)
        ]
        for name in self.names:
            if name == "graph":
                blocks[name] = self._pack(read, errors)
            elif name != "code":
                blocks[name] = self._describe(name, mols)
        return blocks, errors

    def _pack(
        self, read: Sequence[Molecule | RowError], errors: Sequence[RowError | None]
    ) -> UInt8[np.ndarray, "n p"]:
        values = np.zeros((len(read), packed_size(self.schema)), dtype=np.uint8)
        for place, (each, error) in enumerate(zip(read, errors, strict=True)):
            if isinstance(each, Molecule) and error is None:
                values[place] = pack_graph(each.graph, self.schema)
        return values

    def _describe(self, name: str, mols: Sequence[Chem.Mol | None]) -> np.ndarray:
        values = np.full((len(mols), self.size(name)), np.nan, dtype=np.float32)
        for place, mol in enumerate(mols):
            if mol is None:
                continue
            if name == "descriptors":
                values[place] = descriptors(mol, self.descriptor_names)
            else:
                values[place] = fingerprint_counts(mol) if name == "fingerprints" else ecfp_counts(mol)
        return values


@dataclass
class Described:
    """Molecules with their features; those that could not be read are left out.

    Attributes:
        rows: Place of each in the input, from 0.
        smiles: Canonical SMILES, as the model sees the molecule.
        scaffolds: Bemis-Murcko scaffold of each.
        skeletons: SMILES without stereo.
        blocks: Raw features.
        errors: Why a row of the input was left out, by its place.
        summary: Counts of the rows of the input.
        network: The network of the summary that the code comes from, if any.
    """

    rows: np.ndarray
    smiles: list[str]
    scaffolds: list[str]
    skeletons: list[str]
    blocks: Blocks
    errors: dict[int, RowError] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)
    network: SummaryNetwork | None = None

    def take(self, places: np.ndarray) -> Described:
        """The molecules at some places."""
        return Described(
            self.rows[places],
            [self.smiles[place] for place in places],
            [self.scaffolds[place] for place in places],
            [self.skeletons[place] for place in places],
            {name: values[places] for name, values in self.blocks.items()},
            network=self.network,
        )


class Gathering:
    """Collects molecules chunk by chunk into `Described`.

    Args:
        featuriser: What computes the features.
    """

    def __init__(self, featuriser: Featuriser) -> None:
        self._featuriser = featuriser
        self._blocks: list[Blocks] = []
        self._rows: list[int] = []
        self._names: list[tuple[str, str, str]] = []
        self._errors: dict[int, RowError] = {}
        self._summary = Summary()
        self._count = 0

    def add(self, read: Sequence[Molecule | RowError], wanted: Bool[np.ndarray, " n"] | None = None) -> None:
        """Adds the next rows of the input.

        Args:
            read: The molecules, or reasons why there are none.
            wanted: Which of them are wanted, None for all; the others are counted, and not described.
        """
        chosen = list(range(len(read)) if wanted is None else np.flatnonzero(wanted).tolist())
        blocks, found = self._featuriser.compute([read[place] for place in chosen])
        errors: list[RowError | None] = [each if isinstance(each, RowError) else None for each in read]
        for place, error in zip(chosen, found, strict=True):
            errors[place] = error
        self._summary.count(read, errors)
        self._errors |= {self._count + place: error for place, error in enumerate(errors) if error}
        good = [error is None for error in found]
        self._blocks.append({name: values[good] for name, values in blocks.items()})
        for place in compress(chosen, good):
            mol = read[place].mol  # type: ignore[union-attr]  # there is no error
            self._rows.append(self._count + place)
            self._names.append((Chem.MolToSmiles(mol), scaffold(mol), skeleton(mol)))
        self._count += len(read)

    @property
    def described(self) -> int:
        """Number of molecules that are described."""
        return len(self._rows)

    @property
    def rows(self) -> Int[np.ndarray, " m"]:
        """Place in the input of each molecule that is described."""
        return np.array(self._rows, dtype=np.int64)

    def keep(self, which: Bool[np.ndarray, " m"]) -> None:
        """Forgets all but some of the molecules that are described."""
        self._rows = self.rows[which].tolist()
        self._names = [names for names, kept in zip(self._names, which, strict=True) if kept]
        self._blocks = [{name: values[which] for name, values in self._joined().items()}]

    def result(self) -> Described:
        """All that was added."""
        smiles, scaffolds, skeletons = ([names[each] for names in self._names] for each in range(3))
        network = self._featuriser.network
        return Described(
            self.rows, smiles, scaffolds, skeletons, self._joined(), self._errors, self._summary, network
        )

    def _joined(self) -> Blocks:
        return {
            name: np.vstack([part[name] for part in self._blocks])
            if self._blocks
            else np.empty((0, self._featuriser.size(name)))
            for name in self._featuriser.names
        }


def describe(
    molecules: Iterable[object],
    featuriser: Featuriser,
    num_workers: int = 0,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Described:
    """Computes the features of molecules in memory.

    Args:
        molecules: SMILES, or RDKit molecules.
        featuriser: What computes the features.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of the conformers.
        progress: Told after every few molecules.
    Returns:
        The molecules with their features.
    Raises:
        DataError: If it is a single molecule.
    """
    sources = as_sources(molecules)
    gathering = Gathering(featuriser)
    with molecule_workers(featuriser.schema, seed, num_workers) as workers:
        chunks = in_chunks(sources, featuriser.schema)
        for _, read in workers.map_chunks(chunks, lambda count: progress(count, len(sources))):
            gathering.add(first_conformers(read))
    return gathering.result()
