from __future__ import annotations

import csv
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standin
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from standin import SilentTinyAutoencoder, TinyAutoencoder, write_data
from torch import Tensor

import molae.checkpoint
import molae.training.run
from molae.autoencoder import AutoencoderConfig
from molae.batch.packed import PackedDataset, pack
from molae.catalogue import read_description
from molae.checkpoint import load_checkpoint
from molae.errors import DataError, TrainingError
from molae.testing import SCHEMA, all_graphs
from molae.training import TrainConfig, parse_config, train
from molae.training.run import build_fabric, launch, split
from molae.training.state import PROGRESS, Progress, latest_state, load_batch, load_state

SHORT: dict[str, Any] = {
    "steps": 12,
    "batch_size": 9,
    "warmup_steps": 3,
    "learning_rate": 0.01,
    "validation_size": 10,
    "validate_every": 5,
    "log_every": 4,
    "checkpoint_minutes": 0,
    "accelerator": "cpu",
}


def config(**changes: Any) -> TrainConfig:
    return parse_config({"model": {}, "training": SHORT | changes})


def state(output: Path) -> tuple[Progress, dict[str, Tensor]]:
    path = latest_state(output / "states")
    assert path is not None
    return load_state(path)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 0.0) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=tolerance, atol=tolerance, msg=name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data.safetensors")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the model class that is trained and loaded."""

    def set_class(model: type) -> None:
        monkeypatch.setattr(molae.training.run, "Autoencoder", model)
        monkeypatch.setattr(molae.checkpoint, "Autoencoder", model)

    set_class(TinyAutoencoder)
    return set_class


class Interrupted(TinyAutoencoder):
    """Is interrupted in its seventh step, which is neither one to log nor one to validate at."""

    def loss(self, batch: Any, generator: Any, step: int) -> dict[str, Tensor]:
        if self.calls == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return super().loss(batch, generator, step)


class Diverging(TinyAutoencoder):
    """Has a loss with a gradient that is not a number from its seventh step on."""

    def loss(self, batch: Any, generator: Any, step: int) -> dict[str, Tensor]:
        terms = super().loss(batch, generator, step)
        if self.calls >= 7:
            terms["loss"] = terms["loss"] + (self.hidden.bias[0] * 0).sqrt()
        return terms


class Stuck(TinyAutoencoder):
    """Never rebuilds a molecule any better."""

    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        return {
            "exact": torch.zeros(len(batch), dtype=torch.bool),
            "rmsd": torch.full((len(batch),), torch.nan),
        }


class Mixed(TinyAutoencoder):
    """Notes the precision it runs in."""

    seen: list[bool]

    def loss(self, batch: Any, generator: Any, step: int) -> dict[str, Tensor]:
        Mixed.seen.append(torch.is_autocast_enabled("cpu"))
        return super().loss(batch, generator, step)


def test_an_interrupted_and_resumed_run_ends_in_the_same_weights(
    tmp_path: Path, data: Path, use: Any
) -> None:
    train(config(), data, tmp_path / "whole")
    before = signal.getsignal(signal.SIGINT)
    use(Interrupted)
    train(config(), data, tmp_path / "parts")
    assert signal.getsignal(signal.SIGINT) is before
    assert state(tmp_path / "parts")[0].step == 7
    use(TinyAutoencoder)
    train(config(), data, tmp_path / "parts", resume=True)
    (whole, expected), (parts, found) = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert_same(found, expected)
    assert parts.step == 12
    assert parts.best == whole.best
    for name in ("best", "last"):
        files = [load_file(tmp_path / run / name / "weights-01.safetensors") for run in ("whole", "parts")]
        assert_same(files[1], files[0])


def test_a_state_of_an_older_version_goes_on(tmp_path: Path, data: Path, use: Any) -> None:
    train(config(steps=5), data, tmp_path / "run")
    path = latest_state(tmp_path / "run" / "states") / PROGRESS
    progress = json.loads(path.read_text())
    del progress["config"]["model"]["regulariser"]
    path.write_text(json.dumps(progress))
    train(config(steps=6), data, tmp_path / "run", resume=True)
    assert state(tmp_path / "run")[0].step == 6
    other = config(steps=7).model_copy(update={"model": AutoencoderConfig(code_size=8)})
    with pytest.raises(TrainingError, match="of another model"):
        train(other, data, tmp_path / "run", resume=True)


def test_a_model_that_a_killed_run_did_not_save_is_saved_by_the_next(
    tmp_path: Path, data: Path, use: Any
) -> None:
    train(config(), data, tmp_path / "run")
    weights = tmp_path / "run" / "last" / "weights-01.safetensors"
    expected = weights.read_bytes()
    # Killed between the state and its model, half of which is written.
    (tmp_path / "run" / "last").rename(tmp_path / "run" / ".last.abc_4567")
    train(config(), data, tmp_path / "run", resume=True)
    assert weights.read_bytes() == expected
    assert not (tmp_path / "run" / ".last.abc_4567").exists()


