"""DANN as a loop in torch: upright digits to tilted digits."""

import math

import torch
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from torch import nn

images, labels = load_digits().images.astype("float32") / 16, load_digits().target
tilted = rotate(images[900:], 20, axes=(2, 1), reshape=False, order=1)
X_src, X_tgt = torch.tensor(images[:900]).flatten(1), torch.tensor(tilted).flatten(1)
y_src, y_tgt = torch.tensor(labels[:900]), torch.tensor(labels[900:])


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X, coefficient):
        ctx.coefficient = coefficient
        return X.view_as(X)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.coefficient * gradient, None


torch.manual_seed(0)
features = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Dropout(0.5))
label = nn.Linear(100, 10)
domain = nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Dropout(0.5), nn.Linear(100, 2))
parts = nn.ModuleList([features, label, domain])
optimizer = torch.optim.Adam(parts.parameters(), lr=0.001, weight_decay=1e-4)
loss_of, is_target, n_steps = nn.CrossEntropyLoss(), torch.arange(128) // 64, 1000

for step in range(n_steps):
    source, target = torch.randperm(len(X_src))[:64], torch.randperm(len(X_tgt))[:64]
    lambda_ = 2 / (1 + math.exp(-10 * step / n_steps)) - 1
    embedding = features(torch.cat([X_src[source], X_tgt[target]]))
    loss = loss_of(label(embedding[:64]), y_src[source])
    loss = loss + loss_of(domain(Reverse.apply(embedding, lambda_)), is_target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

parts.eval()
with torch.no_grad():
    predicted = label(features(X_tgt)).argmax(dim=1)
print(f"target accuracy {(predicted == y_tgt).float().mean():.3f}")
