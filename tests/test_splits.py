"""Splits of source rows by groups: no group is divided, no class leaves the training rows."""

import dataclasses

import numpy as np
import pytest

from skdann import DANNClassifier
from skdann._data.inputs import read_training_data
from skdann._data.record import selected_rows
from skdann._data.splits import hold_out, split_validation, stratified_folds


def rng(seed=0):
    return np.random.default_rng(seed)


def patients(n_groups=30, n_classes=2, seed=0):
    """Codes and groups of rows in random order: groups of 1 to 8 rows of a class each."""
    generator = rng(seed)
    sizes = generator.integers(1, 9, size=n_groups)
    groups = np.repeat(np.arange(n_groups), sizes)
    codes = np.repeat(np.arange(n_groups) % n_classes, sizes)
    order = generator.permutation(len(groups))
    return codes[order], groups[order]


def divided(held, groups):
    return set(groups[held]) & set(groups[~held])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.8])
def test_whole_groups_are_held_out(seed, fraction):
    codes, groups = patients(40, 3, seed)
    held = hold_out(codes, fraction, rng(seed), groups)
    assert not divided(held, groups)
    assert abs(held.mean() - fraction) < 0.1
    assert set(codes[held]) == set(codes[~held]) == {0, 1, 2}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_folds_hold_whole_groups_out_and_every_row_once(seed, n_folds):
    codes, groups = patients(30, 2, seed)
    folds = stratified_folds(codes, n_folds, rng(seed), groups)
    assert len(folds) == n_folds
    assert np.array_equal(
        np.sort(np.concatenate([held for _, held in folds])), np.arange(len(codes))
    )
    for train, held_out in folds:
        assert not set(groups[train]) & set(groups[held_out])
        assert set(codes[train]) == set(codes[held_out]) == {0, 1}
        assert np.array_equal(np.sort(np.r_[train, held_out]), np.arange(len(codes)))


def test_groups_are_drawn_by_the_generator():
    codes, groups = patients()
    first = hold_out(codes, 0.3, rng(0), groups)
    assert np.array_equal(first, hold_out(codes, 0.3, rng(0), groups))
    assert any(not np.array_equal(first, hold_out(codes, 0.3, rng(i), groups)) for i in (1, 2, 3))


def test_groups_may_hold_rows_of_several_classes():
    groups, codes = np.arange(60) // 6, np.arange(60) % 2
    for train, held_out in stratified_folds(codes, 3, rng(), groups):
        assert not set(groups[train]) & set(groups[held_out])
        assert set(codes[train]) == set(codes[held_out]) == {0, 1}


def test_the_only_group_of_a_class_is_never_held_out():
    groups = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    codes = np.array([2, 2, 0, 0, 1, 0, 1, 0, 1, 0, 1])
    for seed in range(10):
        folds = stratified_folds(codes, 3, rng(seed), groups)
        assert folds and not any(0 in groups[held] for _, held in folds)
        held = hold_out(codes, 0.4, rng(seed), groups)
        assert held.any() and 0 not in groups[held]


def test_a_class_of_two_groups_keeps_one_of_them():
    groups = np.arange(12)
    codes = np.array([1, 1, *[0] * 10])
    for seed in range(20):
        for train, _ in stratified_folds(codes, 2, rng(seed), groups):
            assert set(codes[train]) == {0, 1}
        assert set(codes[~hold_out(codes, 0.9, rng(seed), groups)]) == {0, 1}


@pytest.mark.parametrize(
    ("codes", "groups"),
    [([0, 1, 0, 1], [5, 5, 5, 5]), ([0, 0, 1, 1], [0, 0, 1, 1])],
    ids=["one group", "one group a class"],
)
def test_without_a_group_to_hold_out_there_are_no_folds(codes, groups):
    codes, groups = np.array(codes), np.array(groups)
    assert stratified_folds(codes, 3, rng(), groups) == []
    assert not hold_out(codes, 0.5, rng(), groups).any()


def test_fewer_groups_than_folds_give_a_fold_for_each():
    groups, codes = np.repeat([0, 1], 10), np.arange(20) % 2
    folds = stratified_folds(codes, 3, rng(), groups)
    assert [len(held) for _, held in folds] == [10, 10]
    assert hold_out(codes, 0.1, rng(), groups).sum() == 10


def test_groups_of_single_rows_in_tiny_classes():
    groups, codes = np.arange(5), np.array([0, 1, 0, 1, 2])
    for train, held in stratified_folds(codes, 3, rng(), groups):
        assert len(held) and set(codes[train]) == {0, 1, 2}


# -- in the record ---------------------------------------------------------------------------

X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12) % 2


def read(groups):
    return read_training_data(
        X, Y, X[:5] + 1, None, class_weight=None, estimator=DANNClassifier(), groups=groups
    )


@pytest.mark.parametrize(
    "groups",
    [list("bbbaaaccccbb"), np.array([5, 5, 5, 2, 2, 2, 9, 9, 9, 9, 5, 5])],
)
def test_groups_become_codes_and_are_cut_along(groups):
    data = read(groups)
    assert data.groups.dtype == np.int64
    assert data.groups.tolist() == [1, 1, 1, 0, 0, 0, 2, 2, 2, 2, 1, 1]
    mask = np.arange(12) > 5
    assert selected_rows(data, mask, None).groups.tolist() == [2, 2, 2, 2, 1, 1]
    assert read(None).groups is None and selected_rows(read(None), mask, None).groups is None


def test_validation_rows_are_whole_groups():
    data = read(np.arange(12) // 2)
    train, valid = split_validation(data, 0.3, rng(), rng())
    assert not set(train.groups) & set(valid.groups)
    assert len(train.groups) + len(valid.groups) == 12


def test_validation_without_a_group_to_hold_out_is_refused():
    with pytest.raises(ValueError, match=r"no group can be held out: there are 1 groups"):
        split_validation(read(np.zeros(12)), 0.3, rng(), rng())
    # Without groups the same rows can be cut.
    split_validation(dataclasses.replace(read(np.zeros(12)), groups=None), 0.3, rng(), rng())


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (np.arange(11), "groups has 11 values, but X has 12 rows"),
        (np.ones((12, 2)), "groups must be one-dimensional"),
        ([1.0, np.nan] * 6, "groups has 6 missing values, the first in row 1"),
        (["a", None, "b"] * 4, "groups has 4 missing values, the first in row 1"),
        (["a", 1] * 6, "groups mixes values that can't be sorted (int, str)"),
        (3, "groups must be one-dimensional"),
    ],
)
def test_bad_groups_are_named(groups, said):
    with pytest.raises(ValueError) as caught:
        read(groups)
    assert said in str(caught.value)
