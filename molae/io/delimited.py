"""Comma- and tab-separated files with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from molae.errors import DataError, RowError
from molae.io.columns import choose_id_column, choose_smiles_column, unique_names
from molae.io.records import Make, Record, RecordRows, Row, empty_row
from molae.io.streams import LINE_LIMIT, Lines, refusal

_QUOTED_LINES = 100  # most lines that one quoted field may span


class DelimitedFile(RecordRows):
    """Rows of a file of delimited text whose first line names the columns.

    Quoting follows RFC 4180. A row with the wrong number of fields, or a quote that does not close, spoils
    only itself: the lines after it are read as rows of their own. An empty line is no row (some programs
    write one after every row), except where there is a single column, so that it is an empty cell.

    Args:
        lines: The lines of the file.
        delimiter: The character between fields, or None to find comma, semicolon or tab in the header.
        smiles_column: Name of the SMILES column, or None to find it.
        id_column: Name of the column of names, or None to find it.
        source: Name of the input, for error messages.
    Raises:
        DataError: If the first line is no header, or a column is missing.
    """

    def __init__(
        self,
        lines: Lines,
        delimiter: str | None,
        smiles_column: str | None,
        id_column: str | None,
        source: str = "input",
    ) -> None:
        self._lines = lines
        self._delimiter = delimiter or find_delimiter(lines.head(1)[0])
        header, error = next(self._split(), ([], None))
        if error is not None or not header:
            raise DataError(f"{source}: the first line must name the columns: {error or 'it is empty'}")
        self._header = unique_names([name.strip() for name in header])
        self.smiles_column = self._smiles = choose_smiles_column(self._header, smiles_column, source)
        self.id_column = choose_id_column(self._header, id_column, source)

    def records(self) -> Iterator[Make]:
        """Reads lazily what makes the records."""
        rows = (
            (fields, error) for fields, error in self._split() if fields != [""] or len(self._header) == 1
        )
        return (partial(self._record, number, *row) for number, row in enumerate(rows, start=1))

    def columns(self) -> Sequence[str]:
        """The names in the header."""
        return self._header

    def _record(self, number: int, fields: list[str], error: RowError | None) -> Record:
        values = dict(zip(self._header, fields, strict=False))
        if error is None and len(fields) != len(self._header):
            error = RowError(f"{len(fields)} fields, the header has {len(self._header)}", kind="ragged")
        if error is not None:
            return Record(Row(number, error=error), values)
        smiles = values[self._smiles].strip() or None
        name = values[self.id_column].strip() or None if self.id_column else None
        return Record(Row(number, smiles=smiles, id=name, error=None if smiles else empty_row()), values)

    def _split(self) -> Iterator[tuple[list[str], RowError | None]]:
        """Splits line after line into fields; a quoted field may take further lines."""
        for line in self._lines:
            if error := refusal(line):
                yield [], error
            elif '"' in line:
                yield self._split_quoted(line)
            else:
                yield line.split(self._delimiter), None

    def _split_quoted(self, line: str) -> tuple[list[str], RowError | None]:
        taken: list[str] = []

        def feed() -> Iterator[str]:
            yield line + "\n"
            for further in islice(self._lines, _QUOTED_LINES):
                taken.append(further)
                if refusal(further) or sum(map(len, taken)) > LINE_LIMIT:
                    return
                yield further + "\n"

        allow_long_fields()
        try:
            return next(csv.reader(feed(), delimiter=self._delimiter, strict=True)), None
        except csv.Error as error:
            # The quote may be a stray one: only this line is bad, those looked at beyond it come again.
            self._lines.push_back(taken)
            return line.split(self._delimiter), RowError(f"malformed quoting: {error}", kind="quoting")


def allow_long_fields() -> None:
    """Has the module `csv` read fields as long as a line may be; it refuses them otherwise."""
    csv.field_size_limit(max(csv.field_size_limit(), 2 * LINE_LIMIT))


def find_delimiter(header: str) -> str:
    """The delimiter of a header: comma unless it has none and has semicolons or tabs."""
    return next((delimiter for delimiter in ",;\t" if delimiter in header), ",")
