"""Parts of an input for the jobs of an array, each of which a run of its own works on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from molae.errors import ConfigError

#: Key of a Parquet file's metadata that tells which shard it holds.
SHARD_KEY = "molae_shard"


@dataclass(frozen=True, order=True)
class Shard:
    """One of equal parts of consecutive rows.

    Attributes:
        number: Which one, from 1.
        count: How many there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a shard as it is written on the command line.

        Raises:
            ConfigError: If it is none.

        >>> Shard.parse("3/100")
        Shard(number=3, count=100)
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ConfigError(f"shard: expected I/N with I from 1 to N, such as 3/100, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def places(self, total: int) -> range:
        """The places, from 0, that are its share of `total` rows; their lengths differ by one at most.

        >>> [list(Shard(number, 3).places(7)) for number in (1, 2, 3)]
        [[0, 1], [2, 3], [4, 5, 6]]
        """
        return range(total * (self.number - 1) // self.count, total * self.number // self.count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
