"""Tables of labels: which of their rows are used."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from propertytable import SMILES, VALUES, write_table
from rdkit import Chem

from molae.apps.properties.features import Featuriser
from molae.apps.properties.table import Lottery, Table, read_table
from molae.apps.rows import Source
from molae.errors import DataError


def read(folder: Path, labels: list[object], most: int = 100, seed: int = 0) -> Table:
    path = write_table(folder / "t.csv", {"smiles": SMILES, "y": labels, "part": ["train"] * len(labels)})
    return read_table(Source(path, seed=seed), Featuriser(["descriptors"]), ["y"], ["part"], most=most)


def test_rows_without_a_label_are_counted_but_not_described(tmp_path: Path) -> None:
    labels = ["" if row % 3 else VALUES[row] for row in range(len(SMILES))]
    table = read(tmp_path, labels)
    assert table.molecules.rows.tolist() == list(range(0, len(SMILES), 3))
    assert len(table.molecules.blocks["descriptors"]) == len(table.cells["part"]) == len(table.molecules.rows)
    assert table.molecules.summary.ok == len(SMILES)


def test_of_many_rows_some_random_ones_are_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "molae.apps"):
        table, again, other = (read(tmp_path, VALUES, 7, seed) for seed in (0, 0, 1))
    rows = table.molecules.rows.tolist()
    assert len(rows) == len(set(rows)) == len(table.molecules.smiles) == 7
    assert rows == again.molecules.rows.tolist() != other.molecules.rows.tolist()
    assert [float(cell) for cell in table.cells["y"]] == pytest.approx([VALUES[row] for row in rows])
    whole = read(tmp_path, VALUES)
    np.testing.assert_array_equal(
        table.molecules.blocks["descriptors"], whole.molecules.blocks["descriptors"][rows]
    )
    assert "7 random ones are used" in caplog.text


def test_a_property_of_sd_records_may_come_late(tmp_path: Path) -> None:
    path = tmp_path / "t.sdf"
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    records = [block + (f">  <y>\n{row}\n\n" if row > 1100 else "") + "$$$$\n" for row in range(1110)]
    path.write_text("".join(records))
    table = read_table(Source(path), Featuriser(["descriptors"]), ["y"])
    assert table.molecules.rows.tolist() == list(range(1101, 1110))
    with pytest.raises(DataError, match="no column 'Y'"):
        read_table(Source(path), Featuriser(["descriptors"]), ["Y"])


def test_a_lottery_gives_every_row_the_same_chance() -> None:
    drawn = np.zeros(100)
    for seed in range(400):
        lottery, rows = Lottery(10, seed), np.empty(0, dtype=np.int64)
        for begin in range(0, 100, 5):
            rows = np.append(rows, begin + np.flatnonzero(lottery.enter(5)))
            if len(rows) > 20:
                rows = rows[lottery.winners(rows)]
        rows = rows[lottery.winners(rows)]
        assert len(rows) == 10
        drawn[rows] += 1
    # 40 times each, with a deviation of 6.
    assert drawn.min() > 15
    assert drawn.max() < 65
