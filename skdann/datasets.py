"""Small made shifts, for docs and tests: labelled source rows, and target rows that moved."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_images, make_moons
from sklearn.utils import check_random_state

from skdann._typing import RandomState

__all__ = [
    "make_blended_digits",
    "make_drifting_series",
    "make_hospitals",
    "make_rotated_moons",
    "make_shifted_column",
    "make_tilted_digits",
]

# Of each measurement: mean and standard deviation in hospital A; how it moves with the severity of
# the disease, and its noise, both in these deviations; and how far hospital B's devices are off.
_MEASUREMENTS = {
    "blood_pressure": (128.0, 16.0, 0.6, 0.8, 2.0),
    "cholesterol": (5.2, 0.9, 0.7, 0.7, -2.0),
    "max_pulse": (145.0, 20.0, -0.8, 0.6, 2.0),
    "crp": (2.4, 0.8, 0.9, 0.44, -2.0),
    "glucose": (5.8, 1.1, 0.7, 0.7, 2.0),
    "haemoglobin": (14.1, 1.3, -0.6, 0.8, 2.0),
}

# Of each state of a machine: impacts in a turn of its shaft.
_IMPACTS = np.array([0.0, 2.0, 3.5])

# Source rows, source labels, target rows, target labels; rows may be DataFrames.
Domains: TypeAlias = tuple[Any, NDArray[Any], Any, NDArray[Any]]


def make_rotated_moons(
    n_samples: int = 300,
    *,
    rotation: float = 35.0,
    noise: float = 0.05,
    random_state: RandomState = None,
) -> Domains:
    """Make two interleaved half circles, turned in the target domain.

    The toy problem of [1]_: the target rows are a fresh draw of the same moons, rotated around the
    origin. Both domains are centred by the mean of the source and doubled, before the rotation.

    Parameters
    ----------
    n_samples : int, default=300
        Rows per domain.
    rotation : float, default=35.0
        Angle by which the target is turned counterclockwise, in degrees.
    noise : float, default=0.05
        Standard deviation of the Gaussian noise, before doubling.
    random_state : int, RandomState instance or None, default=None
        Determines both draws. Pass an int for the same rows at every call.

    Returns
    -------
    X_src : ndarray of shape (n_samples, 2)
        Source rows; the mean of each column is 0.
    y_src : ndarray of shape (n_samples,)
        Source labels, 0 or 1.
    X_tgt : ndarray of shape (n_samples, 2)
        Target rows.
    y_tgt : ndarray of shape (n_samples,)
        Target labels, 0 or 1: for scoring only.

    See Also
    --------
    make_shifted_column : A shift that one column gives away.
    make_tilted_digits : The same kind of shift, of pictures.

    References
    ----------
    .. [1] Ganin, Y., Ustinova, E., Ajakan, H., Germain, P., Larochelle, H., Laviolette, F.,
       Marchand, M. and Lempitsky, V. "Domain-Adversarial Training of Neural Networks." Journal of
       Machine Learning Research 17(59), 2016.

    Examples
    --------
    >>> from skdann.datasets import make_rotated_moons
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(random_state=0)
    >>> X_src.shape, X_tgt.shape
    ((300, 2), (300, 2))

    A classifier that knows the source alone loses a part of the turned moons:

    >>> from sklearn.linear_model import LogisticRegression
    >>> classifier = LogisticRegression().fit(X_src, y_src)
    >>> classifier.score(X_src, y_src) > 0.85
    True
    >>> classifier.score(X_tgt, y_tgt) < 0.75
    True
    """
    random_state = check_random_state(random_state)
    X_src, y_src = make_moons(n_samples, noise=noise, random_state=random_state)
    X_tgt, y_tgt = make_moons(n_samples, noise=noise, random_state=random_state)
    centre = X_src.mean(axis=0)
    cosine, sine = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    # Rows are turned, not columns: the transpose of the usual matrix.
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return 2 * (X_src - centre), y_src, 2 * (X_tgt - centre) @ turn, y_tgt


def make_shifted_column(n_samples: int = 500, random_state: RandomState = None) -> Domains:
    """Make a signal column, and a column that tells nothing but the domain.

    Source rows are ``[t, 0]`` and target rows ``[t, 1]`` with t uniform in [0, 1); the label is
    ``t > 0.5``. A representation that hides the domain must drop the second column, and a network
    that was trained on the source alone has no reason to.

    Parameters
    ----------
    n_samples : int, default=500
        Rows per domain.
    random_state : int, RandomState instance or None, default=None
        Determines both draws. Pass an int for the same rows at every call.

    Returns
    -------
    X_src : ndarray of shape (n_samples, 2)
        Source rows; the second column is 0.
    y_src : ndarray of shape (n_samples,)
        Source labels, 0 or 1.
    X_tgt : ndarray of shape (n_samples, 2)
        Target rows; the second column is 1.
    y_tgt : ndarray of shape (n_samples,)
        Target labels, 0 or 1: for scoring only.

    See Also
    --------
    make_rotated_moons : A shift of both columns.

    Examples
    --------
    >>> from skdann.datasets import make_shifted_column
    >>> X_src, y_src, X_tgt, y_tgt = make_shifted_column(n_samples=3, random_state=0)
    >>> X_src.round(2)
    array([[0.55, 0.  ],
           [0.72, 0.  ],
           [0.6 , 0.  ]])
    >>> y_src
    array([1, 1, 1])
    >>> X_tgt.round(2)
    array([[0.54, 1.  ],
           [0.42, 1.  ],
           [0.65, 1.  ]])
    """
    random_state = check_random_state(random_state)
    signal_src, signal_tgt = random_state.uniform(size=(2, n_samples))
    X_src = np.column_stack([signal_src, np.zeros(n_samples)])
    X_tgt = np.column_stack([signal_tgt, np.ones(n_samples)])
    return X_src, (signal_src > 0.5).astype(int), X_tgt, (signal_tgt > 0.5).astype(int)


def make_tilted_digits(
    *, rotation: float = 20.0, n_source: int = 900, random_state: RandomState = None
) -> Domains:
    """Tilt handwritten digits in the target domain.

    The 1,797 digits of :func:`sklearn.datasets.load_digits` are split at random; the target's
    images are then turned around their middle, as by a slanting hand or a page laid askew.

    Parameters
    ----------
    rotation : float, default=20.0
        Angle by which target images are turned counterclockwise, in degrees.
    n_source : int, default=900
        How many of the digits are source rows. The others are target rows.
    random_state : int, RandomState instance or None, default=None
        Determines the split. Pass an int for the same rows at every call.

    Returns
    -------
    X_src : ndarray of shape (n_source, 64), float32
        Source images of 8x8 grey values in [0, 1], flattened.
    y_src : ndarray of shape (n_source,)
        Source labels, 0 to 9.
    X_tgt : ndarray of shape (1797 - n_source, 64), float32
        Target images: other digits than the source's, in the same form.
    y_tgt : ndarray of shape (1797 - n_source,)
        Target labels, 0 to 9: for scoring only.

    See Also
    --------
    make_blended_digits : A harder shift of the same digits.

    Examples
    --------
    >>> from skdann.datasets import make_tilted_digits
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(random_state=0)
    >>> X_src.shape, X_tgt.shape
    ((900, 64), (897, 64))

    A classifier that knows upright digits alone takes many a tilted one for another:

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> classifier = KNeighborsClassifier().fit(X_src, y_src)
    >>> classifier.score(X_tgt, y_tgt) < 0.85
    True
    """
    images_src, y_src, images_tgt, y_tgt = _split_digits(n_source, check_random_state(random_state))
    # Linear interpolation stays within the range of the grey values; higher orders leave it.
    images_tgt = ndimage.rotate(images_tgt, rotation, axes=(2, 1), reshape=False, order=1)
    return images_src.reshape(n_source, -1), y_src, images_tgt.reshape(len(y_tgt), -1), y_tgt


def make_blended_digits(
    *, n_source: int = 900, image_size: int = 28, random_state: RandomState = None
) -> Domains:
    """Blend handwritten digits into colour photographs in the target domain.

    The recipe that makes MNIST-M of MNIST [1]_, with the digits of
    :func:`sklearn.datasets.load_digits`, enlarged by cubic splines. Each target image is
    ``abs(patch - digit)``, where the patch is a random piece of one of scikit-learn's two sample
    photographs. On a dark patch the digit stays bright, on a bright one it turns dark. Reading the
    photographs needs Pillow: ``pip install "skdann[examples]"``.

    Parameters
    ----------
    n_source : int, default=900
        How many of the 1,797 digits are source rows. The others are target rows.
    image_size : int, default=28
        Height and width of all images in pixels, from 8 to 427. The digits are drawn in 8x8
        pixels, the photographs have 427x640.
    random_state : int, RandomState instance or None, default=None
        Determines the split and the patches. Pass an int for the same rows at every call.

    Returns
    -------
    X_src : ndarray of shape (n_source, 3, image_size, image_size), float32
        Source images with values in [0, 1], the same in all three channels.
    y_src : ndarray of shape (n_source,)
        Source labels, 0 to 9.
    X_tgt : ndarray of shape (1797 - n_source, 3, image_size, image_size), float32
        Target images with values in [0, 1], of other digits than the source's.
    y_tgt : ndarray of shape (1797 - n_source,)
        Target labels, 0 to 9: for scoring only.

    See Also
    --------
    make_tilted_digits : An easier shift of the same digits.

    References
    ----------
    .. [1] Ganin, Y., Ustinova, E., Ajakan, H., Germain, P., Larochelle, H., Laviolette, F.,
       Marchand, M. and Lempitsky, V. "Domain-Adversarial Training of Neural Networks." Journal of
       Machine Learning Research 17(59), 2016.

    Examples
    --------
    >>> from skdann.datasets import make_blended_digits
    >>> X_src, y_src, X_tgt, y_tgt = make_blended_digits(random_state=0)
    >>> X_src.shape, X_tgt.shape
    ((900, 3, 28, 28), (897, 3, 28, 28))
    """
    random_state = check_random_state(random_state)
    images_src, y_src, images_tgt, y_tgt = _split_digits(n_source, random_state)
    patches = _random_patches(len(images_tgt), image_size, random_state)
    images_src, images_tgt = _enlarged(images_src, image_size), _enlarged(images_tgt, image_size)
    X_src = np.repeat(images_src[:, np.newaxis], 3, axis=1)
    return X_src, y_src, np.abs(patches - images_tgt[:, np.newaxis]), y_tgt


def make_drifting_series(
    n_samples: int = 300,
    *,
    speed: float = 1.2,
    gain: tuple[float, float] = (1.5, 0.6),
    noise: float = 0.25,
    random_state: RandomState = None,
) -> Domains:
    """Make the vibrations of a machine, and of another that runs faster with other sensors.

    Two sensors follow a shaft that turns about four times in 128 steps. Where a bearing is worn,
    each turn has impacts that ring for a few steps; how many they are tells which part it is. In
    the target the shaft is faster, each sensor has a gain of its own, and there is more noise:
    what wears out in one machine is to be recognised in another.

    Parameters
    ----------
    n_samples : int, default=300
        Series per domain.
    speed : float > 0, default=1.2
        Speed of the target's shaft, as a multiple of the source's.
    gain : tuple of two float, default=(1.5, 0.6)
        Factors by which the target's two sensors show more or less than the source's.
    noise : float >= 0, default=0.25
        Mean standard deviation of the target's noise, before the gain. The source's is 0.15, the
        amplitude of a turn 0.6 and of an impact about 1.
    random_state : int, RandomState instance or None, default=None
        Determines both draws. Pass an int for the same series at every call.

    Returns
    -------
    X_src : ndarray of shape (n_samples, 2, 128), float32
        The source's series: sensors, steps.
    y_src : ndarray of shape (n_samples,)
        The source's states: 0 is sound, 1 has two impacts a turn, and 2 has three and a half.
    X_tgt : ndarray of shape (n_samples, 2, 128), float32
        The target's series.
    y_tgt : ndarray of shape (n_samples,)
        The target's states: for scoring only.

    See Also
    --------
    skdann.networks.TimeSeriesFeatureExtractor : A feature extractor for such rows.

    Examples
    --------
    >>> from skdann.datasets import make_drifting_series
    >>> X_src, y_src, X_tgt, y_tgt = make_drifting_series(random_state=0)
    >>> X_src.shape, X_tgt.shape
    ((300, 2, 128), (300, 2, 128))

    The first sensor shows more in the target than in the source, the second less:

    >>> (X_tgt.std(axis=(0, 2)) > X_src.std(axis=(0, 2))).tolist()
    [True, False]
    """
    random_state = check_random_state(random_state)
    X_src, y_src = _vibrations(n_samples, random_state, 1.0, 0.15)
    X_tgt, y_tgt = _vibrations(n_samples, random_state, speed, noise)
    X_tgt *= np.asarray(gain, dtype=np.float32)[:, np.newaxis]
    return X_src, y_src, X_tgt, y_tgt


def make_hospitals(n_samples: int = 1000, *, random_state: RandomState = None) -> Domains:
    """Make the patients of two hospitals, whose devices measure differently, as DataFrames.

    Patients are as ill in both hospitals, and about half of them are sick. The devices of the
    target's hospital are off: each of the six measurements is two standard deviations too high or
    too low. Its patients are four years older, and lack more values of one column. Needs pandas.

    Parameters
    ----------
    n_samples : int, default=1000
        Patients per hospital.
    random_state : int, RandomState instance or None, default=None
        Determines both draws. Pass an int for the same patients at every call.

    Returns
    -------
    X_src : DataFrame of shape (n_samples, 10)
        The source's patients: age in years, six measurements, and three columns of text (``sex``,
        ``chest_pain`` and ``smoker``). ``cholesterol`` and ``smoker`` have missing values.
    y_src : Series of shape (n_samples,)
        The source's diagnoses, "healthy" or "sick".
    X_tgt : DataFrame of shape (n_samples, 10)
        The target's patients.
    y_tgt : Series of shape (n_samples,)
        The target's diagnoses: for scoring only.

    See Also
    --------
    skdann.metrics.feature_shift : Finds the columns that moved.
    make_shifted_column : A smaller table, of numbers alone.

    Examples
    --------
    >>> from skdann.datasets import make_hospitals
    >>> X_src, y_src, X_tgt, y_tgt = make_hospitals(random_state=0)
    >>> X_src[["age", "crp", "chest_pain", "smoker"]].head(3).round(1)
        age  crp chest_pain smoker
    0  68.0  3.8    typical    yes
    1  66.0  2.4   atypical    yes
    2  53.0  2.6    typical    yes
    """
    random_state = check_random_state(random_state)
    source = _patients(n_samples, random_state, age=54, off=0.0, no_cholesterol=0.05)
    target = _patients(n_samples, random_state, age=58, off=1.0, no_cholesterol=0.25)
    return *source, *target


def _vibrations(n, random_state, speed, noise, n_steps=128):
    """Return series (n, 2, n_steps) of a shaft of this speed, and the states of its bearings."""
    state = random_state.randint(len(_IMPACTS), size=n)
    turns = 4 * speed * random_state.uniform(0.85, 1.15, size=(n, 1))
    angle = turns * np.arange(n_steps) / n_steps + random_state.uniform(size=(n, 1))
    impacts = _IMPACTS[state][:, np.newaxis]
    since = np.mod(impacts * angle, 1) / np.maximum(impacts * turns, 1)  # as a share of the window
    ringing = np.exp(-since / 0.012) * np.sin(80 * np.pi * since) * (impacts > 0)
    ringing *= random_state.uniform(0.8, 1.2, size=(n, 1))
    turning = np.sin(2 * np.pi * angle)
    X = np.stack([0.6 * turning + 1.5 * ringing, 0.3 * turning + 0.8 * ringing], axis=1)
    X += noise * random_state.uniform(0.5, 1.5, size=(n, 1, 1)) * random_state.normal(size=X.shape)
    return X.astype(np.float32), state


def _patients(n, random_state, *, age, off, no_cholesterol):
    """Return patients as a DataFrame, and their diagnoses as a Series."""
    import pandas as pd

    severity = random_state.normal(size=n)
    columns = {
        "age": (age + 4 * severity + random_state.normal(0, 12, size=n)).clip(18, 95).round()
    }
    for name, (mean, deviation, slope, noise, drift) in _MEASUREMENTS.items():
        reading = slope * severity + random_state.normal(0, noise, size=n) + off * drift
        columns[name] = (mean + deviation * reading).round(2)
    columns["sex"] = random_state.choice(["female", "male"], size=n)
    pain = np.digitize(severity + random_state.normal(size=n), [-0.5, 0.5])
    columns["chest_pain"] = np.array(["none", "atypical", "typical"])[pain]
    smokes = random_state.uniform(size=n) < 1 / (1 + np.exp(-severity))
    columns["smoker"] = np.where(smokes, "yes", "no")
    X = pd.DataFrame(columns)
    X["cholesterol"] = X["cholesterol"].mask(random_state.uniform(size=n) < no_cholesterol)
    X["smoker"] = X["smoker"].mask(random_state.uniform(size=n) < 0.1)
    sick = severity + random_state.normal(0, 0.3, size=n) > 0
    return X, pd.Series(np.where(sick, "sick", "healthy"), name="diagnosis")


def _split_digits(n_source, random_state):
    """Return images (n, 8, 8) in [0, 1] and labels of two disjoint random parts."""
    digits = load_digits()
    n_digits = len(digits.target)
    if not 1 <= n_source < n_digits:
        raise ValueError(f"n_source must be between 1 and {n_digits - 1}, got {n_source}.")
    images = (digits.images / 16).astype(np.float32)
    source, target = np.split(random_state.permutation(n_digits), [n_source])
    return images[source], digits.target[source], images[target], digits.target[target]


def _enlarged(images, size):
    """Return square images (n, size, size), smooth and in [0, 1]."""
    n_pixels = images.shape[1]
    # Splines are linear in the pixels: what becomes of each row of pixels makes a matrix. Pixels
    # are squares, and it is black around them.
    rows = np.eye(n_pixels, dtype=np.float32)
    grid = {"mode": "grid-constant", "grid_mode": True}
    weights = ndimage.zoom(rows, (size / n_pixels, 1), order=3, **grid)
    return (weights @ images @ weights.T).clip(0, 1)  # splines overshoot a little


def _random_patches(n_patches, size, random_state):
    """Return pieces (n_patches, 3, size, size) of the sample photographs, in [0, 1]."""
    try:
        photographs = np.stack(load_sample_images().images)
    except ImportError as error:
        raise ImportError(
            'Reading the sample photographs needs Pillow: pip install "skdann[examples]"'
        ) from error
    n_pixels = min(photographs.shape[1:3])
    if not 8 <= size <= n_pixels:
        raise ValueError(f"image_size must be between 8 and {n_pixels}, got {size}.")
    # A view of every piece there is, of shape (photograph, row, column, 3, size, size).
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (size, size), axis=(1, 2))
    which = (random_state.randint(n, size=n_patches) for n in windows.shape[:3])
    return windows[tuple(which)].astype(np.float32) / 255
