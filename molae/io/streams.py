"""Input files as byte streams and as lines of text that junk cannot break."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from molae.errors import DamagedError, DataError, RowError

STANDARD_INPUT = "-"
LINE_LIMIT = 1 << 20
_GZIP = b"\x1f\x8b"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class _StandardInput(io.RawIOBase):
    """Standard input that stays open when the reader on top of it is closed."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = cast(io.BufferedReader, sys.stdin.buffer).read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@dataclass
class Stream:
    """An input opened for reading.

    Attributes:
        source: Path as given, `-` for standard input.
        content: The bytes, decompressed.
        raw: The bytes as stored.
        size: Number of stored bytes, or None for standard input.
    """

    source: str
    content: gzip.GzipFile | io.BufferedReader
    raw: io.BufferedReader
    size: int | None
    _copy: BinaryIO | None = field(default=None, init=False)

    @property
    def fraction(self) -> float | None:
        """Share of the stored bytes that have been read, or None for standard input."""
        return self.raw.tell() / self.size if self.size else None

    def starts_with(self, magic: bytes) -> bool:
        """Whether the content begins with `magic`; nothing is consumed."""
        return self.content.peek(len(magic))[: len(magic)] == magic

    def seekable(self) -> BinaryIO:
        """The content for reading in any order: the file itself, or a temporary copy that closes with it."""
        if self.size is not None and self.content is self.raw:
            return cast(BinaryIO, self.content)
        if self._copy is None:
            self._copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  (closed in `close`)
            shutil.copyfileobj(self.content, self._copy)
        return self._copy

    def close(self) -> None:
        """Closes the file; standard input stays open."""
        if self._copy is not None:
            self._copy.close()
        self.content.close()
        self.raw.close()


def open_stream(source: str | Path) -> Stream:
    """Opens a file or standard input; gzip is recognised by its first bytes, whatever the name.

    Args:
        source: Path, or `-` for standard input.
    Returns:
        The opened stream, to be closed by the caller.
    Raises:
        DataError: If there is no such file, or it cannot be opened.
    """
    name = str(source)
    raw, size = _open_raw(name)
    if raw.peek(2)[:2] == _GZIP:
        return Stream(name, gzip.GzipFile(fileobj=raw, mode="rb"), raw, size)
    return Stream(name, raw, raw, size)


def digest(path: str | Path) -> str:
    """A checksum of the content of a file, or of all files of a folder.

    Raises:
        DataError: If it cannot be read.
    """
    path = Path(path)
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    total = hashlib.sha256()
    try:
        for file in files:
            with file.open("rb") as content:
                total.update(hashlib.file_digest(content, "sha256").digest())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return total.hexdigest()


def _open_raw(name: str) -> tuple[io.BufferedReader, int | None]:
    if name == STANDARD_INPUT:
        return io.BufferedReader(_StandardInput()), None
    path = Path(name)
    if path.is_dir():
        raise DataError(f"{name} is a folder, expected a file of molecules")
    try:
        return path.open("rb"), path.stat().st_size
    except FileNotFoundError as error:
        raise DataError(f"there is no file {name}") from error
    except OSError as error:
        raise DataError(f"cannot open {name}: {error.strerror}") from error


class Lines(Iterator[str]):
    """Lines of text of a byte stream, without their ends (LF, CRLF or CR), in bounded memory.

    The text is UTF-8 with or without a byte order mark; a line that is not is taken for Windows-1252. A line
    of more than `LINE_LIMIT` characters comes cut to one more than that, which `refusal` recognises.

    Args:
        stream: The opened input; it must not be empty.
    Raises:
        DataError: If the input is empty.
    """

    def __init__(self, stream: Stream) -> None:
        self._source = stream.source
        # Bytes that are not UTF-8 survive as lone surrogates until the line is whole, see _clean.
        self._text = io.TextIOWrapper(
            cast(BinaryIO, stream.content), encoding="utf-8-sig", errors="surrogateescape"
        )
        self._pushed: list[str] = []
        if not self.head(1):
            raise DataError(f"{self._source} is empty")

    def __next__(self) -> str:
        if self._pushed:
            return self._pushed.pop()
        line = self._read()
        if not line:
            raise StopIteration
        if line.endswith("\n"):
            return _clean(line[:-1])
        if len(line) > LINE_LIMIT:
            self._skip_rest()
        return _clean(line)

    def push_back(self, lines: list[str]) -> None:
        """Returns lines, in their order, so that they come again."""
        self._pushed.extend(reversed(lines))

    def head(self, count: int) -> list[str]:
        """The next `count` lines, fewer at the end; nothing is consumed."""
        lines = [line for _, line in zip(range(count), self, strict=False)]
        self.push_back(lines)
        return lines

    def _read(self) -> str:
        try:
            return self._text.readline(LINE_LIMIT + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise DamagedError(f"{self._source} is damaged or truncated: {error}") from error

    def _skip_rest(self) -> None:
        while (rest := self._read()) and not rest.endswith("\n"):
            pass


def _clean(line: str) -> str:
    if line.isascii():
        return line
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return line


def refusal(line: str) -> RowError | None:
    """Why a line cannot be text of molecules, or None where it can."""
    if len(line) > LINE_LIMIT:
        return RowError(f"line of more than {LINE_LIMIT} characters", kind="too_long")
    if _CONTROL.search(line):
        return RowError("control characters: binary data, or text that is not UTF-8", kind="binary")
    return None
