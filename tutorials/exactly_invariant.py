"""Make a network invariant: nearly, by a penalty on its gap, and exactly, by averaging it over frames.

Run it from the top of the repository: python tutorials/exactly_invariant.py [IMAGE]
It takes less than a minute; tests/benchmarks/frame_averaging.py measures the gaps of more networks.
"""

# %% Clouds of noisy points on six solids: all upright to train on, in any pose to test
import sys
import tempfile

import torch
from torch import nn

from molae.nn.frames import FrameAverage
from molae.testing import equivariance_gap

sys.path.insert(0, "tests/benchmarks")
import solids

torch.manual_seed(0)
(x, solid), (unseen, truth) = solids.upright(100, 0.03), solids.draw(100, 0.03)
x, unseen = (cloud - cloud.mean(1, keepdim=True) for cloud in (x, unseen))
turns = solids.MOTIONS.rotations


def new():
    """A network that tells the solid, in whatever order its points are, but minds the pose."""
    torch.manual_seed(0)
    return solids.SumOfPoints(width=32, code_size=len(solids.SOLIDS))


# %% How the gap serves as a penalty: its mean square, by a few random rotations, is added to the loss
def train(network, tell, penalty=0.0, steps=250):
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps, pct_start=0.1)
    for _ in range(steps):
        pick = torch.randint(len(x), (32,))
        loss = nn.functional.cross_entropy(tell(x[pick]), solid[pick])
        if penalty:
            loss = loss + penalty * equivariance_gap(tell, turns, x[pick], samples=2).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %% Train it as it is, with penalties, and averaged over frames; the plain one is averaged afterwards too
networks = {"plain": new()}
train(networks["plain"], networks["plain"])
for penalty in (0.3, 1.0):
    networks[f"penalty {penalty:g}"] = network = new()
    train(network, network, penalty)
later, averaged = (FrameAverage(network, turns) for network in (networks["plain"], new()))
networks["averaged later"] = lambda x: later(x).output
networks["averaged"] = lambda x: averaged(x).output
train(averaged, networks["averaged"])

# %% How often they are wrong about clouds that they have not seen, and how far they are from invariant
found = {}
for name, network in networks.items():
    with torch.no_grad():
        error = (network(unseen).argmax(1) != truth).float().mean()
        gap = equivariance_gap(network, turns, unseen, generator=torch.Generator().manual_seed(0)).median()
    found[name] = float(gap), float(error)
    print(f"{name:>14}: wrong {error:.1%}, gap {gap:.1e}")

# %% Draw
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)

figure, axes = plt.subplots(figsize=(6, 4))
for name, (gap, error) in found.items():
    axes.scatter(gap, error, label=name)
axes.set(xscale="log", xlabel="gap from invariance", ylabel="share of wrong answers", ylim=(0, None))
axes.legend(loc="lower right")
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/invariant.png"
figure.savefig(output, dpi=120)
print("wrote", output)
