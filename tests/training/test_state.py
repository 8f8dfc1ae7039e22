from __future__ import annotations

from pathlib import Path

import pytest
import torch
from standin import SCHEMA, TinyAutoencoder, write_data

from molae.autoencoder import AutoencoderConfig
from molae.batch.packed import PackedDataset
from molae.errors import TrainingError
from molae.training.state import (
    PROGRESS,
    TENSORS,
    Progress,
    flatten,
    latest_state,
    load_batch,
    load_state,
    restore,
    save_batch,
    save_state,
)


def stepped(seed: int) -> tuple[TinyAutoencoder, TinyAutoencoder, torch.optim.AdamW]:
    """A model, another one, and the optimizer of the first after a step."""
    torch.manual_seed(seed)
    model, average = (TinyAutoencoder(AutoencoderConfig(), SCHEMA) for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    return model, average, optimizer


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    run = stepped(0)
    progress = Progress(step=7, config={"a": 1}, best={"exact": 0.5, "step": 4}, waited=2, seconds=1.5)
    save_state(tmp_path, progress, flatten(*run))
    loaded, tensors = load_state(latest_state(tmp_path))
    assert loaded == progress
    other = stepped(1)
    restore(tensors, *other)
    expected, found = flatten(*run), flatten(*other)
    assert expected.keys() == found.keys()
    assert any(name.startswith("optimizer.exp_avg_sq.") for name in expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)


def test_only_the_newest_state_is_kept(tmp_path: Path) -> None:
    for step in (3, 12):
        save_state(tmp_path, Progress(step, {}), {"model.a": torch.ones(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000012"]
    assert latest_state(tmp_path / "nothing") is None


@pytest.mark.parametrize("name", [PROGRESS, TENSORS])
def test_a_corrupt_state_is_refused(tmp_path: Path, name: str) -> None:
    path = save_state(tmp_path, Progress(1, {}), {"model.a": torch.ones(100)})
    (path / name).write_bytes((path / name).read_bytes()[:-5])
    with pytest.raises(TrainingError, match="cannot read the saved state"):
        load_state(path)


def test_a_state_of_another_model_is_refused() -> None:
    run = stepped(0)
    tensors = flatten(*run)
    tensors["model.output.weight"] = torch.ones(1)
    with pytest.raises(TrainingError, match="of another model"):
        restore(tensors, *run)


def test_a_batch_comes_back_as_it_was(tmp_path: Path) -> None:
    batch = PackedDataset.load(write_data(tmp_path / "data.safetensors", 5)).batch([0, 3])
    save_batch(batch, tmp_path / "batch.safetensors")
    loaded = load_batch(tmp_path / "batch.safetensors")
    for name in ("nodes", "edges", "mask", "pos", "slot", "mirror_slot", "tie"):
        assert torch.equal(getattr(loaded, name), getattr(batch, name))
