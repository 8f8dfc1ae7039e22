from __future__ import annotations

from pathlib import Path

import pytest

from molae.errors import ConfigError
from molae.training import parse_config, read_config


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model]\n[training]\nsteps = 12\nbetas = [0.9, 0.95]\nprecision = 'bf16-mixed'\n")
    settings = read_config(path).training
    assert (settings.steps, settings.betas, settings.precision) == (12, (0.9, 0.95), "bf16-mixed")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": {}, "training": {"batchsize": 3}},
            r"unknown key 'batchsize' in \[training\].*'batch_size'",
        ),
        ({"model": {}, "train": {}}, r"unknown key 'train' in \[config file\].*'training'"),
        ({"model": {"encodr": {}}}, r"unknown key 'encodr' in \[model\].*'encoder'"),
        ({"model": {}, "training": {"steps": 0}}, r"\[training\] steps: .*got 0"),
        ({"model": {}, "training": {"precision": "16"}}, r"\[training\] precision: .*bf16-mixed"),
        ({"model": {}, "data": {"coordinates": "3D"}}, r"\[data\] coordinates: .*got '3D'"),
        ({"training": {}}, r"\[config file\] model: Field required"),
        ({"model": {"kind": "conformer", "widthh": 3}}, r"unknown key 'widthh' in \[model\].*'width'"),
        ({"model": {"encoder": {"name": "slot"}}}, r"no encoder is called 'slot': did you mean 'slots'"),
        ({"model": {"regulariser": {"name": "mask"}}}, r"no regulariser is called 'mask'.*'masked'"),
        (
            {"model": {"decoder": {"name": "slots", "widthh": 3}}},
            r"unknown key 'widthh' in \[decoder.slots\]",
        ),
        ({"model": {"kind": "conformr"}}, r"unknown key 'kind' in \[model\]"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(values)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("steps : 3")
    with pytest.raises(ConfigError, match="not a TOML file"):
        read_config(tmp_path / "bad.toml")
    (tmp_path / "deep.toml").write_text("steps = " + "[" * 10_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_config(tmp_path / "deep.toml")
    with pytest.raises(ConfigError, match="cannot read"):
        read_config(tmp_path)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "data" / "configs").glob("*.toml")))
def test_the_configs_that_ship_say_what_they_are_for(path: Path) -> None:
    expected = None if path.stem == "conformer" else path.stem.startswith("molecule")
    assert read_config(path).data.coordinates == expected
