"""Ctrl-C while RDKit is at work: it would keep it to itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from molae.cli.interrupts import interruptions_for_python

EMBEDS = """
import os, signal, sys, threading
from molae.cli import app
from molae.cli.interrupts import interruptions_for_python

assert "numpy" not in sys.modules  # whose threads would take the signal, and let RDKit have it
try:
    with interruptions_for_python():
        from rdkit import Chem
        from rdkit.Chem import rdDistGeom

        mol = Chem.AddHs(Chem.MolFromSmiles("CC(C)Cc1ccc(cc1)C(C)C(=O)NCCCCC(=O)NCCc1ccccc1"))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        while len(rdDistGeom.EmbedMultipleConfs(mol, 20, randomSeed=1)) == 20:
            pass
        print("cut short")
except KeyboardInterrupt:
    print("interrupted with", mol.GetNumConformers())
"""

WAITS = """
import os, signal, threading
from molae.cli.interrupts import interruptions_for_python

try:
    with interruptions_for_python():
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        threading.Event().wait()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_embedding_is_finished_and_then_python_is_interrupted() -> None:
    found = subprocess.run([sys.executable, "-c", EMBEDS], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "interrupted with 20", found.stderr


def test_it_is_interrupted_where_it_waits() -> None:
    found = subprocess.run(
        [sys.executable, "-c", WAITS], capture_output=True, text=True, check=True, timeout=50
    )
    assert found.stdout.strip() == "interrupted", found.stderr


def test_all_is_as_before_behind_it() -> None:
    handler, mask = signal.getsignal(signal.SIGURG), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with interruptions_for_python():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.getsignal(signal.SIGURG) is handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_other_threads_change_nothing() -> None:
    masks: list[set[int]] = []

    def work() -> None:
        with interruptions_for_python():
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert masks == [signal.pthread_sigmask(signal.SIG_BLOCK, ())]
