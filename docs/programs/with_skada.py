"""DANN with skada 0.6: upright digits to tilted digits."""

import numpy as np
import torch
from scipy.ndimage import rotate
from skada.deep import DANN
from skada.deep.modules import GradientReversalLayer
from sklearn.datasets import load_digits
from torch import nn

images, labels = load_digits().images.astype("float32") / 16, load_digits().target
X_src, y_src = images[:900].reshape(900, 64), labels[:900]
tilted = rotate(images[900:], 20, axes=(2, 1), reshape=False, order=1)
X_tgt, y_tgt = tilted.reshape(897, 64), labels[900:]

torch.manual_seed(0)
X = np.vstack([X_src, X_tgt])
y = np.concatenate([y_src, np.full(len(X_tgt), -1)])  # -1: without a label
sample_domain = np.repeat([1, -2], [len(X_src), len(X_tgt)])  # below 0: target


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Dropout(0.5))
        self.label = nn.Linear(100, 10)

    def forward(self, X, sample_weight=None):
        return self.label(self.features(X))


class Reversal(nn.Module):
    def forward(self, X):
        return GradientReversalLayer.apply(X, 1.0)


# The domain classifier that comes with skada 0.6 ends in a softmax over one number, which is
# always 1 and has no gradient.
domain_classifier = nn.Sequential(
    Reversal(), nn.Linear(100, 100), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(100, 1), nn.Sigmoid(), nn.Flatten(start_dim=0),
)  # fmt: skip
net = DANN(
    Network(), layer_name="features", domain_classifier=domain_classifier, reg=1.0,
    optimizer=torch.optim.Adam, lr=0.001, batch_size=64, max_epochs=70,
    iterator_train__max_samples="source", train_split=None, verbose=0,
)  # fmt: skip
net.fit(X, y, sample_domain=sample_domain)

predicted = net.predict(X_tgt, allow_source=True)
print(f"target accuracy {np.mean(predicted == y_tgt):.3f}")
