"""Examples that no README command runs."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "two_processes.py"


def printed(*command):
    output = subprocess.run(
        [sys.executable, *command, EXAMPLE], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in output.splitlines() if line.startswith("process ")]
    return [[float(one) for one in line.split("[")[1].strip("]").split(",")] for line in lines]


@pytest.mark.slow
def test_two_processes_train_the_network_of_one():
    (alone,) = printed()
    several = printed("-m", "torch.distributed.run", "--nproc-per-node=2")
    assert len(several) == 2
    for proba in several:
        assert max(abs(one - other) for one, other in zip(proba, alone, strict=True)) < 1e-4
    assert 0.05 < min(alone) < max(alone) < 0.95  # nothing is equal by being certain
