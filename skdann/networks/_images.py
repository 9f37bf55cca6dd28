"""The feature extractors of the paper's image experiments."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class _ImageFeatureExtractor(nn.Module):
    """Images through layers in their order."""

    layers: nn.Sequential

    def forward(self, X: Tensor) -> Tensor:
        """Return the embedding of images.

        Parameters
        ----------
        X : Tensor of shape (n, channels, height, width), float32
            One image in each row.

        Returns
        -------
        embedding : Tensor of shape (n, n_embedding), float32
            What the label predictor and the domain classifier are given.
        """
        return self.layers(X)


class MNISTFeatureExtractor(_ImageFeatureExtractor):
    """Two convolutions for small images: the network of the paper's MNIST experiments.

    The feature extractor of figure 4a of [1]_: two convolutions of 5x5 pixels with 32 and 48
    channels, without padding, each followed by a ReLU and the maximum of 2x2 pixels. The embedding
    of an image of 28x28 pixels has 48 channels of 4x4 pixels, 768 features.

    The paper's whole network has two hidden layers of 100 units in the label predictor, one of 100
    units in the domain classifier, and no dropout: pass ``label_predictor=(100, 100)``,
    ``domain_classifier=(100,)`` and ``dropout=0.0`` to :class:`~skdann.DANNClassifier` with it. The
    default, ``dropout=0.5`` in these two parts, adapts better in the same number of steps.

    Parameters
    ----------
    image_shape : tuple of int, (channels, height, width)
        Shape of one row of `X`. At least 16x16 pixels, of any number of channels.
    max_value : float > 0, default=1.0
        The value of a bright pixel in `X`. Images are divided by it. With bytes, such as arrays of
        ``uint8``, pass 255.
    mean : float or sequence of float, default=0.0
        What is subtracted from all pixels after the division: one number, or one for each channel.
        The paper subtracts the mean and does not divide by the standard deviation.

    See Also
    --------
    SVHNFeatureExtractor : The paper's larger network, for photographs of numbers.

    References
    ----------
    .. [1] Ganin, Y., Ustinova, E., Ajakan, H., Germain, P., Larochelle, H., Laviolette, F.,
       Marchand, M. and Lempitsky, V. "Domain-Adversarial Training of Neural Networks." Journal of
       Machine Learning Research 17(59), 2016.

    Examples
    --------
    >>> import torch
    >>> from skdann.networks import MNISTFeatureExtractor
    >>> MNISTFeatureExtractor((3, 28, 28))(torch.zeros(5, 3, 28, 28)).shape
    torch.Size([5, 768])

    The paper's network, on images of bytes:

    >>> from functools import partial
    >>> import numpy as np
    >>> from skdann import DANNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X_src = rng.integers(0, 256, size=(20, 1, 28, 28), dtype=np.uint8)
    >>> y_src = np.arange(20) % 2
    >>> clf = DANNClassifier(
    ...     feature_extractor=partial(MNISTFeatureExtractor, max_value=255),
    ...     label_predictor=(100, 100),
    ...     domain_classifier=(100,),
    ...     dropout=0.0,
    ...     lambda_max=1.0,
    ...     max_epochs=2,
    ...     random_state=0,
    ... )
    >>> clf.fit(X_src, y_src, 255 - X_src).predict_proba(X_src).shape
    (20, 2)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        max_value: float = 1.0,
        mean: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        n_channels, _, _ = _checked_image_shape(image_shape, 16)
        self.layers = nn.Sequential(
            *_pixel_scaling(n_channels, max_value, mean),
            nn.Conv2d(n_channels, 32, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 48, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        ).float()


class SVHNFeatureExtractor(_ImageFeatureExtractor):
    """Three convolutions for photographs: the network of the paper's house number experiments.

    The feature extractor of figure 4b of [1]_: three convolutions of 5x5 pixels with 64, 64 and 128
    channels, each followed by a ReLU, the first two also by the maximum of 3x3 pixels in steps of
    2. Convolutions keep the size, by two zeros at each edge; the paper does not say it, but without
    them the third would not fit an image of 32x32 pixels. The embedding of such an image has 128
    channels of 7x7 pixels, 6,272 features.

    The paper's whole network has two hidden layers of 3,072 and 2,048 units in the label predictor
    and two of 1,024 units in the domain classifier: pass ``label_predictor=(3072, 2048)``,
    ``domain_classifier=(1024, 1024)`` and ``dropout=0.5`` to :class:`~skdann.DANNClassifier` with
    it. These have 27 million weights, so it wants a GPU. The paper also limits the norms of the
    weights, which is not done here.

    Parameters
    ----------
    image_shape : tuple of int, (channels, height, width)
        Shape of one row of `X`. At least 7x7 pixels, of any number of channels.
    max_value : float > 0, default=1.0
        The value of a bright pixel in `X`. Images are divided by it. With bytes, such as arrays of
        ``uint8``, pass 255.
    mean : float or sequence of float, default=0.0
        What is subtracted from all pixels after the division: one number, or one for each channel.
    dropout : sequence of four float in [0, 1), default=(0.1, 0.25, 0.25, 0.5)
        Share of values that are set to 0 in training: of the pixels, and of the outputs of each of
        the three convolutions. The default is that of [2]_, which the paper follows.

    See Also
    --------
    MNISTFeatureExtractor : A smaller network, without dropout.

    References
    ----------
    .. [1] Ganin, Y., Ustinova, E., Ajakan, H., Germain, P., Larochelle, H., Laviolette, F.,
       Marchand, M. and Lempitsky, V. "Domain-Adversarial Training of Neural Networks." Journal of
       Machine Learning Research 17(59), 2016.
    .. [2] Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I. and Salakhutdinov, R. "Dropout:
       A Simple Way to Prevent Neural Networks from Overfitting." Journal of Machine Learning
       Research 15(56), 2014.

    Examples
    --------
    >>> import torch
    >>> from skdann.networks import SVHNFeatureExtractor
    >>> SVHNFeatureExtractor((3, 32, 32))(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 6272])

    With smaller parts behind it:

    >>> import numpy as np
    >>> from skdann import DANNClassifier
    >>> X_src = np.random.default_rng(0).uniform(size=(20, 3, 12, 12)).astype(np.float32)
    >>> y_src = np.arange(20) % 2
    >>> clf = DANNClassifier(
    ...     feature_extractor=SVHNFeatureExtractor,
    ...     label_predictor=(100,),
    ...     lambda_max=1.0,
    ...     max_epochs=2,
    ...     random_state=0,
    ... )
    >>> clf.fit(X_src, y_src, 1 - X_src).transform(X_src).shape
    (20, 512)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        max_value: float = 1.0,
        mean: float | Sequence[float] = 0.0,
        dropout: Sequence[float] = (0.1, 0.25, 0.25, 0.5),
    ) -> None:
        super().__init__()
        n_channels, _, _ = _checked_image_shape(image_shape, 7)
        of_pixels, *of_layers = _checked_shares("dropout", dropout, 4)
        self.layers = nn.Sequential(
            *_pixel_scaling(n_channels, max_value, mean),
            nn.Dropout(of_pixels),
            nn.Conv2d(n_channels, 64, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Dropout(of_layers[0]),
            nn.Conv2d(64, 64, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Dropout(of_layers[1]),
            nn.Conv2d(64, 128, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.Dropout(of_layers[2]),
            nn.Flatten(),
        ).float()


class _PixelScaling(nn.Module):
    """Pixels divided by the largest value and shifted by a mean."""

    mean: Tensor

    def __init__(self, max_value: float, mean: Tensor) -> None:
        super().__init__()
        self.max_value = max_value
        self.register_buffer("mean", mean)

    def forward(self, X: Tensor) -> Tensor:
        return X / self.max_value - self.mean

    def extra_repr(self) -> str:
        return f"max_value={self.max_value:g}, mean={self.mean.flatten().tolist()}"


def _pixel_scaling(
    n_channels: int, max_value: float, mean: float | Sequence[float]
) -> list[nn.Module]:
    """Return the module that scales pixels, or none where there is nothing to do."""
    if not (max_value > 0 and math.isfinite(max_value)):
        raise ValueError(
            f"max_value must be a number > 0, got {max_value!r}. It is the value of a bright pixel "
            "in X: 255 for bytes, 1 for values between 0 and 1."
        )
    means = torch.as_tensor(mean, dtype=torch.float32).flatten()
    if len(means) not in (1, n_channels):
        raise ValueError(
            f"mean must be one number or one for each of the {n_channels} channels, got "
            f"{len(means)} numbers."
        )
    if max_value == 1 and not means.any():
        return []
    return [_PixelScaling(float(max_value), means.expand(n_channels).reshape(-1, 1, 1).clone())]


def _checked_image_shape(image_shape: tuple[int, int, int], smallest: int) -> tuple[int, ...]:
    """Return the shape of an image, if there is one and it is large enough."""
    shape = tuple(image_shape) if isinstance(image_shape, Sequence) else (image_shape,)
    if len(shape) != 3:
        cure = "Pass X of shape (n_samples, channels, height, width)"
        if len(shape) == 2:
            cure += "; grey images without an axis of channels get one by X[:, None]"
        raise ValueError(
            "image_shape must be (channels, height, width), the shape of one image, got "
            f"{image_shape!r}. {cure}."
        )
    if min(shape[1:]) < smallest:
        cure = "Enlarge them, or pass a module of your own"
        if shape[2] < smallest <= shape[0]:
            cure = "Are channels the last axis? Pass X.transpose(0, 3, 1, 2)"
        raise ValueError(
            f"Images of shape {shape} are too small: height and width must be at least {smallest}, "
            f"got {shape[1]} and {shape[2]}. {cure}."
        )
    return shape


def _checked_shares(name: str, shares: Sequence[float], n_shares: int) -> list[float]:
    """Return as many numbers as wanted, each in [0, 1)."""
    given = list(shares) if isinstance(shares, Sequence) else [shares]
    if len(given) != n_shares or not all(0 <= share < 1 for share in given):
        raise ValueError(
            f"{name} must be {n_shares} numbers, each at least 0 and less than 1, got {shares!r}."
        )
    return given
