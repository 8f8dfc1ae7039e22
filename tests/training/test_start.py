from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from standin import SCHEMA, TinyAutoencoder, write_data

import molae.checkpoint
import molae.training.run
from molae.autoencoder import AutoencoderConfig
from molae.checkpoint import load_checkpoint
from molae.errors import ConfigError, TrainingError
from molae.training import parse_config, train
from molae.training.start import freeze, take_weights


def model(seed: int) -> Any:
    torch.manual_seed(seed)
    return TinyAutoencoder(AutoencoderConfig(), SCHEMA)


def test_weights_in_common_are_taken() -> None:
    target, source = model(0), model(1)
    source.output = torch.nn.Linear(16, 5)
    before = target.output.weight.clone()
    take_weights(target, source)
    torch.testing.assert_close(target.hidden.weight, source.hidden.weight, rtol=0, atol=0)
    torch.testing.assert_close(target.output.weight, before, rtol=0, atol=0)


def test_models_with_nothing_in_common() -> None:
    with pytest.raises(TrainingError, match="no weights in common"):
        take_weights(model(0), torch.nn.Linear(2, 2))  # type: ignore[arg-type]


def test_frozen_parameters_by_name() -> None:
    target = model(0)
    freeze(target, ["hidden", "output.bias"])
    trained = {name for name, parameter in target.named_parameters() if parameter.requires_grad}
    assert trained == {"embedding.weight", "output.weight"}
    with pytest.raises(ConfigError, match=r"begins with 'encoder'; there are embedding\.weight"):
        freeze(target, ["encoder"])


def test_training_from_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (molae.training.run, molae.checkpoint):
        monkeypatch.setattr(place, "Autoencoder", TinyAutoencoder)
    data = write_data(tmp_path / "data.safetensors")
    settings = {"steps": 5, "batch_size": 9, "validation_size": 10, "accelerator": "cpu"}
    first = train(parse_config({"model": {}, "training": settings}), data, tmp_path / "first") / "last"
    more = parse_config({"model": {}, "training": settings | {"seed": 7, "frozen": ["hidden", "embedding"]}})
    second = train(more, data, tmp_path / "second", start=first) / "last"
    before, after = (load_checkpoint(path).state_dict() for path in (first, second))
    for name in ("hidden.weight", "hidden.bias", "embedding.weight"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    assert not torch.equal(after["output.weight"], before["output.weight"])
