"""A user's modules that remember the rows training shows them, and a schedule that interrupts."""

from collections import Counter

import torch
from torch import nn


class Remembered(list):
    """What was seen in each step; copies of a network remember in the same list."""

    def __deepcopy__(self, memo):
        return self


class Watched(nn.Linear):
    """Eight units, the first column of the rows in each step, and whether they were in training."""

    def __init__(self, n_features):
        super().__init__(n_features, 8)
        self.steps, self.modes = Remembered(), set()

    def forward(self, X):
        predicts = torch.is_inference_mode_enabled()
        if not predicts and len(X) > 2:  # a module is tried out with two rows
            self.steps.append(Counter(X[:, 0].tolist()))
            if torch.is_grad_enabled():  # at lambda 0 the domain classifier's rows pass without
                self.modes.add(self.training)
        return super().forward(X)

    def rows_of_steps(self):
        """Return how many steps had how many rows."""
        return Counter(sum(step.values()) for step in self.steps)


class Built:
    """Makes a feature extractor for each network that is built, and remembers all of them."""

    def __init__(self):
        self.extractors = []

    def __deepcopy__(self, memo):  # clones count together
        return self

    def __call__(self, n_features):
        self.extractors.append(Watched(n_features))
        return self.extractors[-1]


class InterruptingSchedule:
    """The ramp's place; Ctrl-C when it is asked for the n-th time."""

    def __init__(self, n):
        self.n, self.calls = n, 0

    def __deepcopy__(self, memo):  # clones count together
        return self

    def __call__(self, progress):
        self.calls += 1
        if self.calls == self.n:
            raise KeyboardInterrupt
        return progress
