"""Small instances of everything that is registered: a component is tested from the day it is added."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import nn

from molae.align import ALIGNERS
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.schema import Schema
from molae.decoder import DECODERS
from molae.encoder import ENCODERS
from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary, SummaryConfig
from molae.registry import Registry
from molae.regularise import REGULARISERS
from molae.testing import ISOMER_SCHEMA, SCHEMA, all_graphs, attributed_schema, with_generic_weights
from molae.types import Graph

WIDTH, CODE, SUMMARY = 16, 128, 24
SMALL = {"width": WIDTH, "vectors": 4, "head_width": 32, "pair_width": 8}
#: Settings under which a component is tested too, where it has them.
VARIANTS = (
    {"layers": 0},
    {"layers": 2},
    {"frame": "gram_schmidt"},
    {"attention_layers": 1},
    {"odd_share": 0.5},
    {"lanes": False},
    {"summary": {"size": 40, "width": 16, "layers": 2}},
    {"pair_heads": 0},
    {"free_nats": 0.0},
    {"delay": 0, "rise": 0},
)

SOME = (
    *("methane", "benzene", "cyclooctatetraene", "SF6", "CO2", "acetylene", "difluoroallene"),
    *("single carbon", "tetris chiral_shape_1", "tetris square", "tetris line"),
    *("alanine", "tartaric acid", "decalin"),
)


def settings(registry: Registry, name: str) -> Iterator[dict]:
    """The small configuration of a component, and its variants."""
    fields = registry.config({"name": name}).__class__.model_fields
    small = {"name": name, **{key: value for key, value in SMALL.items() if key in fields}}
    yield small
    for variant in VARIANTS:
        if variant.keys() <= fields.keys() and any(fields[k].default != v for k, v in variant.items()):
            yield {**small, **variant}


def described(config: dict) -> str:
    """Name of a configuration in the output of pytest."""
    return "-".join(
        [
            config["name"],
            *(
                k if isinstance(v, dict) else f"{k}={v}"
                for k, v in config.items()
                if k not in SMALL and k != "name"
            ),
        ]
    )


def aligner(name: str, schema: Schema = SCHEMA) -> nn.Module:
    return with_generic_weights(seeded(lambda: ALIGNERS.build({"name": name}, schema, WIDTH)))


def encoder(config: dict, aligner_name: str = "canonical", schema: Schema = SCHEMA) -> nn.Module:
    return with_generic_weights(
        seeded(lambda: ENCODERS.build(config, schema, aligner(aligner_name, schema), CODE))
    )


def decoder(config: dict, schema: Schema = SCHEMA) -> nn.Module:
    odd = CODE // 4 if schema.coordinates else 0
    return with_generic_weights(
        seeded(lambda: DECODERS.build(config, schema, CodeChannels(0, CODE - odd, odd)))
    )


def summary() -> Summary:
    return with_generic_weights(seeded(lambda: Summary(SummaryConfig(size=SUMMARY, width=WIDTH), SCHEMA)))


def regulariser(config: dict, odd: int) -> nn.Module:
    channels = CodeChannels(SUMMARY, CODE - SUMMARY - odd, odd)
    return with_generic_weights(seeded(lambda: REGULARISERS.build(config, channels, summary())))


def autoencoder(
    encoder: dict, aligner: str = "canonical", decoder: str = "slots", schema: Schema = SCHEMA
) -> nn.Module:
    sections = {
        "encoder": encoder,
        "aligner": {"name": aligner},
        "decoder": {**SMALL_DECODER, "name": decoder},
    }
    config = AutoencoderConfig(code_size=CODE, **sections)
    return with_generic_weights(seeded(lambda: Autoencoder(config, schema)))


#: With positions, and without; and with numbers, without directions and with.
SCHEMAS = {
    "positions": SCHEMA,
    "isomers": ISOMER_SCHEMA,
    "numbers": attributed_schema(directed=False),
    "directed": attributed_schema(directed=True),
}


SMALL_DECODER = {key: SMALL[key] for key in ("width", "head_width", "pair_width")}


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


@lru_cache
def small_graphs() -> dict[str, Graph]:
    """Some of the graphs of the suite, one of each kind of symmetry, for what is tested many times."""
    return {name: all_graphs()[name] for name in SOME}
