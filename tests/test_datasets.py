"""The made shifts are what they say: the same labels, rows that moved in the stated way."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_sample_images

from skdann import datasets

MAKERS = [getattr(datasets, name) for name in datasets.__all__]


@pytest.fixture(scope="module")
def blended():
    return datasets.make_blended_digits(image_size=8, random_state=0)


def columns_of(rows):
    """Return the columns of a table, or as the only one labels, or all values of images."""
    if isinstance(rows, pd.DataFrame):
        return [rows[name] for name in rows]
    return [*map(pd.Series, rows.T)] if np.ndim(rows) == 2 else [pd.Series(np.ravel(rows))]


def rows_as_set(images):
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("make", MAKERS)
def test_same_random_state_same_rows(make):
    first, again, other = make(random_state=3), make(random_state=3), make(random_state=4)
    for one, two in zip(first, again, strict=True):
        for mine, yours in zip(columns_of(one), columns_of(two), strict=True):
            pd.testing.assert_series_equal(mine, yours)
    for i in (0, 2):
        pairs = zip(columns_of(first[i]), columns_of(other[i]), strict=True)
        assert not all(one.equals(two) for one, two in pairs)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("random_state", [0, None])
def test_random_state_of_the_process(make, random_state):
    """An int leaves numpy's global state alone; None means that state, as in scikit-learn."""
    np.random.seed(0)
    before = np.random.get_state()[2]
    make(random_state=random_state)
    assert (np.random.get_state()[2] == before) == (random_state is not None)


@pytest.mark.parametrize("make", MAKERS)
def test_rows_and_labels_belong_together(make):
    X_src, y_src, X_tgt, y_tgt = make(random_state=0)
    assert len(X_src) == len(y_src)
    assert len(X_tgt) == len(y_tgt)
    assert X_src.shape[1:] == X_tgt.shape[1:]
    for one, two in zip(columns_of(X_src), columns_of(X_tgt), strict=True):
        assert one.dtype == two.dtype
    assert_array_equal(np.unique(y_src), np.unique(y_tgt))


def test_moons_are_turned_around_the_origin():
    upright = datasets.make_rotated_moons(50, rotation=0, random_state=0)
    turned = datasets.make_rotated_moons(50, rotation=90, random_state=0)
    for same in (0, 1, 3):
        assert_array_equal(upright[same], turned[same])
    x, y = upright[2].T
    assert_allclose(turned[2], np.column_stack([-y, x]), atol=1e-12)


def test_moons_turn_by_35_degrees_unless_told_otherwise():
    x, y = datasets.make_rotated_moons(50, rotation=0, random_state=0)[2].T
    u, v = datasets.make_rotated_moons(50, random_state=0)[2].T
    assert_allclose((np.arctan2(v, u) - np.arctan2(y, x)) % (2 * np.pi), np.radians(35))


def test_moons_without_noise_are_half_circles_of_radius_two():
    X_src, y_src, _, _ = datasets.make_rotated_moons(400, noise=0, random_state=0)
    assert X_src.shape == (400, 2)
    assert_allclose(X_src.mean(axis=0), 0, atol=1e-12)
    # The middle of a half circle is under its mean, at the height of its ends.
    for label, sign in ((0, 1), (1, -1)):
        moon = X_src[y_src == label]
        middle = np.array([moon[:, 0].mean(), sign * (moon[:, 1] * sign).min()])
        assert_allclose(np.linalg.norm(moon - middle, axis=1), 2)


def test_moons_of_the_target_are_a_fresh_draw_centred_by_the_source():
    X_src, _, X_tgt, _ = datasets.make_rotated_moons(rotation=0, random_state=0)
    assert not rows_as_set(X_src) & rows_as_set(X_tgt)
    assert_allclose(X_src.mean(axis=0), 0, atol=1e-12)
    assert np.abs(X_tgt.mean(axis=0)).max() > 1e-4


