"""A feature extractor for time series: convolutions along the steps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class TimeSeriesFeatureExtractor(nn.Module):
    """Three convolutions along the steps of a series, and the mean over all steps.

    The fully convolutional network of [1]_, a strong baseline for the classification of time
    series, with fewer channels. Each convolution is followed by a normalisation and a ReLU. The
    embedding is the mean of the last convolution over the steps, so it does not matter where in the
    series something happens.

    Each series is normalised by itself (:class:`torch.nn.GroupNorm` with one group), where [1]_
    normalises over the batch: half of a batch are target rows, and a series is to have the same
    features whatever else is in the batch. So the unit of `X` hardly matters, but its channels
    should be of similar size: divide ``X.std(axis=(0, 2), keepdims=True)`` out if they are not.

    Parameters
    ----------
    series_shape : tuple of int, (channels, steps)
        Shape of one row of `X`.
    channels : sequence of int, default=(16, 32, 32)
        Outputs of each convolution; the last number is the width of the embedding. [1]_ has 128,
        256 and 128.
    kernel_sizes : sequence of int, default=(7, 5, 3)
        How many steps each convolution looks at: odd numbers, as many as there are `channels`.

    See Also
    --------
    skdann.datasets.make_drifting_series : Series whose sensor drifts.
    MNISTFeatureExtractor : For rows of two dimensions and channels, such as spectrograms.

    References
    ----------
    .. [1] Wang, Z., Yan, W. and Oates, T. "Time Series Classification from Scratch with Deep Neural
       Networks: A Strong Baseline." International Joint Conference on Neural Networks, 2017.

    Examples
    --------
    >>> import torch
    >>> from skdann.networks import TimeSeriesFeatureExtractor
    >>> TimeSeriesFeatureExtractor((2, 128))(torch.zeros(5, 2, 128)).shape
    torch.Size([5, 32])

    Series from a machine, and from another one that runs faster:

    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_drifting_series
    >>> X_src, y_src, X_tgt, y_tgt = make_drifting_series(n_samples=40, random_state=0)
    >>> clf = DANNClassifier(
    ...     feature_extractor=TimeSeriesFeatureExtractor,
    ...     lambda_max=1.0,
    ...     max_epochs=2,
    ...     random_state=0,
    ... )
    >>> clf.fit(X_src, y_src, X_tgt).predict_proba(X_tgt).shape
    (40, 3)
    """

    def __init__(
        self,
        series_shape: tuple[int, int],
        *,
        channels: Sequence[int] = (16, 32, 32),
        kernel_sizes: Sequence[int] = (7, 5, 3),
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_inputs = _n_channels(series_shape)
        if len(channels) != len(kernel_sizes) or not len(channels):
            raise ValueError(
                "channels and kernel_sizes must have one number for each convolution, got "
                f"{channels!r} and {kernel_sizes!r}."
            )
        if not all(size % 2 for size in kernel_sizes):
            raise ValueError(f"kernel_sizes must be odd numbers, got {kernel_sizes!r}.")
        for n_outputs, size in zip(channels, kernel_sizes, strict=True):
            layers += [
                nn.Conv1d(n_inputs, n_outputs, size, padding=size // 2),
                nn.GroupNorm(1, n_outputs),
                nn.ReLU(),
            ]
            n_inputs = n_outputs
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten()).float()

    def forward(self, X: Tensor) -> Tensor:
        """Return the embedding of series.

        Parameters
        ----------
        X : Tensor of shape (n, channels, steps), float32
            One series in each row.

        Returns
        -------
        embedding : Tensor of shape (n, n_embedding), float32
            What the label predictor and the domain classifier are given.
        """
        return self.layers(X)


def _n_channels(series_shape: tuple[int, int]) -> int:
    shape = tuple(series_shape) if isinstance(series_shape, Sequence) else (series_shape,)
    if len(shape) != 2:
        cure = "Pass X of shape (n_samples, channels, steps)"
        if len(shape) == 1:
            cure += "; series of one channel get an axis for it by X[:, None]"
        raise ValueError(
            f"series_shape must be (channels, steps), the shape of one series, got "
            f"{series_shape!r}. {cure}."
        )
    return int(shape[0])
