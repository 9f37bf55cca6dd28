import pytest
import torch

from skdann._network.reversal import reverse_gradient


def gradient_of(coefficient, x):
    x = x.clone().requires_grad_()
    (
        reverse_gradient(x, coefficient) * torch.arange(1.0, 1 + x.numel()).reshape(x.shape)
    ).sum().backward()
    return x.grad


def test_forward_is_the_identity():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(reverse_gradient(x, torch.tensor(0.7)), x)


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 1.0, 6.0])
def test_backward_multiplies_by_minus_lambda(coefficient):
    gradient = gradient_of(torch.tensor(coefficient), torch.zeros(2, 2))
    torch.testing.assert_close(gradient, -coefficient * torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


def test_gradcheck_holds_where_reversal_is_the_identity_both_ways():
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    minus_one = torch.tensor(-1.0, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: reverse_gradient(x, minus_one).tanh(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: reverse_gradient(x, minus_one).tanh(), (x,))


def test_vmap_gives_each_network_its_own_lambda():
    x, coefficients = torch.ones(3, 2), torch.tensor([0.0, 0.5, 2.0])

    def loss(x, coefficient):
        return reverse_gradient(x, coefficient).sum()

    gradients = torch.func.vmap(torch.func.grad(loss))(x, coefficients)
    torch.testing.assert_close(gradients, -coefficients[:, None].expand(3, 2))


def test_a_leading_axis_broadcasts():
    x = torch.ones(2, 5, 3, requires_grad=True)
    coefficient = torch.tensor([0.5, 2.0]).reshape(2, 1, 1)
    reverse_gradient(x, coefficient).sum().backward()
    torch.testing.assert_close(x.grad, (-coefficient).expand(2, 5, 3))
