"""SMILES files: a molecule a line, the SMILES first, then blanks and a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from molae.io.columns import choose_id_column, choose_smiles_column, is_smiles_name
from molae.io.records import Make, Record, RecordRows, Row, empty_row
from molae.io.streams import Lines, refusal

_COLUMNS = ("smiles", "id")
# A CXSMILES extension (`|...|`: enhanced stereo and the like) belongs to the SMILES, not to the name.
_LINE = re.compile(r"\s*(?P<smiles>\S+(?:\s+\|[^|]*\|)?)\s*(?P<id>.*)", re.DOTALL)


class SmilesFile(RecordRows):
    """Rows of a SMILES file.

    A first line that begins with `smiles` or another usual column name is a header. An empty line is a row
    with an error, as is any line that is not text, so that every line keeps its number.

    Args:
        lines: The lines of the file.
        smiles_column: None or `smiles`.
        id_column: None or `id`.
        source: Name of the input, for error messages.
    Raises:
        DataError: If another column is asked for.
    """

    def __init__(
        self, lines: Lines, smiles_column: str | None, id_column: str | None, source: str = "input"
    ) -> None:
        self.smiles_column = choose_smiles_column(_COLUMNS, smiles_column, source)
        self.id_column = choose_id_column(_COLUMNS, id_column, source)
        self._lines = lines
        first = lines.head(1)[0].split(maxsplit=1)
        if first and is_smiles_name(first[0]):
            next(lines)

    def records(self) -> Iterator[Make]:
        """Reads lazily what makes the records."""
        return (partial(_record, number, line) for number, line in enumerate(self._lines, start=1))

    def columns(self) -> Sequence[str]:
        """The names given to what stands in a line."""
        return _COLUMNS


def _record(number: int, line: str) -> Record:
    if error := refusal(line):
        return Record(Row(number, error=error))
    parts = _LINE.fullmatch(line)
    if parts is None:
        return Record(Row(number, error=empty_row()))
    values = {name: text.strip() for name, text in parts.groupdict().items() if text.strip()}
    return Record(Row(number, smiles=values["smiles"], id=values.get("id")), values)
