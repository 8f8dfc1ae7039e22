"""Train a GAN that leaves no mode out, and has codes: IVE-GAN beside a plain one.

First on eight Gaussians on a ring, then on the conformers of pentane, whose codes do not change under SE(3).
Run it from the top of the repository: python tutorials/find_all_modes.py [IMAGE]
It takes about a minute, with smaller networks and fewer steps than mixtures.py and conformers_gan.py in
tests/benchmarks; digits_gan.py beside them does the same for images.
"""

# %% Eight narrow Gaussians on a ring, and a transformation of samples that stays within one of them
import sys
import tempfile
from argparse import Namespace

import torch

sys.path.insert(0, "tests/benchmarks")
import conformers_gan
import mixtures

mixture = mixtures.ring()
x = mixture.draw(1000)
print(f"a sample and what it is taken to: {x[0].tolist()}, {mixture.neighbour(x)[0].tolist()}")

# %% Train both alike. To build one for data of your own, see molae.adversarial.InvariantEncodingGAN
settings = Namespace(width=64, penalty=0.005, steps=1500, batch_size=128, learning_rate=2e-3)
models = {}
for name in ("plain", "IVE-GAN"):
    torch.manual_seed(0)
    models[name] = mixtures.fit(mixtures.build(name, mixture, settings), mixture.draw, settings)
    figures = mixtures.measure(models[name], mixture)
    print(f"{name:>8}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))

# %% The inverse mapping: samples of one mode share their codes
code = models["IVE-GAN"].encode(x)
for mode, centre in enumerate(mixture.centres):
    own = code[torch.cdist(x, mixture.centres).argmin(1) == mode]
    shared, count = own.unique(dim=0, return_counts=True)
    signs = "".join("+" if sign > 0 else "-" for sign in shared[count.argmax()])
    print(
        f"mode at {centre[0]:5.2f}, {centre[1]:5.2f}: {signs} for {count.max() / len(own):.0%} of its samples"
    )

# %% Conformers of pentane: two torsions, so nine families, each conformer in a random pose with its own noise
training, test = conformers_gan.embed(carbons=5, count=900, noise=0.03, seed=0)
judge = conformers_gan.Families.of(training)
settings = Namespace(width=64, penalty=0.02, steps=1000, batch_size=128, learning_rate=2e-3)
chains = {}
for name in ("plain", "IVE-GAN"):
    torch.manual_seed(0)
    chains[name] = mixtures.fit(conformers_gan.build(name, training, settings), training.draw, settings)
    figures = conformers_gan.measure(chains[name], judge, test)
    print(f"{name:>8}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))

# %% A conformer has the same code in every pose, and what is generated from it is of its family
x = test.draw(1)
for pose in (x, conformers_gan.present(x)):
    with torch.no_grad():
        code = chains["IVE-GAN"].encode(pose)
        again = chains["IVE-GAN"].decode(code.expand(4, -1))
    signs = "".join("+" if sign > 0 else "-" for sign in code[0])
    angles = conformers_gan.torsions(torch.cat([pose, again])).rad2deg().round().int().tolist()
    print(f"torsions {angles[0]}, code {signs}, generated from it: {angles[1:]}")

# %% Draw
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)

figure, (upper, lower) = plt.subplots(2, 3, figsize=(9, 6))
with torch.no_grad():
    drawn = {"data": mixture.draw(1000), **{name: model.sample(1000) for name, model in models.items()}}
    made = {"data": test.draw(1000), **{name: model.sample(1000) for name, model in chains.items()}}
for axes, (name, points) in zip(upper, drawn.items(), strict=True):
    axes.scatter(*points.T, s=3, color="#3b6fb6", alpha=0.5)
    axes.set(title=f"ring: {name}", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
for axes, (name, pos) in zip(lower, made.items(), strict=True):
    angle = conformers_gan.torsions(pos).rad2deg() % 360
    axes.scatter(*angle.T, s=3, color="#3b6fb6", alpha=0.5)
    axes.set(title=f"torsions of pentane: {name}", aspect="equal", xlim=(0, 360), ylim=(0, 360))
    axes.set(xticks=(60, 180, 300), yticks=(60, 180, 300))
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/modes.png"
figure.savefig(output, dpi=120)
print("wrote", output)
