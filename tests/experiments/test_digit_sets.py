"""Sets come back whole, whatever their order, and sizes that were never trained on do too."""

from __future__ import annotations

from argparse import Namespace

import digit_sets
import pytest
import torch

from molae.groups import SymmetricGroup


def settings(steps):
    return Namespace(learning_rate=1e-2, steps=steps)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = digit_sets.SumOfEmbeddings(code_size=12)
    digit_sets.fit(made, lambda: digit_sets.trained_sets(64), settings(800))
    return made


@pytest.fixture
def tiny():
    """Embeddings and counts that are the identity, so that all can be told by hand."""
    made = digit_sets.SumOfEmbeddings(code_size=digit_sets.DIGITS)
    with torch.no_grad():
        made.embedding.weight.copy_(torch.eye(digit_sets.DIGITS))
        made.counts.weight.copy_(torch.eye(digit_sets.DIGITS))
        made.counts.bias.zero_()
    return made


@torch.no_grad()
def test_a_multiset_is_its_counts(tiny):
    code = tiny(digit_sets.one_hot(torch.tensor([[7, 0, 7, 2]])))
    assert code.tolist() == [[1, 0, 1, 0, 0, 0, 0, 2, 0, 0]]
    assert tiny.decode(code, 6).tolist() == [[0, 2, 7, 7, -1, -1]]
    figures = digit_sets.invariant_figures(tiny, torch.tensor([[7, 0, 7, 2], [9, 9, 9, 9]]))
    assert figures == {"exact": 1.0, "ordered": 1.0, "code_change": 0.0}


@torch.no_grad()
def test_a_set_that_does_not_come_back_is_not_counted(tiny):
    tiny.counts.bias[3] = 1.0
    figures = digit_sets.invariant_figures(tiny, digit_sets.uniform_sets(20, 5))
    assert (figures["exact"], figures["ordered"]) == (0.0, 0.0)


def test_sets_have_the_kinds_of_digits_that_they_should():
    torch.manual_seed(0)
    few = digit_sets.uniform_sets(200, 30, kinds=2)
    assert max(len(row.unique()) for row in few) == 2
    assert few.unique().tolist() == list(range(digit_sets.DIGITS))
    size = digit_sets.trained_sets(500).sum((1, 2))
    assert (size.min(), size.max()) == (1, digit_sets.TRAINED)


@pytest.mark.parametrize(("size", "kinds"), [(1, 10), (20, 10), (20, 2), (40, 10)])
def test_what_was_trained_on_small_sets_tells_larger_ones(model, size, kinds):
    torch.manual_seed(1)
    figures = digit_sets.invariant_figures(model, digit_sets.uniform_sets(300, size, kinds))
    assert figures == {"exact": 1.0, "ordered": 1.0, "code_change": 0.0}


@torch.no_grad()
def test_codes_do_not_depend_on_the_order(model):
    torch.manual_seed(0)
    digits, group = digit_sets.uniform_sets(50, 20), SymmetricGroup(20)
    code, again = (model(digit_sets.one_hot(each)) for each in (digits, group.act(group.sample(50), digits)))
    assert torch.allclose(code, again, atol=1e-4)
    classical = digit_sets.Classical(code_size=12, width=16)
    assert digit_sets.classical_figures(classical, digits)["code_change"] > 1e-2


def test_the_same_seed_gives_the_same_model():
    def figures():
        torch.manual_seed(0)
        model = digit_sets.SumOfEmbeddings(code_size=12)
        digit_sets.fit(model, lambda: digit_sets.trained_sets(16), settings(20))
        return model.counts.weight

    assert torch.equal(figures(), figures())
