"""Decoders: from a code alone to a graph in canonical order and pose.

To add one: write a module here with a configuration and a class registered in `DECODERS`, and import it
below.
"""

from molae.decoder.base import DECODERS, Decoder
from molae.decoder.slots import SlotDecoder

__all__ = ["DECODERS", "Decoder", "SlotDecoder"]
