"""Files of molecules to predicted properties, with the uncertainty of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from molae.apps.embed import BATCH_SIZE
from molae.apps.files import OnError
from molae.apps.molecules import Molecule
from molae.apps.properties.features import Featuriser
from molae.apps.properties.model import Predictions
from molae.apps.properties.scaling import Blocks
from molae.apps.properties.storage import FittedTarget, check_origin, load_model
from molae.apps.rows import Progress, SampleWork, Source, Summary, no_progress, process_file
from molae.apps.samples import Sample
from molae.errors import RowError


def predict_file(
    fitted: str | Path,
    source: Source,
    output: str | Path,
    *,
    model: str | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    on_error: OnError = "keep",
    resume: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Writes the input's columns with `status`, `error` and, for each target, what the model says.

    For a target T these are `T_predicted`; for numbers `T_lower` and `T_upper`, the ends of the interval; for
    classes `T_probability_C` for each class C; `T_distance`, the distance to the nearest training molecule in
    the first block of features (the code), 1 being the median among the training molecules; and
    `T_nearest_row`, the row of that molecule in the training table.

    Args:
        fitted: Directory of the fitted model.
        source: The input. Its seed is not looked at: conformers are made as they were for fitting.
        output: Path of the output.
        model: Where the molae model is now that the codes came from, if not where it was.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        on_error: Whether to `keep` failed rows, to `drop` them, or to `fail` at the first.
        resume: Whether to go on with what an interrupted run left.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        MolaeError: If the model, the input or the output cannot be used; with `on_error="fail"`, a RowError
            that names file, row and reason.
    """
    stored = load_model(fitted)
    origin = check_origin(stored, model)
    featuriser = Featuriser(stored.blocks, origin.model or "", "cpu", batch_size, origin.descriptor_names)
    return process_file(
        replace(source, seed=origin.seed),
        output,
        featuriser.schema,
        partial(_open_prediction, featuriser, stored.targets, device),
        {"verb": "predict", "fitted": stored.checksum, "weights": origin.fingerprint},
        device=device,
        on_error=on_error,
        resume=resume,
        progress=progress,
    )


def _open_prediction(
    featuriser: Featuriser, targets: Sequence[FittedTarget], device: str
) -> SampleWork[Sample]:
    featuriser.to(device)

    def work(read: list[Sample | RowError]) -> tuple[list[RowError | None], dict[str, pa.Array]]:
        # Features are of molecules, and a schema of molecules reads nothing else.
        blocks, errors = featuriser.compute(cast("list[Molecule | RowError]", read))
        known = np.array([error is None for error in errors])
        columns: dict[str, pa.Array] = {}
        for target in targets:
            columns |= _columns(target, blocks, known)
        return errors, columns

    return work


def _columns(target: FittedTarget, blocks: Blocks, known: np.ndarray) -> dict[str, pa.Array]:
    """New columns, null where the row has no features."""
    found = target.model.predict({name: values[known] for name, values in blocks.items()})
    columns = {}
    for name, values in _values(target, found):
        held = np.zeros(len(known), dtype=values.dtype)
        held[known] = values
        columns[f"{target.name}_{name}"] = pa.array(held, mask=~known)
    return columns


def _values(target: FittedTarget, found: Predictions) -> Iterator[tuple[str, np.ndarray]]:
    if target.classes:
        yield "predicted", np.array(target.classes, dtype=object)[found.value]
        for index, name in enumerate(target.classes):
            yield f"probability_{name}", found.probabilities[:, index]
    else:
        yield "predicted", found.value
        yield "lower", found.lower
        yield "upper", found.upper
    yield "distance", found.distance
    yield "nearest_row", found.nearest_row
