from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.io import Row, open_rows

CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], include_characters="\n,\"'"), max_size=8
)


def read(path: Path) -> tuple[list[Row], list[dict[str, str | None]]]:
    with open_rows(path) as reader:
        chunks = list(reader)
    return [r for c in chunks for r in c.rows], [line for c in chunks for line in c.columns.to_pylist()]


def read_text(tmp_path: Path, text: str) -> list[tuple[str | None, str | None]]:
    path = tmp_path / "x.csv"
    path.write_text(text)
    rows, _ = read(path)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [(row.smiles, row.error.kind if row.error else None) for row in rows]


def test_ragged_rows_spoil_only_themselves(tmp_path: Path) -> None:
    assert read_text(tmp_path, "smiles,x\nC,1\nCC\nCCC,1,2\nCCCC,1\n") == [
        ("C", None),
        (None, "ragged"),
        (None, "ragged"),
        ("CCCC", None),
    ]


def test_stray_quotes_spoil_only_their_line(tmp_path: Path) -> None:
    text = 'smiles,x\nC,"open\nCC,ok\nCCC,"a, b"\nCCCC,5" pipe\nCCCCC,"two\nlines"\nO,"x"y\nOO,"end\n'
    assert read_text(tmp_path, text) == [
        (None, "quoting"),
        ("CC", None),
        ("CCC", None),
        ("CCCC", None),
        ("CCCCC", None),
        (None, "quoting"),
        (None, "quoting"),
    ]


def test_a_quote_that_never_closes_does_not_swallow_the_file(tmp_path: Path) -> None:
    read_back = read_text(tmp_path, 'smiles,x\nC,"open\n' + "CC,1\n" * 500)
    assert read_back == [(None, "quoting")] + [("CC", None)] * 500


def test_empty_cells_are_rows_but_empty_lines_are_not(tmp_path: Path) -> None:
    assert read_text(tmp_path, "x,smiles\r\n\r\n1,C \r\n\r\n2,\r\n,\r\n") == [
        ("C", None),
        (None, "empty"),
        (None, "empty"),
    ]


def test_an_empty_line_of_a_single_column_is_an_empty_cell(tmp_path: Path) -> None:
    assert read_text(tmp_path, "smiles\nC\n\nCC\n") == [("C", None), (None, "empty"), ("CC", None)]


def test_repeated_and_marked_headers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbf"smiles",x, x \nC,1,2\nCC,gr\xfcn,\x02\n')
    rows, lines = read(path)
    assert lines[0] == {"smiles": "C", "x": "1", "x.1": "2"}
    assert rows[1].error is not None
    assert rows[1].error.kind == "binary"


def test_a_header_that_repeats_itself_without_end_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("smiles" + ",x" * 20_000 + "\nC\n")
    with open_rows(path) as reader:
        (chunk,) = reader
    assert chunk.columns.column_names[-1] == "x.19999"


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@given(table=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_whatever_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, table: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"written{suffix}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="," if suffix == ".csv" else "\t")
        writer.writerows([("smiles", "x"), *table])
    rows, lines = read(path)
    assert [(line["smiles"], line["x"]) for line in lines] == table
    assert [row.smiles for row in rows] == [smiles.strip() or None for smiles, _ in table]