def test_validation_and_logging_do_not_change_the_weights(tmp_path: Path, data: Path, use: Any) -> None:
    train(config(), data, tmp_path / "a")
    train(config(validate_every=100, log_every=100, checkpoint_minutes=5), data, tmp_path / "b")
    assert_same(state(tmp_path / "b")[1], state(tmp_path / "a")[1])


def test_training_learns_and_exports_the_best_average(tmp_path: Path, data: Path, use: Any) -> None:
    train(config(steps=60, ema_decay=0.9), data, tmp_path / "run")
    with (tmp_path / "run" / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert losses[-1] < losses[0]
    validated = {int(row["step"]): row for row in rows if row["validation/exact"]}
    assert list(validated) == list(range(5, 61, 5))
    ranks = {
        step: (float(row["validation/exact"]), -float(row["validation/rmsd_median"]))
        for step, row in validated.items()
    }
    card = read_description(tmp_path / "run" / "best")["card"]
    assert card["step"] == max(ranks, key=ranks.__getitem__)
    _, tensors = state(tmp_path / "run")
    last = load_checkpoint(tmp_path / "run" / "last")
    assert_same(dict(last.state_dict()), {k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    assert not torch.equal(tensors["average.output.weight"], tensors["model.output.weight"])


def test_two_processes_do_what_one_does(tmp_path: Path, data: Path, use: Any) -> None:
    use(SilentTinyAutoencoder)
    train(config(), data, tmp_path / "one")
    two = config(devices=2)
    launch(build_fabric(two.training), partial(standin.train_silent, two, data, tmp_path / "two"))
    (one, expected), (both, found) = state(tmp_path / "one"), state(tmp_path / "two")
    assert_same(found, expected, tolerance=1e-5)
    assert both.best == pytest.approx(one.best, rel=1e-4)


def test_the_group_of_processes_ends_with_the_work_however_that_ends(tmp_path: Path) -> None:
    def fail(fabric: Fabric) -> None:
        group = f"file://{tmp_path / 'group'}"
        torch.distributed.init_process_group("gloo", init_method=group, rank=0, world_size=1)
        raise ValueError("nothing to do")

    with pytest.raises(ValueError, match="nothing to do"):
        launch(Fabric(accelerator="cpu", devices=1), fail)
    assert not torch.distributed.is_initialized()


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_its_batch(
    tmp_path: Path, data: Path, use: Any
) -> None:
    use(Diverging)
    with pytest.raises(TrainingError, match=r"not finite at step 6; its batch is in .*bad-batch-00000006"):
        train(config(), data, tmp_path / "run")
    assert len(load_batch(tmp_path / "run" / "bad-batch-00000006.safetensors")) == 9
    progress, tensors = state(tmp_path / "run")
    assert progress.step == 5
    assert all(value.isfinite().all() for value in tensors.values())


def test_training_stops_when_it_gets_no_better(tmp_path: Path, data: Path, use: Any) -> None:
    use(Stuck)
    train(config(steps=100, patience=2), data, tmp_path / "run")
    assert state(tmp_path / "run")[0].step == 15
    assert read_description(tmp_path / "run" / "best")["card"]["step"] == 5


def test_the_last_steps_run_in_full_precision(tmp_path: Path, data: Path, use: Any) -> None:
    use(Mixed)
    Mixed.seen = []
    train(config(precision="bf16-mixed", full_precision_steps=3), data, tmp_path / "run")
    assert Mixed.seen == [True] * 9 + [False] * 3


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path, data: Path, use: Any) -> None:
    train(config(steps=2), data, tmp_path / "run")
    with pytest.raises(TrainingError, match="already holds a run"):
        train(config(steps=2), data, tmp_path / "run")


def test_validation_data_are_split_off_by_the_seed_or_given(data: Path) -> None:
    dataset = PackedDataset.load(data)
    training, validation = split(dataset, None, config().training)
    assert sorted([*training.rows, *validation.rows]) == list(range(60))
    assert len(validation) == 10
    again = split(dataset, None, config().training)[1]
    assert list(again.rows) == list(validation.rows)
    assert list(split(dataset, None, config(seed=1).training)[1].rows) != list(validation.rows)
    training, validation = split(training, validation, config(validation_size=4).training)
    assert (len(training), len(validation)) == (50, 4)
    with pytest.raises(DataError, match="leave 0 for training"):
        split(dataset, None, config(validation_size=60).training)


def test_graphs_that_a_reflection_maps_to_themselves_come_more_often(tmp_path: Path) -> None:
    path = tmp_path / "graphs.safetensors"
    pack(enumerate(all_graphs().values()), SCHEMA, path)
    dataset = PackedDataset.load(path)
    validation = dataset.subset(np.arange(10))
    training, kept = split(dataset, validation, config(exchanged_repeats=3, validation_size=10).training)
    expected = np.repeat(dataset.rows, np.where(dataset.exchanged, 3, 1))
    assert len(expected) > len(dataset)
    assert training.rows.tolist() == expected.tolist()
    assert len(kept) == 10
