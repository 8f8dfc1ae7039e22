from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from standin import SCHEMA, TinyAutoencoder

from molae import catalogue, checkpoint, weights
from molae.autoencoder import AutoencoderConfig
from molae.catalogue import CONFIG, available, read_description, resolve
from molae.checkpoint import load_checkpoint, save_checkpoint, write_directory
from molae.errors import CheckpointError

WEIGHTS = weights.FILE.format(number=1)


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "Autoencoder", TinyAutoencoder)


@pytest.fixture
def model() -> TinyAutoencoder:
    torch.manual_seed(0)
    return TinyAutoencoder(AutoencoderConfig(), SCHEMA)


@pytest.fixture
def saved(model: TinyAutoencoder, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path / "saved", card={"trained on": "paths"}, readme="# A model")
    return tmp_path / "saved"


def edit(path: Path, **changes: Any) -> None:
    """Changes the description of a saved model; None takes a key out."""
    description = json.loads((path / CONFIG).read_text()) | changes
    (path / CONFIG).write_text(json.dumps({k: v for k, v in description.items() if v is not None}))


def replace_weights(path: Path, change: Callable[[dict], dict]) -> None:
    """Changes the weights and keeps the checksum right."""
    save_file(change(load_file(path / WEIGHTS)), path / WEIGHTS)
    edit(path, weights={WEIGHTS: weights._checksum(path / WEIGHTS)})


def test_a_model_comes_back_as_it_was(model: TinyAutoencoder, saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert not loaded.training
    assert (loaded.config, loaded.schema) == (model.config, model.schema)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert read_description(saved)["card"] == {"trained on": "paths"}
    assert (saved / "README.md").read_text() == "# A model"


def test_half_precision_halves_the_file_and_loads_as_float32(model: TinyAutoencoder, saved: Path) -> None:
    half = saved.with_name("half")
    save_checkpoint(model, half, half=True)
    assert load_file(half / WEIGHTS)["hidden.weight"].dtype == torch.float16
    loaded = load_checkpoint(half)
    assert loaded.hidden.weight.dtype == torch.float32
    assert loaded.calls.dtype == torch.int64
    torch.testing.assert_close(loaded.hidden.weight, model.hidden.weight, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("value", "half"), [(float("nan"), False), (1e6, True)])
def test_weights_that_are_lost_in_saving_are_refused(
    model: TinyAutoencoder, tmp_path: Path, value: float, half: bool
) -> None:
    model.output.bias.data[0] = value
    with pytest.raises(CheckpointError, match=r"weight output.bias is not finite"):
        save_checkpoint(model, tmp_path / "bad", half=half)
    assert list(tmp_path.iterdir()) == []


def test_tied_weights_can_be_saved(model: TinyAutoencoder, tmp_path: Path) -> None:
    model.output.bias.data = model.hidden.bias.data[:3]
    save_checkpoint(model, tmp_path / "tied")
    assert torch.equal(load_checkpoint(tmp_path / "tied").output.bias, model.output.bias)


def test_saving_replaces_and_leaves_nothing_else(model: TinyAutoencoder, saved: Path) -> None:
    save_checkpoint(model, saved, card={"second": True})
    assert read_description(saved)["card"] == {"second": True}
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]
    assert not (saved / "README.md").exists()