def test_shifted_column():
    X_src, y_src, X_tgt, y_tgt = datasets.make_shifted_column(random_state=0)
    assert X_src.shape == X_tgt.shape == (500, 2)
    assert_array_equal(X_src[:, 1], 0)
    assert_array_equal(X_tgt[:, 1], 1)
    for X, y in ((X_src, y_src), (X_tgt, y_tgt)):
        assert_array_equal(y, X[:, 0] > 0.5)
        assert 0 <= X[:, 0].min() < 0.05
        assert 0.95 < X[:, 0].max() < 1
    assert not np.array_equal(X_src[:, 0], X_tgt[:, 0])


def test_tilted_digits_are_all_digits_once_when_not_tilted():
    X_src, y_src, X_tgt, y_tgt = datasets.make_tilted_digits(rotation=0, random_state=0)
    assert X_src.shape == (900, 64)
    assert X_src.dtype == X_tgt.dtype == np.float32
    digits = load_digits()
    made = np.column_stack([np.vstack([X_src, X_tgt]) * 16, np.concatenate([y_src, y_tgt])])
    original = np.column_stack([digits.data, digits.target])
    assert_array_equal(made[np.lexsort(made.T)], original[np.lexsort(original.T)])


def test_tilted_digits_turn_counterclockwise():
    X_src, _, upright, _ = datasets.make_tilted_digits(rotation=0, random_state=0)
    same_src, _, turned, _ = datasets.make_tilted_digits(rotation=90, random_state=0)
    assert_array_equal(X_src, same_src)
    quarter_turn = np.rot90(upright.reshape(-1, 8, 8), axes=(1, 2))
    assert_allclose(turned.reshape(-1, 8, 8), quarter_turn, atol=1e-6)


def test_tilted_digits_stay_grey_values():
    X_tgt = datasets.make_tilted_digits(random_state=0)[2]
    assert X_tgt.min() == 0
    assert 0.9 < X_tgt.max() <= 1


def test_blended_digits_shapes_and_range(blended):
    X_src, y_src, X_tgt, y_tgt = blended
    assert X_src.shape == (900, 3, 8, 8)
    assert X_tgt.shape == (897, 3, 8, 8)
    assert X_src.dtype == X_tgt.dtype == np.float32
    for X in (X_src, X_tgt):
        assert X.min() >= 0
        assert 0.9 < X.max() <= 1
    assert_array_equal(X_src[:, 0], X_src[:, 1])
    assert_array_equal(X_src[:, 0], X_src[:, 2])
    assert not np.array_equal(X_tgt[:, 0], X_tgt[:, 1])
    assert_array_equal(np.sort(np.concatenate([y_src, y_tgt])), np.sort(load_digits().target))


def test_blended_digits_are_as_large_as_the_papers(blended):
    """Larger images have the same labels, and stay in the range of grey values."""
    X_src, y_src, X_tgt, y_tgt = datasets.make_blended_digits(random_state=0)
    assert X_src.shape == (900, 3, 28, 28)
    assert X_tgt.shape == (897, 3, 28, 28)
    assert X_src.dtype == X_tgt.dtype == np.float32
    for X in (X_src, X_tgt):
        assert X.min() == 0
        assert 0.9 < X.max() <= 1
    assert_array_equal(X_src[:, 0], X_src[:, 2])
    assert_array_equal(y_src, blended[1])
    assert_array_equal(y_tgt, blended[3])


def test_blended_digits_are_enlarged_smoothly(blended):
    """Each pixel of 8x8 becomes a block of about its grey value, and no edge is as sharp."""
    small = blended[0][:, 0]
    large = datasets.make_blended_digits(image_size=32, random_state=0)[0][:, 0]
    blocks = large.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    assert np.abs(blocks - small).mean() < 0.05
    assert np.corrcoef(blocks.ravel(), small.ravel())[0, 1] > 0.99
    assert np.abs(np.diff(large)).max() < 0.5 < np.abs(np.diff(small)).max()


@pytest.mark.parametrize("image_size", [7, 428])
def test_blended_digits_are_no_larger_than_the_photographs(image_size):
    with pytest.raises(ValueError, match="image_size must be between 8 and 427"):
        datasets.make_blended_digits(image_size=image_size)


