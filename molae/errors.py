"""The errors that molae raises on purpose; each names what was wrong and what to do."""

from __future__ import annotations


class MolaeError(Exception):
    """Base of every error that molae raises on purpose."""


class ConfigError(MolaeError):
    """A configuration has an unknown key, or a value that does not fit."""


class RegistryError(ConfigError):
    """A component name that no registry knows."""


class DataError(MolaeError):
    """A file, column or data set that cannot be used as a whole."""


class RowError(MolaeError):
    """One row of the input that cannot be used; the others are not touched.

    Args:
        reason: What a user should read, one line.
        kind: Short stable name under which failures are counted, for example `unparsable`.
    """

    def __init__(self, reason: str, kind: str = "invalid") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class LeftOut(RowError):
    """One row of the input that is left out on purpose: it is no failure, and gets no place in the output."""


class DamagedError(DataError):
    """An input that breaks off or is damaged further on; what was read before is good."""


class OutputError(MolaeError):
    """An output that cannot be written, for want of space or permission for example."""


class CheckpointError(MolaeError):
    """A checkpoint that is corrupt, incomplete, or newer than this version of molae."""


class DegenerateFrameError(MolaeError):
    """Vectors that do not determine a rotation."""


class TrainingError(MolaeError):
    """Training that cannot go on, for example because the loss is not finite."""
