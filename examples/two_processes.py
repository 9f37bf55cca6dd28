"""One network trained by two processes, each on rows of its own.

    torchrun --nproc-per-node=2 examples/two_processes.py
    python examples/two_processes.py

Each process reads its share of the rows and computes the gradient of its share of a batch. Before a
step the gradients are averaged, so that all processes take the same step and end with the same
network. Here a batch has all rows; so the second command, with one process, trains the same network
too, and prints the same probabilities.
"""

import numpy as np
import torch
import torch.distributed as distributed
from skorch.callbacks import Callback

from skdann import DANNClassifier
from skdann.datasets import make_rotated_moons


class AverageGradients(Callback):
    """Averages the gradients of all processes before each step."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, parameter in named_parameters:
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
                parameter.grad /= distributed.get_world_size()


def main() -> None:
    distributed_run = distributed.is_torchelastic_launched()
    rank, n_processes = 0, 1
    if distributed_run:
        distributed.init_process_group("gloo")  # on GPUs "nccl", with device=f"cuda:{rank}"
        rank, n_processes = distributed.get_rank(), distributed.get_world_size()

    X, y, X_tgt, _ = make_rotated_moons(random_state=0)
    # Every process needs rows of all classes, and the same columns on the same scale: its own
    # statistics would differ from those of the others.
    by_class = np.argsort(y, kind="stable")[rank::n_processes]
    classifier = DANNClassifier(
        lambda_max=1.0,
        input_scaling=None,
        batch_size=len(by_class),
        max_epochs=100,
        dropout=0.0,  # each process would draw masks of its own
        callbacks=[AverageGradients()] if distributed_run else None,
        random_state=0,  # the same initial weights everywhere
    )
    classifier.fit(X[by_class], y[by_class], X_tgt[rank::n_processes])
    proba = classifier.predict_proba(X_tgt[:5])[:, 1]
    print(f"process {rank} of {n_processes}: {np.round(proba, 5).tolist()}", flush=True)
    if distributed_run:
        distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
