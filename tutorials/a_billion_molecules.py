"""Embed a billion molecules: what it costs, and how to run it on a cluster. Here it is done to twenty.

Run it from the top of the repository: python tutorials/a_billion_molecules.py

One core of an Intel Xeon did 3,139 drugs a second with the model `graph`, from SMILES to Parquet, and 22
conformers (`molae bench --seconds 10 --molecules 1000000`, which brings its drugs along; one run, in seconds
of the processor). For molecules of their size, 23 heavy atoms on average, that is

    a million   0.09 core-hours   2.1 GB of Parquet     13 core-hours for a conformer of each
    a billion   88 core-hours     2.1 TB of Parquet     13,000 core-hours for a conformer of each

so a billion codes take an hour on 100 cores. With a GPU, reading and featurising stay on the CPU: 7,361
molecules a second for a core that feeds it, 38 core-hours for a billion. GPU-hours were not measured: no GPU
was at hand. `molae bench --device cuda` prints what yours does.
"""

# %% What would it take here? `molae bench` measures; give it some of your own molecules, and more seconds
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from molae.apps.bench import bench
from molae.apps.explore.codes import read_codes

found = bench(model="graph", seconds=2)
for molecules in (10**6, 10**9):
    needed = found.estimate(molecules)
    print(
        f"{molecules:,} molecules: {needed['embed_core_hours']:,.2f} core-hours,"
        f" {needed['gigabytes']:,.1f} GB, {needed['conformers_core_hours']:,.0f} core-hours for conformers"
    )

# %% The library: a file of any kind that molae reads. A folder of Parquet files is best, as shards of it are
# found without reading what is before them
folder = Path(tempfile.mkdtemp())
(folder / "library.smi").write_text(Path("data/examples.smi").read_text())
(folder / "codes").mkdir()

# %% A job of a SLURM array works on one shard of it, here a quarter of a percent of the rows. One that is
# killed or runs out of time is sent again, and goes on where it stopped: no row is lost or there twice
(folder / "embed.sbatch").write_text("""#!/bin/bash
#SBATCH --array=1-400
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --requeue
export OMP_NUM_THREADS=1
molae embed library --model graph --device cpu --num-workers 1 --resume \\
    --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT -o codes/$SLURM_ARRAY_TASK_ID.parquet
""")

# %% The same without a queue: three shards, one after the other
command = ["molae", "embed", "library.smi", "--model", "graph", "--device", "cpu", "--resume"]
for number in (1, 2, 3):
    shard = ["--shard", f"{number}/3", "-o", f"codes/{number}.parquet"]
    subprocess.run([*command, *shard], cwd=folder, check=True)

# %% The folder of shards is an input like a file, for `molae neighbours`, `molae explore` and others
subprocess.run([*command, "-o", "whole.parquet"], cwd=folder, check=True)
codes, whole = read_codes(folder / "codes"), read_codes(folder / "whole.parquet")
print(f"{len(codes)} rows in {len(list((folder / 'codes').iterdir()))} files")
print(f"the same as in one run: {np.array_equal(codes.vectors, whole.vectors, equal_nan=True)}")
failed = sum(status != "ok" for status in pq.read_table(folder / "codes")["status"].to_pylist())
print(f"{failed} rows failed; they would keep their places, with the reason")

# %% On a Ray cluster (`pip install "molae[ray]"`), one command does it all: an actor for each GPU, or each
# core, started anew if it dies. Each machine must have molae, and see the library under the same path
#
#     RAY_ADDRESS=auto molae embed library --model graph -o codes.parquet --engine ray --resume
#
# One process reads, and the one that was started writes what the actors send. Where that is too little,
# `--shard` divides the work here too. Conformers go the same ways: `molae conformers library -n 10
# --shard 3/400 -o 3.sdf.gz`; their files join with `cat`.
