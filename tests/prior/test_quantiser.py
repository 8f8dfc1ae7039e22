from __future__ import annotations

import torch

from molae.prior.quantiser import ResidualQuantiser


def vectors(count: int = 2000) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def test_every_level_halves_what_is_left_and_more() -> None:
    off = []
    for levels in (1, 2, 3):
        quantiser = ResidualQuantiser(32, levels)
        quantiser.fit(vectors())
        again = quantiser.vectors(quantiser.tokens(vectors()))
        off.append((again - vectors()).square().mean().sqrt().item())
        assert abs(quantiser.remainder.item() - off[-1]) < 1e-3
    assert off[1] < off[0] / 2
    assert off[2] < off[1] / 2


def test_a_level_has_no_more_centres_than_there_are_different_vectors() -> None:
    few = torch.eye(3).repeat(10, 1)
    quantiser = ResidualQuantiser(32, 2)
    quantiser.fit(few)
    assert max(map(len, quantiser.centres)) == 3
    torch.testing.assert_close(quantiser.vectors(quantiser.tokens(few)), few)


def test_tokens_are_those_of_the_nearest_centres() -> None:
    quantiser = ResidualQuantiser(16, 1)
    quantiser.fit(vectors())
    centres = quantiser.vectors(torch.arange(16).unsqueeze(1))
    nearest = torch.cdist(vectors(), centres).argmin(1)
    assert torch.equal(quantiser.tokens(vectors()).squeeze(1), nearest)
