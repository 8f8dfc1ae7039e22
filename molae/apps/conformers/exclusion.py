"""Molecules that must not be in training data: those of other files, whatever their stereo and salt."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.apps.chunks import chunk_sources
from molae.apps.conformers.isomers import read_whole
from molae.apps.molecules import Source as Molecular
from molae.apps.rows import Source
from molae.apps.workers import Workers, keep_failure
from molae.errors import DataError, LeftOut, RowError

logger = logging.getLogger("molae.apps")

_BLOCK = 14
_LIMIT = 60.0  # seconds for a molecule


def skeleton_key(mol: Chem.Mol) -> str:
    """First block of the InChIKey: the same for all stereoisomers, isotopes and states of protonation.

    Raises:
        RowError: `no_inchikey`, if InChI cannot take the molecule.
    """
    bare = Chem.Mol(mol)
    bare.RemoveAllConformers()
    with BlockLogs():
        key = Chem.MolToInchiKey(bare)
    if not key:
        raise RowError("no InChIKey to compare with the molecules that are to be left out", "no_inchikey")
    return key[:_BLOCK]


def read_exclusion(paths: Sequence[str | Path], num_workers: int = 0) -> dict[str, str]:
    """Reads the molecules that are to be left out.

    Args:
        paths: Files of molecules of any format; of a salt, the largest fragment counts.
        num_workers: Further processes that read them.
    Returns:
        For the key of each molecule (see `skeleton_key`) the name of a file that has it. Rows that cannot be
        read are logged with their number.
    Raises:
        DataError: If a file cannot be read, or holds no molecule.
    """
    found: dict[str, str] = {}
    for path in map(Path, paths):
        unread: Counter[str] = Counter()
        with Source(path).open() as reader, Workers(_try_key, num_workers, _LIMIT, keep_failure) as workers:
            chunks = ((None, chunk_sources(chunk)) for chunk in reader)
            keys = [key for _, read in workers.map_chunks(chunks) for key in read]
        for key in keys:
            if isinstance(key, RowError):
                unread[key.kind] += 1
            else:
                found.setdefault(key, path.name)
        if unread.total() == len(keys):
            raise DataError(f"{path} holds no molecule to leave out: {dict(unread)}")
        if unread:
            logger.warning(
                "%s: %d rows cannot be read, so leave nothing out: %s", path, unread.total(), dict(unread)
            )
    return found


def require_wanted(mol: Chem.Mol, excluded: Mapping[str, str]) -> None:
    """Checks that a molecule is none of those that are to be left out.

    Raises:
        LeftOut: If it is one; its kind names the file.
        RowError: `no_inchikey`, if that cannot be told.
    """
    if file := excluded.get(skeleton_key(mol)):
        raise LeftOut(f"left out: in {file}", f"in {file}")


def _try_key(source: Molecular) -> str | RowError:
    try:
        return skeleton_key(read_whole(source)[0])
    except RowError as error:
        return error
