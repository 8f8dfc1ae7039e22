"""Which model codes came from, so that others are compared with them only if they came from the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from molae.catalogue import fingerprint, read_description, resolve, summary_size
from molae.errors import CheckpointError

_KEY = "molae"


@dataclass(frozen=True)
class CodesOrigin:
    """What codes depend on.

    Attributes:
        model: Name or path of the model.
        weights_sha256: Checksum of its weights.
        seed: Seed of the conformers.
        summary: Numbers of the summary that each code begins with; 0 where there is none.
    """

    model: str
    weights_sha256: str
    seed: int
    summary: int = 0

    @classmethod
    def of(cls, model: str | Path, seed: int) -> Self:
        """Notes the model by a name that finds it again from any folder.

        Raises:
            CheckpointError: If there is no such model.
        """
        path = resolve(model)
        shipped = path.name == str(model)
        name = str(model) if shipped else str(path.resolve())
        description = read_description(path)
        return cls(name, fingerprint(description), seed, summary_size(description))

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None) -> Self | None:
        """Reads the origin off the metadata of a Parquet file, None where they do not tell."""
        try:
            found = json.loads((metadata or {})[_KEY.encode()])
            numbers = int(found["seed"]), int(found.get("summary", 0))
            return cls(str(found["model"]), str(found["weights_sha256"]), *numbers)
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError):
            return None

    def metadata(self) -> dict[str, str]:
        """The origin as a Parquet file holds it."""
        return {_KEY: json.dumps(asdict(self))}

    def found(self, model: str | Path | None, what: str, remedy: str) -> Self:
        """Makes sure that the model is still there, and the same.

        Args:
            model: Where the model is now, if not where it was.
            what: What holds the codes, as a relative clause of the messages: `this model was fitted on`.
            remedy: What else to do about another model.
        Returns:
            The origin, with the model's present name.
        Raises:
            CheckpointError: If the model is missing or another.
        """
        name = str(model or self.model)
        try:
            weights = fingerprint(read_description(resolve(name)))
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}; the codes that {what} came from it: say with --model where it is"
            ) from error
        if weights != self.weights_sha256:
            raise CheckpointError(
                f"the codes that {what} came from another model than {name!r} is now (weights"
                f" {self.weights_sha256[:12]}, found {weights[:12]}): name that one with --model, or {remedy}"
            )
        return replace(self, model=name)
