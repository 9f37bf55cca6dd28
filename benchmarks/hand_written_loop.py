"""DANN as one would write it by hand in torch, to compare speed and accuracy with.

Eager mode, the same network and batches as `DANNClassifier` with lambda 1, without optimizations
and without anything slow: rows are shuffled once an epoch and sliced, and no step waits for a
number from the device. `DigitsDANN` is the same for images, with the paper's network, optimizer and
learning rates.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import issparse
from torch import nn


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, coefficient):
        ctx.coefficient = coefficient
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.coefficient * gradient, None


class HandWrittenDANN:
    """Fit and predict on float32 tensors and integer labels, without any check."""

    def __init__(self, n_hidden=100, dropout=0.5, lr=1e-3, batch_size=64, epochs=30, seed=0):
        self.n_hidden, self.dropout, self.lr = n_hidden, dropout, lr
        self.batch_size, self.epochs, self.seed = batch_size, epochs, seed
        self.lambda_max = 1.0

    def parts(self, n_features, n_classes):
        n_hidden, drop = self.n_hidden, nn.Dropout(self.dropout)
        features = nn.Sequential(nn.Linear(n_features, n_hidden), nn.ReLU(), drop)
        label = nn.Linear(n_hidden, n_classes)
        domain = nn.Sequential(
            nn.Linear(n_hidden, n_hidden), nn.ReLU(), drop, nn.Linear(n_hidden, 2)
        )
        return features, label, domain

    def optimizer(self, parameters):
        return torch.optim.Adam(parameters, lr=self.lr, weight_decay=1e-4)

    def anneal(self, optimizer, progress):
        """The learning rate stays as it is."""

    def fit(self, X_src, y_src, X_tgt):
        torch.manual_seed(self.seed)
        self.features, self.label, self.domain = self.parts(X_src.shape[1], int(y_src.max()) + 1)
        parts = nn.ModuleList([self.features, self.label, self.domain]).to(X_src.device).train()
        optimizer = self.optimizer(parts.parameters())
        loss_of = nn.CrossEntropyLoss()
        size = min(self.batch_size, len(X_src), len(X_tgt))
        domain = torch.cat([torch.zeros(size), torch.ones(size)]).long().to(X_src.device)
        steps = len(X_src) // size
        for step in range(self.epochs * steps):
            at = step % steps
            if at == 0:
                source, target = torch.randperm(len(X_src)), _target_order(X_tgt, steps * size)
            rows = source[at * size : (at + 1) * size]
            target_rows = target[at * size : (at + 1) * size]
            progress = step / (self.epochs * steps)
            self.anneal(optimizer, progress)
            ramp = self.lambda_max * (2 / (1 + math.exp(-10 * progress)) - 1)
            optimizer.zero_grad()
            embedding = self.features(torch.cat([X_src[rows], X_tgt[target_rows]]))
            loss = loss_of(self.label(embedding[:size]), y_src[rows])
            loss = loss + loss_of(self.domain(_Reverse.apply(embedding, ramp)), domain)
            loss.backward()
            optimizer.step()
        parts.eval()
        return self

    @torch.no_grad()
    def predict(self, X):
        return self.label(self.features(X)).argmax(dim=1)


class DigitsDANN(HandWrittenDANN):
    """Fit and predict on bytes of shape (n, 3, 28, 28), with the paper's network and recipe."""

    def __init__(self, epochs, lambda_max=1.0, dropout=0.5, seed=0):
        super().__init__(dropout=dropout, lr=0.03, epochs=epochs, seed=seed)
        self.lambda_max = lambda_max

    def parts(self, n_channels, n_classes):
        drop = nn.Dropout(self.dropout)
        features = nn.Sequential(
            _Pixels(),
            *(nn.Conv2d(n_channels, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 48, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        )
        hidden = nn.Linear(768, 100), nn.ReLU(), drop, nn.Linear(100, 100), nn.ReLU(), drop
        label = nn.Sequential(*hidden, nn.Linear(100, n_classes))
        return (
            features,
            label,
            nn.Sequential(nn.Linear(768, 100), nn.ReLU(), drop, nn.Linear(100, 2)),
        )

    def optimizer(self, parameters):
        return torch.optim.SGD(parameters, lr=self.lr, momentum=0.9, weight_decay=1e-4)

    def anneal(self, optimizer, progress):
        for group in optimizer.param_groups:
            group["lr"] = self.lr / (1 + 10 * progress) ** 0.75


class _Pixels(nn.Module):
    """Bytes to numbers from -0.5 to 0.5."""

    def forward(self, X):
        return X / 255 - 0.5


def _target_order(X_tgt, count):
    passes = math.ceil(count / len(X_tgt))
    return torch.cat([torch.randperm(len(X_tgt)) for _ in range(passes)])[:count]


class OnArrays:
    """The loop as a classifier of arrays, sparse rows and any labels, for the accuracy tables."""

    def __init__(self, seed):
        self.loop = HandWrittenDANN(seed=seed)

    def fit(self, X_src, y_src, X_tgt):
        self.classes, codes = np.unique(y_src, return_inverse=True)
        self.loop.fit(_tensor(X_src), torch.from_numpy(codes), _tensor(X_tgt))
        return self

    def predict(self, X):
        return self.classes[self.loop.predict(_tensor(X)).numpy()]


def _tensor(X):
    return torch.from_numpy(np.asarray(X.toarray() if issparse(X) else X, dtype=np.float32))
