import math

import numpy as np
import pytest
import torch

from skdann._training.losses import (
    cross_entropy,
    cross_entropy_gradient,
    guess_loss,
    hits,
    negative_information,
    negative_information_gradient,
    row_losses,
)
from skdann.metrics import info_max

# Three rows with the probabilities 1/4, 3/4 - 3/4, 1/4 - 1/2, 1/2.
LOGITS = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0], [5.0, 5.0]])
CODES = torch.tensor([1, 1, 0])
LOSS_OF_ROW = [math.log(4 / 3), math.log(4), math.log(2)]


def gradient(logits, codes, weights=None, smoothing=0.0):
    logits = logits.clone().requires_grad_()
    cross_entropy(logits, codes, weights, smoothing).backward()
    return logits.grad


def drawn(*shape, scale=1.0, seed=0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def laid_out(logits, dim):
    """Return (k, n_rows, n_codes) with the codes at `dim`."""
    return logits if dim == -1 else logits.mT.contiguous()


# -- cross-entropy ---------------------------------------------------------------------------


def test_the_loss_is_the_mean_of_minus_the_log_probability():
    loss = cross_entropy(LOGITS, CODES)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(sum(LOSS_OF_ROW) / 3)


@pytest.mark.parametrize("n_codes", [2, 3, 10])
def test_a_guess_by_equal_chances_pays_the_log_of_their_number(n_codes):
    loss = cross_entropy(torch.full((4, n_codes), 7.0), torch.tensor([0, 1, 1, 0]))
    assert loss.item() == pytest.approx(math.log(n_codes))


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1e4, -1e4], [1e4, -1e4]])
    assert cross_entropy(logits, torch.tensor([0, 1])).item() == pytest.approx(1e4)


def test_weights_multiply_the_losses_of_their_rows():
    loss = cross_entropy(LOGITS, CODES, torch.tensor([0.5, 2.0, 3.0]))
    expected = (0.5 * LOSS_OF_ROW[0] + 2 * LOSS_OF_ROW[1] + 3 * LOSS_OF_ROW[2]) / 3
    assert loss.item() == pytest.approx(expected)


def test_weights_of_one_are_no_weights():
    torch.testing.assert_close(
        cross_entropy(LOGITS, CODES, torch.ones(3)), cross_entropy(LOGITS, CODES)
    )


@pytest.mark.parametrize("factor", [0.1, 2.0, 30.0])
def test_the_mean_is_not_divided_by_the_sum_of_the_weights(factor):
    loss = cross_entropy(LOGITS, CODES, torch.full((3,), factor))
    assert loss.item() == pytest.approx(factor * sum(LOSS_OF_ROW) / 3)


def test_the_gradient_is_probability_minus_truth_times_weight_over_rows():
    expected = torch.tensor([[0.25, -0.25], [0.75, -0.75], [-0.5, 0.5]])
    torch.testing.assert_close(gradient(LOGITS, CODES), expected / 3)
    weights = torch.tensor([0.5, 2.0, 3.0])
    torch.testing.assert_close(gradient(LOGITS, CODES, weights), expected * weights[:, None] / 3)


def test_zero_weights_give_a_loss_and_a_gradient_of_exactly_zero():
    zero = torch.zeros(3)
    assert cross_entropy(LOGITS, CODES, zero).item() == 0.0
    assert torch.equal(gradient(LOGITS, CODES, zero), torch.zeros(3, 2))


def test_a_row_of_weight_zero_pulls_at_nothing_and_leaves_the_others_alone():
    weights = torch.tensor([1.0, 0.0, 1.0])
    pull, all_pull = gradient(LOGITS, CODES, weights), gradient(LOGITS, CODES)
    assert torch.equal(pull[1], torch.zeros(2))
    torch.testing.assert_close(pull[[0, 2]], all_pull[[0, 2]])


