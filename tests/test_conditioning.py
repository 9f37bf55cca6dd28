"""What the domain classifier sees of the label predictor: products, all or random ones."""

import pickle

import numpy as np
import pytest
import torch

from skdann import DANNClassifier
from skdann._network.conditioning import LARGEST_PRODUCT, MultilinearConditioning

WIDE = 1400  # times three classes it is above the limit


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n_embedding, n_classes=3, n_rows=6, seed=0):
    draw = seeded(seed)
    embedding = torch.randn(n_rows, n_embedding, generator=draw)
    return embedding, torch.randn(n_rows, n_classes, generator=draw).softmax(dim=1)


def drawn(n_embedding, seed=0):
    return MultilinearConditioning.drawn(n_embedding, 3, seeded(seed))


def fitted(blobs, n_embedding, **parameters):
    settings = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0, **parameters}
    clf = DANNClassifier(n_embedding, conditioning="multilinear", **settings)
    return clf.fit(*blobs)


# -- products --------------------------------------------------------------------------------


def test_each_feature_is_multiplied_by_each_probability():
    products = MultilinearConditioning()(
        torch.tensor([[1.0, 2.0], [-3.0, 4.0]]), torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    )
    expected = [[0.2, 0.3, 0.5, 0.4, 0.6, 1.0], [-3.0, 0.0, 0.0, 4.0, 0.0, 0.0]]
    torch.testing.assert_close(products, torch.tensor(expected))


@pytest.mark.parametrize(("n_embedding", "width"), [(1365, 4095), (1366, 1024)])
def test_above_4096_products_1024_random_ones_stand_for_all(n_embedding, width):
    assert LARGEST_PRODUCT == 4096
    assert drawn(n_embedding)(*rows(n_embedding)).shape == (6, width)


def test_exactly_4096_products_are_still_all():
    conditioning = MultilinearConditioning.drawn(2048, 2, seeded())
    assert conditioning(*rows(2048, n_classes=2)).shape == (6, 4096)


def test_random_products_have_on_average_the_dot_products_of_the_full_ones():
    embedding, probability = rows(WIDE)
    full = MultilinearConditioning()(embedding, probability)
    n_draws = 40
    found = [drawn(WIDE, seed)(embedding, probability) for seed in range(n_draws)]
    mean = torch.stack([one @ one.mT for one in found]).mean(dim=0)
    # A product of two normal mixtures: each of the 1,024 has a relative variance of at most 8.
    tolerance = 4 * (8 / (1024 * n_draws)) ** 0.5
    sizes = full.norm(dim=1)
    assert ((mean - full @ full.mT).abs() < tolerance * sizes[:, None] * sizes).all()


def test_random_products_are_close_in_a_single_draw_already():
    embedding, probability = rows(WIDE)
    found = drawn(WIDE)(embedding, probability).square().sum(dim=1)
    full = MultilinearConditioning()(embedding, probability).square().sum(dim=1)
    torch.testing.assert_close(found, full, rtol=4 * (8 / 1024) ** 0.5, atol=0)


def test_equal_seeds_draw_equal_mixtures():
    one, same, other = (drawn(WIDE, seed) for seed in (1, 1, 2))
    for name in ("of_embedding", "of_probability"):
        assert torch.equal(getattr(one, name), getattr(same, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))


def test_mixtures_move_and_are_saved_with_their_network():
    assert drawn(WIDE).state_dict().keys() == {"of_embedding", "of_probability"}
    assert not drawn(5).state_dict()


# -- gradient and stacks ---------------------------------------------------------------------


@pytest.mark.parametrize("n_embedding", [5, WIDE])
def test_the_gradient_for_the_embedding_is_that_of_autograd(n_embedding):
    conditioning, (embedding, probability) = drawn(n_embedding), rows(n_embedding)
    embedding.requires_grad_()
    out = conditioning(embedding, probability)
    gradient = torch.randn(out.shape, generator=seeded(3))
    out.backward(gradient)
    by_hand = conditioning.backward_to_embedding(gradient, probability)
    torch.testing.assert_close(by_hand, embedding.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_embedding", [5, WIDE])
def test_networks_in_a_stack_are_conditioned_as_each_alone(n_embedding):
    several = [drawn(n_embedding, seed) for seed in (0, 1)]
    inputs = [rows(n_embedding, seed=seed) for seed in (2, 3)]
    stack = MultilinearConditioning.stacked(several)
    embedding, probability = (torch.stack(values) for values in zip(*inputs, strict=True))
    out = stack(embedding, probability)
    gradient = torch.randn(out.shape, generator=seeded(4))
    back = stack.backward_to_embedding(gradient, probability)
    close = {"rtol": 1e-4, "atol": 1e-4}
    for i, alone in enumerate(several):
        torch.testing.assert_close(out[i], alone(*inputs[i]), **close)
        expected = alone.backward_to_embedding(gradient[i], inputs[i][1])
        torch.testing.assert_close(back[i], expected, **close)


# -- in a classifier -------------------------------------------------------------------------


@pytest.mark.parametrize(("n_embedding", "width"), [(7, 21), (WIDE, 1024)])
def test_the_domain_classifier_gets_the_products(blobs, n_embedding, width):
    clf = fitted(blobs, n_embedding)
    assert clf.module_.domain_classifier.layers[0].in_features == width
    probability = clf.predict_domain_proba(blobs[2])
    assert probability.shape == (90,)
    assert ((probability > 0) & (probability < 1)).all()


def test_the_domain_classifier_gets_the_embedding_by_default(blobs):
    clf = DANNClassifier(7, lambda_max=1.0, max_epochs=1).fit(*blobs)
    assert clf.module_.conditioning is None
    assert clf.module_.domain_classifier.layers[0].in_features == 7


def test_domain_probabilities_are_those_of_the_products(blobs):
    clf = fitted(blobs, 7, input_scaling=None)
    embedding, label = (torch.from_numpy(f(blobs[2])) for f in (clf.transform, clf.predict_proba))
    seen = MultilinearConditioning()(embedding, label.float())
    with torch.no_grad():
        expected = clf.module_.domain_classifier(seen).softmax(dim=1)
    np.testing.assert_allclose(clf.predict_domain_proba(blobs[2]), expected[:, 1], atol=1e-5)


@pytest.mark.parametrize("n_embedding", [7, WIDE])
def test_a_pickle_keeps_the_predictions(blobs, n_embedding):
    clf = fitted(blobs, n_embedding)
    copy = pickle.loads(pickle.dumps(clf))
    for name in ("predict_proba", "predict_domain_proba"):
        np.testing.assert_array_equal(getattr(copy, name)(blobs[2]), getattr(clf, name)(blobs[2]))


def test_a_custom_domain_classifier_is_called_with_the_number_of_products(blobs):
    clf = fitted(blobs, 7, domain_classifier=torch.nn.Linear)
    assert clf.module_.domain_classifier.in_features == 21