def test_a_directory_appears_complete_or_not_at_all(saved: Path) -> None:
    before = (saved / CONFIG).read_bytes()
    with pytest.raises(TypeError), write_directory(saved) as partial:
        (partial / CONFIG).write_bytes("fails half-way")  # type: ignore[arg-type]
    assert (saved / CONFIG).read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_what_a_killed_process_left_is_removed(model: TinyAutoencoder, saved: Path) -> None:
    for name in (".saved.abcd_012", ".saved.notes"):
        (saved.parent / name).mkdir()
    save_checkpoint(model, saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == [".saved.notes", "saved"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / CONFIG).unlink(), r"is not a model: it has no config.json"),
        (lambda path: (path / WEIGHTS).unlink(), r"has no weights-01.safetensors: copy the whole directory"),
        (lambda path: (path / CONFIG).write_text("{"), r"config.json is corrupt"),
        (lambda path: (path / CONFIG).write_text("[]"), r"config.json is corrupt"),
        (lambda path: edit(path, schema=None), r"config.json is corrupt: it has no schema"),
        (lambda path: edit(path, format_version=3.5), r"corrupt: there is no format 3.5"),
        (lambda path: edit(path, format_version=0), r"corrupt: there is no format 0"),
        (lambda path: edit(path, format_version=1), r"corrupt: it is no model of format 1"),
        (lambda path: edit(path, card=[1]), r"corrupt: its card is no table"),
        (
            lambda path: edit(path, weights={"../x.safetensors": "0"}),
            r"corrupt: .*x.safetensors. is no file",
        ),
        (lambda path: edit(path, weights={f"weights-{'0' * 300}": "0"}), r"corrupt: .*is no file"),
        (lambda path: (path / CONFIG).write_text("[" * 100_000), r"config.json is corrupt"),
        (lambda path: edit(path, weights={WEIGHTS: 1}), r"is no file of weights with its checksum"),
        (lambda path: edit(path, format_version=99), r"made by a newer molae \(format 99.*upgrade"),
        (
            lambda path: (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes()[:-9]),
            r"corrupt \(checksum",
        ),
        (lambda path: replace_weights(path, lambda w: w | {"extra": torch.ones(1)}), "unexpected extra"),
        (
            lambda path: replace_weights(path, lambda w: {k: v for k, v in w.items() if k != "calls"}),
            "missing calls",
        ),
        (
            lambda path: replace_weights(path, lambda w: w | {"hidden.bias": torch.ones(5)}),
            r"hidden.bias has shape \(5,\), expected \(16,\)",
        ),
    ],
)
def test_damage_is_named(saved: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(saved)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved)


def test_truncated_weights_with_a_fitting_checksum_are_refused(saved: Path) -> None:
    (saved / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes()[:-9])
    edit(saved, weights={WEIGHTS: weights._checksum(saved / WEIGHTS)})
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(saved)


def test_older_formats_are_migrated_step_by_step(
    model: TinyAutoencoder, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = json.loads((saved / CONFIG).read_text())
    description["settings"] = description.pop("config")
    (saved / CONFIG).write_text(json.dumps(description))

    def rename(old: dict[str, Any]) -> dict[str, Any]:
        return {"options" if key == "settings" else key: value for key, value in old.items()}

    def rename_again(old: dict[str, Any]) -> dict[str, Any]:
        return {"config" if key == "options" else key: value for key, value in old.items()}

    now = catalogue.FORMAT_VERSION
    monkeypatch.setattr(catalogue, "FORMAT_VERSION", now + 2)
    monkeypatch.setattr(catalogue, "MIGRATIONS", {now: rename, now + 1: rename_again})
    assert load_checkpoint(saved).config == model.config
    assert read_description(saved)["format_version"] == now + 2


def test_a_model_of_the_first_format_loads(model: TinyAutoencoder, saved: Path) -> None:
    (saved / WEIGHTS).rename(saved / "weights.safetensors")
    checksum = weights._checksum(saved / "weights.safetensors")
    edit(saved, format_version=1, weights=None, weights_sha256=checksum)
    assert torch.equal(load_checkpoint(saved).output.bias, model.output.bias)


def test_large_weights_are_spread_over_files(
    model: TinyAutoencoder, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "MAX_FILE_BYTES", 200)
    save_checkpoint(model, saved)
    files = sorted(path.name for path in saved.glob("*.safetensors"))
    assert len(files) > 1
    assert list(read_description(saved)["weights"]) == files
    for name, value in model.state_dict().items():
        assert torch.equal(load_checkpoint(saved).state_dict()[name], value)
    (saved / files[1]).unlink()
    with pytest.raises(CheckpointError, match=f"has no {files[1]}"):
        load_checkpoint(saved)


def test_every_older_format_has_a_migration() -> None:
    assert sorted(catalogue.MIGRATIONS) == list(range(1, catalogue.FORMAT_VERSION))


def test_models_are_found_by_name_or_path(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_shipped", lambda: saved.parent)
    assert available() == ["saved"]
    assert resolve("saved") == saved
    assert resolve(str(saved)) == saved
    with pytest.raises(CheckpointError, match=r"no model 'savde'.*did you mean 'saved'"):
        resolve("savde")


@pytest.mark.parametrize("name", available())
def test_shipped_models_describe_themselves(name: str) -> None:
    assert read_description(resolve(name))["card"]
    assert (resolve(name) / "README.md").is_file()