# -- of many networks ------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_by_hand_is_that_of_autograd_for_each_network(weighted):
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(20).view(4, 5) % 3
    weights = torch.arange(20.0).view(4, 5) if weighted else None
    for i, actual in enumerate(cross_entropy_gradient(logits, codes, weights)):
        expected = gradient(logits[i], codes[i], weights[i] if weighted else None)
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("dim", [-1, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_smoothing_it_is_that_of_autograd_too(weighted, dim):
    logits, codes = drawn(4, 5, 3), torch.arange(20).view(4, 5) % 3
    weights = torch.arange(20.0).view(4, 5) if weighted else None
    actual = laid_out(cross_entropy_gradient(laid_out(logits, dim), codes, weights, dim, 0.2), dim)
    for i in range(4):
        expected = gradient(logits[i], codes[i], weights[i] if weighted else None, 0.2)
        torch.testing.assert_close(actual[i], expected)
    assert not torch.allclose(actual, cross_entropy_gradient(logits, codes, weights))


def test_row_losses_are_those_whose_mean_is_the_loss():
    weights = torch.tensor([0.5, 2.0, 3.0])
    torch.testing.assert_close(row_losses(LOGITS, CODES), torch.tensor(LOSS_OF_ROW))
    stacked = row_losses(LOGITS.expand(2, 3, 2), CODES.expand(2, 3), weights.expand(2, 3))
    assert stacked.shape == (2, 3)
    torch.testing.assert_close(stacked.mean(dim=1)[1], cross_entropy(LOGITS, CODES, weights))


# -- smoothing -------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 3.0])])
def test_smoothing_spreads_a_share_of_each_label_over_all_codes(weights):
    own, other = cross_entropy(LOGITS, CODES, weights), cross_entropy(LOGITS, 1 - CODES, weights)
    loss = cross_entropy(LOGITS, CODES, weights, smoothing=0.2)
    torch.testing.assert_close(loss, 0.9 * own + 0.1 * other)


# -- information -----------------------------------------------------------------------------


def test_negative_information_is_mean_entropy_minus_entropy_of_the_mean():
    of_rows = [math.log(4) - 0.75 * math.log(3)] * 2 + [math.log(2)]
    expected = sum(of_rows) / 3 - math.log(2)  # the mean of the three is 1/2, 1/2
    assert negative_information(LOGITS).item() == pytest.approx(expected)


def test_negative_information_is_minus_the_info_max_score():
    logits = drawn(40, 3, scale=3.0)
    expected = -info_max(logits.double().softmax(dim=1).numpy())
    assert negative_information(logits).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dim", [-1, 1])
def test_its_gradient_by_hand_is_that_of_autograd_for_each_network(dim):
    logits = drawn(2, 7, 3, scale=2.0)
    actual = laid_out(negative_information_gradient(laid_out(logits, dim), dim), dim)
    for i in range(2):
        own = logits[i].clone().requires_grad_()
        negative_information(own).backward()
        torch.testing.assert_close(actual[i], own.grad)
    assert actual.abs().max() > 0.01


def test_information_and_its_gradient_are_finite_for_sure_predictions():
    logits = torch.tensor([[300.0, 0.0], [0.0, 300.0], [300.0, 0.0]])
    assert math.isfinite(negative_information(logits).item())
    assert negative_information_gradient(logits[None]).isfinite().all()


# -- a guess ---------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[7], [5, 5], [6, 2], [1, 0, 3]])
def test_a_guess_of_the_domain_costs_what_its_shares_cost(counts):
    target_domain = np.repeat(np.arange(1, 1 + len(counts)), counts)
    n_target = len(target_domain)
    # As many source rows as target rows, and the same logits for every row: logs of the shares.
    codes = torch.from_numpy(np.concatenate([np.zeros(n_target, dtype=int), target_domain]))
    shares = torch.tensor([n_target, *counts]) / (2 * n_target)
    expected = cross_entropy(shares.log().clamp_min(-50).expand(len(codes), -1), codes)
    assert guess_loss(target_domain, np.zeros(5, dtype=int)) == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_a_guess_between_source_and_one_target_costs_log_2_exactly():
    one = np.ones(9, dtype=int)
    assert guess_loss(one, 0 * one) == guess_loss(None, 0 * one) == math.log(2)


def test_a_guess_between_sources_costs_as_one_between_targets():
    two = np.array([0, 0, 2, 2, 2])
    assert guess_loss(np.ones(9, dtype=int), two) == guess_loss(two + 1, np.zeros(9, dtype=int))


# -- hits ------------------------------------------------------------------------------------


def test_a_hit_is_a_row_whose_largest_logit_is_right():
    logits = torch.tensor([[0.1, 0.2, 0.0], [3.0, -1.0, 2.9], [0.0, 0.0, 1.0], [-3.0, -2.0, -1.0]])
    of_rows = hits(logits, torch.tensor([1, 0, 2, 0]))
    assert of_rows.dtype == torch.float32 and of_rows.tolist() == [1.0, 1.0, 1.0, 0.0]
