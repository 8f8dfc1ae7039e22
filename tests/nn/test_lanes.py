from __future__ import annotations

import pytest
import torch

from molae.nn.channels import CodeChannels
from molae.nn.lanes import Lanes, SlotCount, SlotReader, SlotWriter

CHANNELS = CodeChannels(0, 14, 5)
SLOTS, WIDTH = 4, 6
LANES = Lanes(CHANNELS, SLOTS)


def tokens(count=2, slots=SLOTS):
    return torch.randn(count, slots, WIDTH, generator=torch.Generator().manual_seed(0))


def test_every_slot_gets_as_many_channels_as_there_are_for_all():
    assert LANES.parts == (3, 1)
    assert Lanes(CodeChannels(0, 3), SLOTS).parts == (0, 0)


def test_a_slot_writes_to_its_own_channels_alone():
    write = SlotWriter(WIDTH, LANES)
    before, changed = tokens(), tokens()
    changed[:, 2] += 1.0
    touched = (write(changed) != write(before)).any(0).nonzero().flatten().tolist()
    assert touched == [6, 7, 8, 14 + 2]


def test_what_does_not_divide_by_the_slots_stays_zero():
    code = SlotWriter(WIDTH, LANES)(tokens())
    assert code.shape == (2, CHANNELS.size)
    assert not code[:, [12, 13, 18]].any()


def test_padding_writes_nothing_and_fewer_slots_write_the_same():
    write = SlotWriter(WIDTH, LANES)
    padded = tokens()
    padded[:, 2:] = 0.0
    torch.testing.assert_close(write(padded), write(padded[:, :2]))


def test_a_slot_is_read_from_its_own_channels_alone():
    read = SlotReader(WIDTH, LANES)
    code = torch.zeros(1, CHANNELS.size)
    changed = code.clone()
    changed[:, [6, 7, 8, 16]] = 1.0
    touched = (read(changed) != read(code)).any(2).flatten().tolist()
    assert touched == [False, False, True, False]


def test_a_summary_ahead_of_the_slots_is_read_by_none():
    read = SlotReader(WIDTH, LANES._replace(channels=CHANNELS._replace(summary=7)))
    assert read.lanes.parts == LANES.parts
    code = torch.zeros(1, 7 + CHANNELS.size)
    changed = code.clone()
    changed[:, :7] = 1.0
    assert torch.equal(read(changed), read(code))
    changed[:, 7 + 6] = 1.0
    assert (read(changed) != read(code)).any(2).flatten().tolist() == [False, False, True, False]


def test_lanes_that_are_split_are_joined_again():
    lanes = Lanes(CHANNELS._replace(summary=7), SLOTS)
    code = torch.randn(3, lanes.channels.size, generator=torch.Generator().manual_seed(0))
    joined = lanes.join(lanes.split(code))
    held = joined != 0
    assert held.sum(1).tolist() == [SLOTS * lanes.size] * 3
    torch.testing.assert_close(joined[held], code[held])


def test_lanes_stay_in_full_precision_under_mixed_precision():
    write, read = SlotWriter(WIDTH, LANES), SlotReader(WIDTH, LANES)
    with torch.autocast("cpu", torch.bfloat16):
        assert write(tokens()).dtype == torch.float32
        assert read(torch.zeros(1, CHANNELS.size)).dtype == torch.float32


@pytest.mark.parametrize("filled", range(SLOTS + 1))
def test_the_count_is_that_of_the_leading_filled_slots(filled):
    count = SlotCount(1)
    with torch.no_grad():
        count.filled.weight.fill_(1.0)
        count.filled.bias.fill_(0.0)
    x = torch.full((1, SLOTS, 1), -6.0)
    x[:, :filled] = 6.0
    scores = count(x)
    assert scores.shape == (1, SLOTS + 1)
    assert scores.argmax().item() == filled
    # Log-likelihood of independent slots: log σ(6) for each of them.
    assert scores.max().item() == pytest.approx(
        SLOTS * torch.sigmoid(torch.tensor(6.0)).log().item(), abs=1e-5
    )
