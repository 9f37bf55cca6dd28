"""MNIST's digits, and made domains in which they look different.

MNIST-M is made by the paper's recipe: the absolute difference of a digit and a random patch of a
photograph. "USPS-like" are digits that fill their image, thick or thin, on 16x16 blurred pixels.
"SVHN-like" are coloured digits of any size on coloured ground, between parts of other digits.

The files are MNIST's and 50 photographs of BSDS500, in the folder `digits` of the data; see
`shifted_data.data_folder`.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from shifted_data import data_folder
from torch import Tensor
from torch.nn import functional

SIZE = 28
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class DigitShift(NamedTuple):
    """Images as bytes, of shape (n, 3, 28, 28), and their labels."""

    X_src: np.ndarray
    y_src: np.ndarray
    X_tgt: np.ndarray
    y_tgt: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def digit_shift(name: str, n_rows: int) -> DigitShift:
    """Return `n_rows` images of each domain, and all of MNIST's test digits as the target's test.

    Source and target show other digits; with more than 30,000 rows partly the same ones.
    """
    digits, labels = read_mnist("train")
    test_digits, test_labels = read_mnist("t10k")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(digits))
    source, target = order[:n_rows], order[-n_rows:]
    change_source, change_target = SHIFTS[name]
    return DigitShift(
        change_source(digits[source], rng),
        labels[source],
        change_target(digits[target], rng),
        labels[target],
        change_target(test_digits, rng),
        test_labels,
    )


def read_mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of "train" or "t10k"."""
    folder = data_folder("digits")
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return images, read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


def read_idx(path: Path) -> np.ndarray:
    """Return the bytes of a file of MNIST's format: number of axes, their sizes, the values."""
    content = gzip.decompress(path.read_bytes())
    n_axes = content[3]
    shape = np.frombuffer(content, ">i4", n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


# -- how digits look -------------------------------------------------------------------------


def grey(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the digits as they are, with three equal channels."""
    return np.repeat(digits[:, None], 3, axis=1)


def blended(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return MNIST-M: the absolute difference of each digit and a patch of a photograph."""
    photographs = np.load(data_folder("digits") / "bsds500_train_every4th.npz")["images"]
    count, height, width, _ = photographs.shape
    ends = count, height - SIZE + 1, width - SIZE + 1
    which, top, left = (rng.integers(0, end, (len(digits), 1, 1)) for end in ends)
    at = np.arange(SIZE)
    patches = photographs[which, top + at[:, None], left + at].astype(np.int16)
    return np.abs(patches - digits[..., None]).astype(np.uint8).transpose(0, 3, 1, 2)


def like_usps(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each digit's box on 16x16 pixels, with thicker strokes and blurred, enlarged."""
    top, bottom = _ends(digits.max(axis=2) > 0)
    left, right = _ends(digits.max(axis=1) > 0)
    beside = np.maximum(0, (bottom - top) / 2 - (right - left)) / 2  # a 1 stays narrow
    left, right = left - beside, right + beside
    small = _zoomed(digits, (top, bottom), (left, right), 16)
    thick = functional.max_pool2d(small, 3, stride=1, padding=1)
    weight = _column(rng.uniform(0, 0.6, len(digits)))
    blurred = functional.avg_pool2d(small + weight * (thick - small), 3, stride=1, padding=1)
    blurred = blurred * (255 / blurred.amax(dim=(1, 2, 3), keepdim=True))
    return grey(_bytes(functional.interpolate(blurred, (SIZE, SIZE), mode="bilinear"))[:, 0], rng)


def like_svhn(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return coloured digits of any size, with a neighbour at each side, under uneven light."""
    n = len(digits)
    height, width = rng.uniform(20, 30, n), rng.uniform(22, 36, n)
    middle = SIZE / 2 + rng.uniform(-2, 2, n)
    rows = middle - height / 2, middle + height / 2
    ink = torch.zeros(n, 1, SIZE, SIZE)
    for side in (0, -1, 1):  # the digit itself, and others beside it
        shown = digits if side == 0 else digits[rng.permutation(n)]
        centre = SIZE / 2 - side * rng.uniform(0.62, 0.8, n) * width
        ink = torch.maximum(
            ink, _zoomed(shown, rows, (centre - width / 2, centre + width / 2), SIZE)
        )
    ground = rng.uniform(0, 255, (n, 3))
    contrast = rng.uniform(60, 160, (n, 1)) * np.where(ground.mean(axis=1) < 127, 1, -1)[:, None]
    colour = ground + contrast + rng.normal(0, 25, (n, 3))
    share = (ink / 255).numpy()
    image = ground[..., None, None] * (1 - share) + colour[..., None, None] * share
    slope = np.linspace(-1, 1, SIZE)
    light = rng.normal(0, 20, (2, n, 1, 1, 1))
    image += light[0] * slope[:, None] + light[1] * slope
    blurred = functional.avg_pool2d(_tensor(image), 3, stride=1, padding=1, count_include_pad=False)
    return _bytes(blurred + _tensor(rng.normal(0, 6, image.shape)))


SHIFTS: dict[str, tuple[Change, Change]] = {
    "MNIST -> MNIST-M": (grey, blended),
    "MNIST -> USPS-like": (grey, like_usps),
    "SVHN-like -> MNIST": (like_svhn, grey),
}


# -- images ----------------------------------------------------------------------------------


def _ends(any_ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ink begins and where it ends, for each image."""
    return any_ink.argmax(axis=1), any_ink.shape[1] - any_ink[:, ::-1].argmax(axis=1)


def _zoomed(
    digits: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    columns: tuple[np.ndarray, np.ndarray],
    size: int,
) -> Tensor:
    """Return a cut of each image, in pixels from and to, on (n, 1, size, size) pixels."""
    images = _tensor(digits)[:, None]
    # Coordinates run from -1 to 1 over the image.
    (top, bottom), (left, right) = (
        [2 * one / SIZE - 1 for one in ends] for ends in (rows, columns)
    )
    zero = np.zeros(len(digits))
    matrix = np.stack(
        [(right - left) / 2, zero, (right + left) / 2, zero, (bottom - top) / 2, (bottom + top) / 2]
    )
    grid = functional.affine_grid(
        _tensor(matrix.T.reshape(-1, 2, 3)), [len(digits), 1, size, size], align_corners=False
    )
    return functional.grid_sample(images, grid, align_corners=False)


def _column(values: np.ndarray) -> Tensor:
    return _tensor(values).reshape(-1, 1, 1, 1)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _bytes(images: Tensor) -> np.ndarray:
    return images.clamp(0, 255).round().to(torch.uint8).numpy()
