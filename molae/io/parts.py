"""Output in parts: what is finished survives an interruption, the final file appears only when complete."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from molae.errors import DamagedError, DataError, OutputError, RowError
from molae.io.parquet_file import footer_digest, parquet_parts
from molae.io.streams import STANDARD_INPUT, digest
from molae.io.writers import (
    TABLE_SUFFIXES,
    atomic_path,
    check_folder,
    is_matrix,
    output_suffix,
    temporaries,
    temporary_path,
    write_table,
)

logger = logging.getLogger("molae.io")

_FINGERPRINT = "fingerprint.json"
# In the parts, names say where a column comes from. Only at the end is it known which names the input takes.
_INPUT, _ADDED = "input:", "added:"
# Keys of a part's metadata; those never get into the final file.
_REMARKS, _CONTENT = b"molae_remarks", b"molae_content"
_INPUT_KEY = "input"
_SUFFIX = ".arrows"


def outcome(errors: Sequence[RowError | None]) -> dict[str, pa.Array]:
    """The columns `status` (`ok` or `failed`) and `error` (the reason, null where there is none).

    >>> outcome([None, RowError("not a molecule")])["status"].to_pylist()
    ['ok', 'failed']
    """
    return {
        "status": pa.array(["failed" if error else "ok" for error in errors], pa.string()),
        "error": pa.array([error.reason if error else None for error in errors], pa.string()),
    }


class PartStore:
    """Collects the chunks of an output beside it, in `OUT.parts`, and joins them at the end.

    Every run writes this way: the parts are streams of Arrow's own format, which are written and read at
    little cost beside that of the final file, but take more room than Parquet. Without `resume`, what an
    earlier run left is thrown away; with it, chunks that are `finished` need not be computed again, and the
    final file is, byte for byte, that of a whole run.

        with PartStore("out.parquet", "in.smi", {"model": "molecule", "chunk_size": 1024}, True) as store:
            finished = store.finished()
            for index, chunk in enumerate(reader):
                if index not in finished:
                    store.write(index, chunk.columns, outcome(errors) | {"embedding": vectors})
            store.finish()

    When the block ends early, the parts stay only where there is something to go on from: finished chunks, of
    an input that can be read again. After a DamagedError a repaired input may go on, as far as its chunks are
    those of the damaged one; after any other DataError none can, so the parts go.

    Args:
        output: Path of the final file; its suffix decides the format.
        source: Path of the input, or `-`.
        options: All that the result depends on, the chunk size too, as plain JSON values.
        resume: Whether to go on with what an interrupted run left, if anything.
        suffixes: Formats that can hold this output.
        metadata: What a Parquet file should tell of itself, beside its columns.
    Raises:
        DataError: If the suffix is unknown, the folder is missing, the output is the input itself, or what is
            to be resumed was made from another input or with other options.
    """

    def __init__(
        self,
        output: str | Path,
        source: str | Path,
        options: Mapping[str, Any],
        resume: bool = False,
        suffixes: Sequence[str] = TABLE_SUFFIXES,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._output = Path(output)
        self._metadata = dict(metadata or {})
        self._suffix = output_suffix(self._output, suffixes)
        self._repeatable = str(source) != STANDARD_INPUT
        self._folder = self._output.with_name(self._output.name + ".parts")
        _check_paths(self._output, str(source), resume)
        fingerprint = _fingerprint(str(source), options)
        if left := self._left_fingerprint():
            if resume:
                _check_same(left, fingerprint, self._folder)
            else:
                shutil.rmtree(self._folder)
        self._fingerprint = fingerprint
        self._sweep()
        try:
            self._folder.mkdir(exist_ok=True)
            self._sign(fingerprint)
        except OSError as error:
            raise DataError(f"cannot write to {self._output.parent}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        damaged = isinstance(error, DamagedError)
        if self.resumable is None or (isinstance(error, DataError) and not damaged):
            # What went wrong first is what the user must hear of.
            shutil.rmtree(self._folder, ignore_errors=True)
        elif damaged:
            self._sign(self._fingerprint | {_INPUT_KEY: None})

    @property
    def resumable(self) -> Path | None:
        """The folder of the parts, or None where another run could not go on from it."""
        return self._folder if self._repeatable and any(self._folder.glob(f"*{_SUFFIX}")) else None

    def finished(self) -> dict[int, str]:
        """The chunks that are finished: their numbers, from 0, and the checksums of their rows."""
        told = {int(path.stem): _metadata(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))}
        # What a version without checksums left is made again.
        return {index: values[_CONTENT].decode() for index, values in told.items() if _CONTENT in values}

    def write(
        self,
        index: int,
        columns: pa.Table,
        added: Mapping[str, pa.Array],
        remarks: Mapping[str, Any] | None = None,
        content: str = "",
    ) -> None:
        """Saves a finished chunk.

        Args:
            index: Number of the chunk, from 0.
            columns: The input's columns, perhaps none; none is ever overwritten.
            added: New columns of the same length; where the input has the name already, `molae_` precedes it.
            remarks: What a run that resumes should know of the chunk, as plain JSON values; never part of the
                output.
            content: Checksum of the rows of the chunk.
        Raises:
            OutputError: If it cannot be written; what was saved before stays.
        """
        fields = [entry.with_name(_INPUT + entry.name) for entry in columns.schema]
        fields += [pa.field(_ADDED + name, values.type) for name, values in added.items()]
        table = pa.Table.from_arrays([*columns.columns, *added.values()], schema=pa.schema(fields))
        table = table.replace_schema_metadata({_REMARKS: json.dumps(remarks or {}), _CONTENT: content})
        with (
            self._writing(),
            atomic_path(self._part(index)) as temporary,
            pa.OSFile(str(temporary), "wb") as file,
            pa.ipc.new_stream(file, table.schema) as writer,
        ):
            writer.write_table(table)

    def remarks(self, index: int) -> dict[str, Any]:
        """The remarks on a finished chunk, for instance to count its failures when resuming."""
        return json.loads(_metadata(self._part(index))[_REMARKS])

    def finish(self, count: int | None = None) -> None:
        """Joins chunks 0, 1, 2 ... into the final file, and removes the parts.

        Args:
            count: Number of chunks; None for all.
        Raises:
            DataError: If there is no chunk, or the output format cannot hold the columns.
            OutputError: If the file cannot be written; the parts stay.
        """
        parts = list(self._parts())[:count]
        if not parts:
            raise DataError(f"no rows to write to {self._output}")
        stored = _joint_schema(map(_schema, parts))
        names = _final_names(stored)
        fields = [entry.with_name(name) for entry, name in zip(stored, names, strict=True)]
        final = pa.schema(fields, self._metadata)

        def tables() -> Iterator[pa.Table]:
            for part in parts:
                table = pa.concat_tables([stored.empty_table(), _read(part)], promote_options="default")
                yield table.rename_columns(names)

        with self._writing():
            write_table(self._output, self._suffix, final, tables)
        # Gone at once: half of the parts would be in the way of the next run.
        removed = temporary_path(self._folder)
        self._folder.rename(removed)
        shutil.rmtree(removed)

    def _sign(self, fingerprint: Mapping[str, Any]) -> None:
        with atomic_path(self._folder / _FINGERPRINT) as temporary:
            temporary.write_text(json.dumps(fingerprint, indent=1))

    def _sweep(self) -> None:
        """Removes what a run that was killed left half written."""
        for path in (*temporaries(self._output), *temporaries(self._folder)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = f"; the rows finished before stay in {self._folder}, --resume goes on"
            reason = f"{error.strerror or error}{kept if self.resumable else ''}"
            raise OutputError(f"cannot write {self._output}: {reason}") from error

    def _part(self, index: int) -> Path:
        return self._folder / f"{index:08d}{_SUFFIX}"

    def _parts(self) -> Iterator[Path]:
        index = 0
        while self._part(index).exists():
            yield self._part(index)
            index += 1

    def _left_fingerprint(self) -> dict[str, Any] | None:
        unsigned = set(temporaries(self._folder / _FINGERPRINT))
        if not self._folder.exists() or (self._folder.is_dir() and set(self._folder.iterdir()) <= unsigned):
            return None
        try:
            return json.loads((self._folder / _FINGERPRINT).read_text())
        except (OSError, ValueError) as error:
            # Not ours, or broken: never delete a folder that somebody else may have made.
            raise DataError(f"{self._folder} is in the way: remove it, or name another output") from error


def _metadata(part: Path) -> dict[bytes, bytes]:
    return _schema(part).metadata or {}


def _schema(part: Path) -> pa.Schema:
    with pa.OSFile(str(part)) as file, pa.ipc.open_stream(file) as stream:
        return stream.schema


def _read(part: Path) -> pa.Table:
    with pa.OSFile(str(part)) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all()


def _check_paths(output: Path, source: str, resume: bool) -> None:
    check_folder(output)
    if output.is_dir():
        raise DataError(f"{output} is a folder, expected the name of a file to write")
    if source == STANDARD_INPUT:
        if resume:
            raise DataError("standard input cannot be resumed: save it to a file first")
    elif output.exists() and Path(source).exists() and output.samefile(source):
        raise DataError(f"{output} is the input itself: name another output")


def _fingerprint(source: str, options: Mapping[str, Any]) -> dict[str, Any]:
    content = None if source == STANDARD_INPUT else _content(source)
    return json.loads(json.dumps({_INPUT_KEY: content, **options}))


def _content(source: str) -> str:
    parts = parquet_parts(Path(source))
    return footer_digest(parts) if parts else digest(source)


def _check_same(left: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    different = {key for key in left.keys() | wanted.keys() if left.get(key) != wanted.get(key)}
    if left.get(_INPUT_KEY) is None:
        # It was damaged, and may have been repaired: each chunk is compared instead.
        different -= {_INPUT_KEY}
    if different:
        raise DataError(
            f"cannot resume, {folder} was made with another {', '.join(sorted(different))}: "
            "use the same input and options, or start afresh without --resume"
        )


def _joint_schema(schemas: Iterator[pa.Schema]) -> pa.Schema:
    """All columns of all parts, those of the input first, in the order in which they turned up."""
    joint = pa.schema([])
    for schema in schemas:
        # Nearly all are alike; to hold those of millions of parts would take the memory that parts save.
        if not schema.equals(joint):
            joint = pa.unify_schemas([joint, schema.remove_metadata()], promote_options="default")
    return pa.schema(sorted(joint, key=lambda entry: entry.name.startswith(_ADDED)))


def _final_names(stored: pa.Schema) -> list[str]:
    taken = [entry.name.removeprefix(_INPUT) for entry in stored if entry.name.startswith(_INPUT)]
    for entry in stored:
        if entry.name.startswith(_ADDED):
            name = entry.name.removeprefix(_ADDED)
            # In CSV, a column of vectors is called by its name and a number.
            while name in taken or (is_matrix(entry.type) and any(_is_place(each, name) for each in taken)):
                name = f"molae_{name}"
            if name != entry.name.removeprefix(_ADDED):
                logger.warning("the input has %r: the new one is %r", entry.name.removeprefix(_ADDED), name)
            taken.append(name)
    return taken


def _is_place(name: str, vectors: str) -> bool:
    """Whether a column is called as one of a column of vectors is in CSV."""
    return name.startswith(f"{vectors}_") and name.removeprefix(f"{vectors}_").isdecimal()
