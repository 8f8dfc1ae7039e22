"""Molecules and graphs in from files of any usual kind, tables out, with row numbers and failures."""

from molae.io.parts import PartStore, outcome
from molae.io.readers import CHUNK_SIZE, INPUT_SUFFIXES, Reader, open_rows
from molae.io.records import Chunk, Row
from molae.io.shards import Shard
from molae.io.streams import digest
from molae.io.writers import (
    ARRAY_SUFFIXES,
    LINE_SUFFIXES,
    RECORD_SUFFIXES,
    TABLE_SUFFIXES,
    atomic_path,
    check_folder,
    matrix_column,
    output_suffix,
    write_table,
)

__all__ = [
    "ARRAY_SUFFIXES",
    "CHUNK_SIZE",
    "INPUT_SUFFIXES",
    "LINE_SUFFIXES",
    "RECORD_SUFFIXES",
    "TABLE_SUFFIXES",
    "Chunk",
    "PartStore",
    "Reader",
    "Row",
    "Shard",
    "atomic_path",
    "check_folder",
    "digest",
    "matrix_column",
    "open_rows",
    "outcome",
    "output_suffix",
    "write_table",
]
