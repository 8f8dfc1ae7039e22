from __future__ import annotations

import numpy as np
import pytest

import molae
from molae.apps.molecules import molecule_schema
from molae.apps.properties.features import Featuriser, describe
from molae.autoencoder import Autoencoder, AutoencoderConfig

SMILES = ["CCO", "c1ccccc1", "not a molecule", "CC(=O)O"]


@pytest.mark.parametrize("summary", [None, {"size": 6, "width": 8, "layers": 1}])
def test_of_a_code_with_a_summary_that_alone_counts(summary: dict[str, int] | None) -> None:
    encoder = {"name": "slots", "width": 8, "head_width": 16, "summary": summary}
    decoder = {"name": "slots", "width": 8, "head_width": 16}
    config = AutoencoderConfig(code_size=16, encoder=encoder, decoder=decoder)
    model = Autoencoder(config, molecule_schema(12, coordinates=False)).eval()
    featuriser = Featuriser(("code",), model)
    found = describe(SMILES, featuriser)
    size = summary["size"] if summary else 16
    assert featuriser.size("code") == size
    expected = molae.embed(SMILES, model, on_error="drop")[:, :size]
    np.testing.assert_allclose(found.blocks["code"], expected, atol=1e-6)
    assert sorted(found.errors) == [2]
