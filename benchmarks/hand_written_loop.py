"""DANN as one would write it by hand in torch, to compare speed and accuracy with.

Eager mode, the same network and batches as `DANNClassifier` with lambda 1, without optimizations
and without anything slow: rows are shuffled once an epoch and sliced, and no step waits for a
number from the device.
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

    def fit(self, X_src, y_src, X_tgt):
        torch.manual_seed(self.seed)
        n_features, n_classes, n_hidden = X_src.shape[1], int(y_src.max()) + 1, self.n_hidden
        drop = nn.Dropout(self.dropout)
        self.features = nn.Sequential(nn.Linear(n_features, n_hidden), nn.ReLU(), drop)
        self.label = nn.Linear(n_hidden, n_classes)
        self.domain = nn.Sequential(
            nn.Linear(n_hidden, n_hidden), nn.ReLU(), drop, nn.Linear(n_hidden, 2)
        )
        parts = nn.ModuleList([self.features, self.label, self.domain]).train()
        optimizer = torch.optim.Adam(parts.parameters(), lr=self.lr, weight_decay=1e-4)
        loss_of = nn.CrossEntropyLoss()
        size = min(self.batch_size, len(X_src), len(X_tgt))
        domain = torch.cat([torch.zeros(size), torch.ones(size)]).long()
        steps = len(X_src) // size
        for step in range(self.epochs * steps):
            at = step % steps
            if at == 0:
                source, target = torch.randperm(len(X_src)), _target_order(X_tgt, steps * size)
            rows = source[at * size : (at + 1) * size]
            target_rows = target[at * size : (at + 1) * size]
            ramp = 2 / (1 + math.exp(-10 * step / (self.epochs * steps))) - 1
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
