"""Small made shifts, for docs and tests: labelled source rows, and target rows that moved."""

import numpy as np
from sklearn.datasets import load_digits, load_sample_images, make_moons
from sklearn.utils import check_random_state

__all__ = ["make_blended_digits", "make_rotated_moons", "make_shifted_column"]


def make_rotated_moons(n_samples=300, *, rotation=35.0, noise=0.05, random_state=None):
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

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> classifier = KNeighborsClassifier().fit(X_src, y_src)
    >>> classifier.score(X_src, y_src)
    1.0
    >>> classifier.score(X_tgt, y_tgt) < 0.85
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


def make_shifted_column(n_samples=500, random_state=None):
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
