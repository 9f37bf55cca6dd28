import math
import pickle

import numpy as np
import pytest
import torch

from skdann.schedules import Annealed, Constant, Ramp, lambda_schedule, lr_schedule

# What both functions share, with the name that their messages must use.
RESOLVERS = pytest.mark.parametrize(
    ("parameter", "resolve"),
    [
        ("lambda_schedule", lambda_schedule),
        ("lr_schedule", lr_schedule),
    ],
    ids=["lambda_schedule", "lr_schedule"],
)


def halved(progress):
    return progress / 2


# -- the paper's formulas --------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0, 50.0])
def test_the_ramp_is_the_papers_formula(gamma):
    ramp = lambda_schedule(Ramp(gamma))
    for progress in (0.0, 0.01, 0.1, 0.25, 0.5, 0.9, 1.0):
        expected = 2 / (1 + math.exp(-gamma * progress)) - 1
        assert ramp(progress) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_the_ramp_has_the_values_that_a_pocket_calculator_gives():
    ramp = lambda_schedule("ramp")
    assert ramp(0.0) == 0.0
    assert ramp(0.1) == pytest.approx(0.46211715726)  # 2 / (1 + 1/e) - 1
    assert ramp(1.0) == pytest.approx(0.99990920426)


@pytest.mark.parametrize("gamma", [1e4, 1e300])
def test_a_steep_ramp_does_not_overflow(gamma):
    ramp = lambda_schedule(Ramp(gamma))
    assert [ramp(progress) for progress in (0.0, 0.1, 0.5, 1.0)] == [0.0, 1.0, 1.0, 1.0]


def test_the_annealed_learning_rate_is_the_papers_formula():
    annealed = lr_schedule("annealed")
    for progress in (0.0, 0.05, 0.3, 0.5, 1.0):
        assert annealed(progress) == pytest.approx(1 / (1 + 10 * progress) ** 0.75, rel=1e-12)
    assert annealed(0.0) == 1.0
    assert annealed(1.0) == pytest.approx(0.16556001)


@RESOLVERS
def test_constant_is_one_throughout(parameter, resolve):
    assert [resolve("constant")(progress) for progress in (0.0, 0.3, 1.0)] == [1.0, 1.0, 1.0]


def test_ramp_is_the_ramp_of_the_paper_unless_another_is_passed():
    assert lambda_schedule("ramp") == Ramp(10.0) != lambda_schedule(Ramp(4.0)) == Ramp(4.0)


# -- the user's own --------------------------------------------------------------------------


@RESOLVERS
def test_a_callable_is_passed_through_as_it_is(parameter, resolve):
    assert resolve(halved) is halved


@RESOLVERS
def test_a_callable_is_tried_at_the_start_the_middle_and_the_end(parameter, resolve):
    tried = []
    resolve(lambda progress: tried.append(progress) or 1.0)
    assert tried == [0.0, 0.5, 1.0]


@RESOLVERS
@pytest.mark.parametrize("value", [0, 0.0, 3, 1e6, np.float32(0.5), torch.tensor(0.5), True])
def test_zero_and_all_kinds_of_numbers_are_allowed(parameter, resolve, value):
    def schedule(progress):
        return value

    assert resolve(schedule) is schedule


@RESOLVERS
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.25, "-0.25"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (None, "None"),
        ("high", "'high'"),
        (1j, "1j"),
        ([1.0], r"\[1.0\]"),
    ],
)
def test_a_callable_with_an_unusable_value_is_named_with_the_value(
    parameter, resolve, value, shown
):
    said = rf"^{parameter} must be a function .* >= 0, but at p=0.0 it returned {shown}\.$"
    with pytest.raises(ValueError, match=said):
        resolve(lambda progress: value)


@RESOLVERS
@pytest.mark.parametrize(
    ("schedule", "where"),
    [(lambda p: 0.4 - p, "p=0.5"), (lambda p: 0.5 - p, "p=1.0"), (lambda p: p - 0.1, "p=0.0")],
)
def test_the_message_says_at_which_progress_a_schedule_went_wrong(
    parameter, resolve, schedule, where
):
    with pytest.raises(ValueError, match=f"{parameter} .* at {where} it returned -0"):
        resolve(schedule)


@RESOLVERS
def test_an_error_of_the_callables_own_comes_through(parameter, resolve):
    with pytest.raises(ZeroDivisionError):
        resolve(lambda progress: 1 / progress)


# -- pickling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [Constant(), Ramp(7.0), Annealed(), Annealed(alpha=2.0, beta=0.5), halved],
    ids=["constant", "ramp", "annealed", "annealed-otherwise", "callable"],
)
def test_schedules_can_be_pickled(schedule):
    copied = pickle.loads(pickle.dumps(schedule))
    assert copied == schedule
    assert [copied(p) for p in (0.0, 0.3, 1.0)] == [schedule(p) for p in (0.0, 0.3, 1.0)]