def test_blended_digits_source_and_target_are_different_digits(blended):
    """The same split as the tilted digits', whose parts were compared with the whole."""
    X_src, y_src, _, y_tgt = blended
    plain_src, plain_y_src, _, plain_y_tgt = datasets.make_tilted_digits(random_state=0)
    assert_array_equal(X_src[:, 0].reshape(900, 64), plain_src)
    assert_array_equal(y_src, plain_y_src)
    assert_array_equal(y_tgt, plain_y_tgt)


def test_blended_digits_are_patch_minus_digit(blended):
    """Where the digit is blank the photograph shows, where it is full its negative does."""
    digits = datasets.make_tilted_digits(rotation=0, random_state=0)[2].reshape(-1, 1, 8, 8)
    X_tgt = blended[2]
    photographs = np.stack(load_sample_images().images).reshape(-1, 3)
    colours = rows_as_set(photographs)
    pixels = np.rint(np.moveaxis(X_tgt, 1, -1) * 255).astype(np.uint8)
    blank, full = digits[:, 0] == 0, digits[:, 0] == 1
    assert rows_as_set(pixels[blank]) <= colours
    assert rows_as_set(255 - pixels[full]) <= colours
    assert not rows_as_set(pixels[full]) <= colours


def test_blended_digits_lie_on_pieces_that_are_whole(blended, monkeypatch):
    """With blank digits the target is the patches alone: each is one piece of a photograph."""
    blank = load_digits()
    blank.images[:] = 0
    monkeypatch.setattr(datasets, "load_digits", lambda: blank)
    patches = np.rint(datasets.make_blended_digits(image_size=8, random_state=0)[2] * 255)
    photographs = load_sample_images().images
    for patch in np.moveaxis(patches[:40], 1, -1):
        assert any(
            np.array_equal(photograph[row : row + 8, column : column + 8], patch)
            for photograph in photographs
            for row, column in np.argwhere((photograph == patch[0, 0]).all(axis=-1))
        )


@pytest.mark.parametrize("make", [datasets.make_tilted_digits, datasets.make_blended_digits])
@pytest.mark.parametrize("n_source", [0, 1797])
def test_digits_need_both_domains(make, n_source):
    with pytest.raises(ValueError, match="n_source must be between 1 and 1796"):
        make(n_source=n_source)


@pytest.mark.parametrize("make", [datasets.make_tilted_digits, datasets.make_blended_digits])
def test_digits_take_as_many_source_rows_as_told(make):
    X_src, _, X_tgt, _ = make(n_source=17, random_state=0)
    assert (len(X_src), len(X_tgt)) == (17, 1780)


def test_blended_digits_say_how_to_get_pillow(monkeypatch):
    def without_pillow():
        raise ImportError("The Python Imaging Library (PIL) is required")

    monkeypatch.setattr(datasets, "load_sample_images", without_pillow)
    with pytest.raises(ImportError, match=r'pip install "skdann\[examples\]"'):
        datasets.make_blended_digits()


def test_the_devices_of_one_hospital_are_two_deviations_off():
    """Everything else is alike, and both frames have text and missing values."""
    X_src, y_src, X_tgt, y_tgt = datasets.make_hospitals(5000, random_state=0)
    measured = X_src.columns[1:7]
    off = (X_tgt[measured].mean() - X_src[measured].mean()) / X_src[measured].std()
    assert_allclose(np.abs(off), 2, atol=0.1)
    assert_allclose(X_tgt["age"].mean() - X_src["age"].mean(), 4, atol=0.6)
    assert_allclose([(y == "sick").mean() for y in (y_src, y_tgt)], 0.5, atol=0.02)
    missing = [X[["cholesterol", "smoker"]].isna().mean().tolist() for X in (X_src, X_tgt)]
    assert_allclose(missing, [[0.05, 0.1], [0.25, 0.1]], atol=0.02)
    text = X_src.select_dtypes(exclude="number")
    assert [sorted(set(text[name].dropna())) for name in text] == [
        ["female", "male"],
        ["atypical", "none", "typical"],
        ["no", "yes"],
    ]
