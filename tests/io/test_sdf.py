from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rdkit import Chem

from molae.errors import DataError
from molae.io import Row, open_rows

WATER = """water
  made by hand 3D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1000 O   0  0
    0.0000    0.7600   -0.5000 H   0  0
    0.0000   -0.7600   -0.5000 H   0  0
  1  2  1  0
  1  3  1  0
M  END
"""
PENTAVALENT = """bad
  made by hand 3D

  6  5  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.0000    0.0000    0.0000 F   0  0
   -1.0000    0.0000    0.0000 F   0  0
    0.0000    1.0000    0.0000 F   0  0
    0.0000   -1.0000    0.0000 F   0  0
    0.0000    0.0000    1.0000 F   0  0
  1  2  1  0
  1  3  1  0
  1  4  1  0
  1  5  1  0
  1  6  1  0
M  END
"""


def read(
    tmp_path: Path, text: str, id_column: str | None = None
) -> tuple[list[Row], dict[str, list[str | None]]]:
    path = tmp_path / "x.sdf"
    path.write_text(text)
    with open_rows(path, id_column=id_column) as reader:
        (chunk,) = reader
    return chunk.rows, chunk.columns.to_pydict()


def test_coordinates_and_hydrogens_are_kept(tmp_path: Path) -> None:
    (row,), _ = read(tmp_path, WATER + "$$$$\n")
    assert row.mol is not None
    assert row.mol.GetNumAtoms() == 3
    assert row.mol.GetConformer().Is3D()
    assert row.mol.GetConformer().GetPositions()[1].tolist() == [0.0, 0.76, -0.5]


def test_bad_records_keep_their_place(tmp_path: Path) -> None:
    junk = "\x00\x07junk\n" * 3
    empty = Chem.MolToMolBlock(Chem.Mol())
    text = "$$$$\n".join([WATER, PENTAVALENT, "no\nmol\nblock\nat all\n", "", junk, empty, WATER])
    rows, columns = read(tmp_path, text)
    assert [row.error.kind if row.error else None for row in rows] == [
        None,
        "invalid",
        "unparsable",
        "empty",
        "binary",
        "empty",
        None,
    ]
    assert [row.number for row in rows] == list(range(1, 8))
    assert rows[1].error is not None
    assert "valence" in rows[1].error.reason
    assert rows[1].id == "bad"
    assert columns["name"] == ["water", "bad", "no", "", None, "", "water"]


@pytest.mark.parametrize("version", [Chem.MolToMolBlock, Chem.MolToV3KMolBlock])
def test_dummies_are_refused_before_rdkit_looks_for_their_bonds(tmp_path: Path, version: Callable) -> None:
    ring = Chem.MolFromSmiles("c1" + "*" * 40 + "c1", sanitize=False)
    (row, water), _ = read(tmp_path, "$$$$\n".join([version(ring, kekulize=False), WATER]))
    assert row.error is not None
    assert row.error.kind == "dummy_atom"
    assert water.error is None


def test_properties_become_columns(tmp_path: Path) -> None:
    first = WATER + ">  <IC50 (uM)> (7)\n1.5\n\n> <note>\ntwo\nlines\n\n$$$$\n"
    second = WATER + "> <name>\nanother\n\n> <empty>\n\n> <IC50 (uM)>\n2.5"
    rows, columns = read(tmp_path, first + second)
    assert columns == {
        "name": ["water", "water"],
        "IC50 (uM)": ["1.5", "2.5"],
        "note": ["two\nlines", None],
        "name.1": [None, "another"],
        "empty": [None, ""],
    }
    assert [row.id for row in rows] == ["water", "water"]


def test_id_may_come_from_a_property(tmp_path: Path) -> None:
    text = WATER + "> <key>\nK1\n\n$$$$\n" + WATER
    rows, _ = read(tmp_path, text, id_column="key")
    assert [row.id for row in rows] == ["K1", None]
    with pytest.raises(DataError, match="did you mean 'key'"):
        read(tmp_path, text, id_column="kee")


def test_nothing_is_printed_about_bad_records(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    read(tmp_path, PENTAVALENT + "$$$$\nno\nmol\nblock\nat all\n")
    assert capfd.readouterr().err == ""
