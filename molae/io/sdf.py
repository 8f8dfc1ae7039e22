"""SD files: mol blocks with coordinates, and properties."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.errors import DataError, RowError
from molae.io.columns import require_column, unique_names
from molae.io.records import Make, Record, RecordRows, Row, empty_row
from molae.io.streams import Lines, refusal

RECORD_LIMIT = 1 << 22
_TITLE = "name"
_PROPERTY = re.compile(r">.*?<(.*)>")
# Where bonds may be aromatic. If atoms of them are dummies, RDKit tries all kinds of bonds to each: it takes
# twice as long for every further one, hours for thirty.
_AROMATIC = re.compile(r"^(?:.{6}(?:[ 0+]{2}[4-8]|[ 0+][4-8] |[4-8]  )|M  V30 )", re.MULTILINE)
_COUNTS_LINE = 3


class SdfFile(RecordRows):
    """Rows of an SD file; each record is a row, whatever is wrong with it.

    The columns are the title line as `name`, and the properties as text. What follows the last `$$$$` is a
    record too, unless it is blank.

    Args:
        lines: The lines of the file.
        smiles_column: None: the molecules are those of the mol blocks.
        id_column: Name of the property to take as id, or None for the title line.
        source: Name of the input, for error messages.
    Raises:
        DataError: If a SMILES column is asked for. While reading, if the first record lacks the id property.
    """

    def __init__(
        self, lines: Lines, smiles_column: str | None, id_column: str | None, source: str = "input"
    ) -> None:
        if smiles_column is not None:
            raise DataError(f"{source}: SD files hold structures, leave out --smiles-column")
        self.id_column: str = id_column or _TITLE
        self._lines = lines
        self._source = source

    def records(self) -> Iterator[Make]:
        """Reads lazily what makes the records."""
        for number, (lines, error) in enumerate(_split(self._lines), start=1):
            if number == 1 and not error:
                require_column(list(_values(lines)), self.id_column, self._source)
            yield partial(self._record, number, lines, error)

    def columns(self) -> Sequence[str]:
        """The column of the title; properties differ from record to record."""
        return (_TITLE,)

    def _record(self, number: int, lines: list[str], error: RowError | None) -> Record:
        values = {} if error else _values(lines)
        return _record(number, lines, values, values.get(self.id_column, "").strip() or None, error)


def _split(lines: Lines) -> Iterator[tuple[list[str], RowError | None]]:
    """Splits at `$$$$`; of a record that is refused, only as much is held as the limit allows."""
    held: list[str] = []
    size = 0
    error: RowError | None = None
    for line in lines:
        if line.startswith("$$$$"):
            yield held, error
            held, size, error = [], 0, None
            continue
        size += len(line) + 1
        if error is None and size > RECORD_LIMIT:
            error = RowError(f"record of more than {RECORD_LIMIT} characters", kind="too_long")
        error = error or refusal(line)
        if error is None:
            held.append(line)
    if error is not None or any(line.strip() for line in held):
        yield held, error


def _record(
    number: int, lines: list[str], values: dict[str, str], name: str | None, error: RowError | None
) -> Record:
    if error is None:
        try:
            return Record(Row(number, mol=_parse(lines[: _block_length(lines)]), id=name), values)
        except RowError as refused:
            error = refused
    return Record(Row(number, id=name, error=error), values)


def _parse(block: list[str]) -> Chem.Mol:
    if not any(line.strip() for line in block):
        raise empty_row()
    text = "\n".join(block) + "\n"
    with BlockLogs():
        if _AROMATIC.search(text):
            _require_definite(_try_parse(text, sanitize=False))
        mol = _try_parse(text, sanitize=True)
        if mol is None:
            raise _reason(text)
    if mol.GetNumAtoms() == 0:
        raise empty_row()
    return mol


def _require_definite(mol: Chem.Mol | None) -> None:
    for atom in mol.GetAtoms() if mol else ():
        if atom.GetAtomicNum() == 0 or atom.HasQuery():
            raise RowError(
                f"atom {atom.GetIdx()} is no definite element (a dummy, R group or query)", "dummy_atom"
            )


def _try_parse(text: str, sanitize: bool) -> Chem.Mol | None:
    try:
        return Chem.MolFromMolBlock(text, removeHs=False, sanitize=sanitize)
    except (RuntimeError, ValueError):  # RDKit's own checks of its state, reached by some junk
        return None


def _reason(text: str) -> RowError:
    """Finds out what RDKit refused: the text, or the molecule in it."""
    mol = _try_parse(text, sanitize=False)
    if mol is not None:
        try:
            Chem.SanitizeMol(mol)
        except Chem.MolSanitizeException as error:
            return RowError(f"not a valid molecule: {error}", kind="invalid")
        except RuntimeError:  # as above
            pass
    return RowError("not a readable mol block", kind="unparsable")


def _block_length(lines: list[str]) -> int:
    """Number of lines before the properties."""
    for index, line in enumerate(lines[_COUNTS_LINE:], start=_COUNTS_LINE):
        if line.startswith("M  END"):
            return index + 1
        if line.startswith(">"):
            return index
    return len(lines)


def _values(lines: list[str]) -> dict[str, str]:
    """The title and the properties; a property's value ends at the first blank line."""
    names, values = [_TITLE], [lines[0].strip() if lines else ""]
    rest = iter(lines[_block_length(lines) :])
    for line in rest:
        if match := _PROPERTY.match(line):
            names.append(match[1])
            values.append("\n".join(iter(lambda: next(rest, "").rstrip(), "")))
    return dict(zip(unique_names(names), values, strict=True))
