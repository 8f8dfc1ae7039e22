"""Encoders: from a batch to an invariant code and the group element that was divided out.

To add one: write a module here with a configuration and a class registered in `ENCODERS`, and import it
below.
"""

from molae.encoder.base import ENCODERS, Encoder, EncoderConfig
from molae.encoder.pooled import PooledEncoder
from molae.encoder.slots import SlotEncoder

__all__ = ["ENCODERS", "Encoder", "EncoderConfig", "PooledEncoder", "SlotEncoder"]
