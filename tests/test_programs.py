"""The programs that the guide shows, as far as they need nothing but this package's own needs."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "docs" / "programs"


def test_the_loop_by_hand_adapts():
    command = [sys.executable, PROGRAMS / "by_hand.py"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # more would wait for busy cores
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env=one_thread
    ).stdout
    assert float(printed.removeprefix("target accuracy ")) > 0.7  # without adaptation .62
