import functools
import math
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping
from torch import nn
from watched_modules import InterruptingSchedule

from skdann import DANNClassifier
from skdann._data.inputs import read_training_data
from skdann._torch import devices
from skdann._torch.devices import resolve_device, threads_for
from skdann._training.callbacks import EpochClock, KeepBest
from skdann._training.fit_together import fit_together
from skdann._training.optimizers import JointAdam, aligned, can_be_joint, optimizer_factory
from skdann._training.settings import Settings


def classifier(**parameters):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 3, "random_state": 0, **parameters})


# -- schedules and optimizers ----------------------------------------------------------------


def test_lambda_follows_the_ramp_over_all_steps(moons):
    fitted = classifier(max_epochs=4, batch_size=30, lambda_max=0.5).fit(*moons)
    # 4 epochs of 4 steps; the record shows lambda of the epoch's last step.
    progress = np.array([3, 7, 11, 15]) / 16
    expected = 0.5 * (2 / (1 + np.exp(-10 * progress)) - 1)
    np.testing.assert_allclose([row["lambda"] for row in fitted.history_], expected)


def test_a_schedule_of_the_users_multiplies_lambda_max_and_lr(moons):
    fitted = classifier(
        batch_size=120, lambda_max=2.0, lambda_schedule=lambda p: p / 2, lr=0.1,
        lr_schedule=lambda p: 1 - p,
    ).fit(*moons)  # fmt: skip
    np.testing.assert_allclose([row["lambda"] for row in fitted.history_], [0, 1 / 3, 2 / 3])
    np.testing.assert_allclose([row["lr"] for row in fitted.history_], [0.1, 0.2 / 3, 0.1 / 3])


def test_a_learning_rate_that_falls_and_returns_is_followed(moons):
    schedule = {0.0: 1.0, 1 / 3: 0.5, 2 / 3: 1.0}
    fitted = classifier(
        batch_size=120, lr=0.1, lr_schedule=lambda p: schedule.get(p, 1.0), random_state=0
    ).fit(*moons)
    np.testing.assert_allclose([row["lr"] for row in fitted.history_], [0.1, 0.05, 0.1])


def test_with_a_constant_schedule_a_callback_may_set_the_learning_rate(moons):
    class Halve(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.optimizer_.param_groups[0]["lr"] /= 2

    fitted = classifier(lr=0.1, callbacks=[Halve]).fit(*moons)
    np.testing.assert_allclose([row["lr"] for row in fitted.history_], [0.1, 0.05, 0.025])


def test_annealed_lr_is_the_papers(moons):
    fitted = classifier(batch_size=120, lr=0.01, lr_schedule="annealed").fit(*moons)
    expected = [0.01 / (1 + 10 * p) ** 0.75 for p in (0, 1 / 3, 2 / 3)]
    np.testing.assert_allclose([row["lr"] for row in fitted.history_], expected)


def test_sgd_has_the_papers_momentum_and_gets_lr_and_weight_decay():
    made = optimizer_factory("sgd", [0.2], [0.03])([[nn.Parameter(torch.zeros(1))]])
    assert isinstance(made, torch.optim.SGD)
    group = made.param_groups[0]
    assert (group["momentum"], group["lr"], group["weight_decay"]) == (0.9, 0.2, 0.03)


@pytest.mark.parametrize("rates", [[0.01, 0.01], [0.01, 0.2]])
def test_joint_adam_takes_adams_steps_to_the_last_bit(rates):
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(13, 5, generator=generator), torch.randn(7, generator=generator)]
    factory = optimizer_factory("adam", rates, [0.1, 0.1])
    by_one, by_other = ([[nn.Parameter(one.clone())] for one in start] for _ in range(2))
    adam = factory(by_one)
    gradients = [(one, torch.empty_like(one)) for (one,) in by_other]
    joint = JointAdam(factory(by_other), gradients)
    for step in range(5):
        for (parameter,), (_, gradient) in zip(by_one, gradients, strict=True):
            gradient.normal_(generator=generator)
            parameter.grad = gradient.clone()
        for optimizer in (adam, joint):
            optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
            optimizer.step()
    for (one,), (other,), before in zip(by_one, by_other, start, strict=True):
        assert torch.equal(one, other) and not torch.equal(one, before)


@pytest.mark.parametrize("n_before", [0, 5, 37])
def test_what_lies_beside_a_parameter_changes_nothing_in_its_steps(n_before):
    """Of 37 numbers the kernel would count the last five in another way."""
    generator = torch.Generator().manual_seed(0)
    start, gradient = (torch.randn(37, generator=generator) for _ in range(2))
    memory, gradients = (torch.zeros(aligned(n_before) + aligned(37) + 16) for _ in range(2))
    sizes = [n for n in (n_before, 37, 9) if n]
    pairs, at = [], 0
    for size in sizes:
        parameter = nn.Parameter(torch.zeros(0))
        parameter.data = memory[at : at + size]
        pairs.append((parameter, gradients[at : at + size]))
        at += aligned(size)
    of_start = pairs[-2]
    of_start[0].data.copy_(start)
    of_start[1].copy_(gradient)
    factory = optimizer_factory("adam", [0.1], [0.1])
    joint = JointAdam(factory([[one for one, _ in pairs]]), pairs)
    assert len(joint._runs[0]) == 1
    for _ in range(9):
        joint.step()
    alone = nn.Parameter(torch.zeros(0))
    alone_memory, alone_gradient = torch.zeros(48), torch.zeros(48)
    alone.data = alone_memory[:37]
    alone.data.copy_(start)
    alone_gradient[:37].copy_(gradient)
    by_itself = JointAdam(factory([[alone]]), [(alone, alone_gradient[:37])])
    for _ in range(9):
        by_itself.step()
    assert torch.equal(alone, of_start[0])


def test_a_plain_fit_leaves_the_optimizer_the_state_that_adam_would_have(moons):
    plain = classifier(lambda_max=1.0, dropout=0.0).fit(*moons)
    watched = classifier(lambda_max=1.0, dropout=0.0, callbacks=[Callback()]).fit(*moons)
    states = [list(one.net_.optimizer_.state.values()) for one in (plain, watched)]
    assert len(states[0]) == len(states[1]) == 8
    for one, other in zip(*states, strict=True):
        assert one["step"] == other["step"]
        for name in ("exp_avg", "exp_avg_sq"):
            assert one[name].is_contiguous()
            torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-6)
    # Parameters have memory of their own: a file of one holds no other.
    for parameter in plain.module_.parameters():
        assert parameter.untyped_storage().nbytes() == 4 * parameter.numel()


def test_only_a_plain_fused_adam_is_taken_jointly():
    parameters = [nn.Parameter(torch.zeros(1))]
    assert can_be_joint(optimizer_factory("adam", [0.1], [0.0])([parameters]))
    for other in (
        torch.optim.Adam(parameters),
        torch.optim.Adam(parameters, fused=True, amsgrad=True),
        torch.optim.AdamW(parameters, fused=True),
        torch.optim.SGD(parameters, lr=0.1),
    ):
        assert not can_be_joint(other)


@pytest.mark.parametrize("optimizer", [torch.optim.Rprop, functools.partial(torch.optim.Rprop)])
def test_an_optimizer_without_weight_decay_gets_none(moons, optimizer):
    fitted = classifier(optimizer=optimizer, lr=0.01, weight_decay=0.5, max_epochs=20).fit(*moons)
    (group,) = fitted.net_.optimizer_.param_groups
    assert group["lr"] == 0.01 and "weight_decay" not in group
    assert fitted.history_[-1]["label_loss"] < fitted.history_[0]["label_loss"]


def test_a_function_that_makes_the_optimizer_gets_what_it_takes():
    def made(parameters, lr):
        return torch.optim.SGD(parameters, lr=lr, weight_decay=0.7)

    def with_any(parameters, **arguments):
        return torch.optim.SGD(parameters, **arguments)

    parameters = [[nn.Parameter(torch.zeros(1))], [nn.Parameter(torch.zeros(1))]]
    for make, decay in [(made, [0.7, 0.7]), (with_any, [0.1, 0.2])]:
        groups = optimizer_factory(make, [0.3, 0.4], [0.1, 0.2])(parameters).param_groups
        assert [group["lr"] for group in groups] == [0.3, 0.4]
        assert [group["weight_decay"] for group in groups] == decay


def test_a_partial_keeps_what_it_fixes(moons):
    optimizer = functools.partial(torch.optim.AdamW, lr=0.5)
    fitted = classifier(optimizer=optimizer, lr=0.001, weight_decay=0.25).fit(*moons)
    assert isinstance(fitted.net_.optimizer_, torch.optim.AdamW)
    assert fitted.history_[-1]["lr"] == 0.5
    assert fitted.net_.optimizer_.param_groups[0]["weight_decay"] == 0.25


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (torch.optim.LBFGS, "can't be made|needs no closure"),
        (functools.partial(torch.optim.LBFGS, weight_decay=0.0), "can't be made"),
        (lambda parameters, lr, weight_decay: "none", "makes a str"),
        (functools.partial(torch.optim.SGD, momentum=-1), "can't be made"),
    ],
    ids=["closure", "closure-in-partial", "no-optimizer", "bad-momentum"],
)
def test_an_unusable_optimizer_is_refused_before_training(moons, optimizer, said):
    with pytest.raises(ValueError, match=said):
        classifier(optimizer=optimizer).fit(*moons)


# -- the step --------------------------------------------------------------------------------


def weights_after_one_step(moons, **parameters):
    X, y, X_tgt = moons
    fitted = classifier(
        max_epochs=1, batch_size=len(y), dropout=0.0, optimizer="sgd", weight_decay=0.0,
        lambda_schedule="constant", lr=1.0, **parameters,
    ).fit(X, y, X_tgt)  # fmt: skip
    return {name: value.numpy() for name, value in fitted.module_.state_dict().items()}


def test_lambda_scales_the_domains_pull_on_the_features_alone(moons):
    zero, one, two = (weights_after_one_step(moons, lambda_max=m) for m in (0, 1, 2))
    for name in zero:
        pull_one, pull_two = one[name] - zero[name], two[name] - zero[name]
        np.testing.assert_allclose(pull_two, 2 * pull_one, rtol=2e-3, atol=2e-6)
        moves = np.abs(pull_one).max() > 1e-4
        # The domain classifier learns at its full rate whatever lambda is.
        assert moves == name.startswith("feature_extractor"), name


def test_sample_weight_zero_takes_a_row_out_of_both_losses(moons):
    X, y, X_tgt = moons
    weight = np.r_[np.zeros(60), np.ones(60)]
    wild = X.copy()
    wild[:60] += 7.0
    one, other = (
        classifier(max_epochs=1, batch_size=120, dropout=0.0, optimizer="sgd")
        .fit(rows, y, X_tgt, sample_weight=weight)
        .module_.state_dict()
        for rows in (X, wild)
    )
    for name in one:
        torch.testing.assert_close(one[name], other[name])


def test_class_weight_shifts_predictions_to_the_heavy_class(moons):
    X, y, X_tgt = moons
    share = [
        (classifier(max_epochs=60, class_weight={0: w, 1: 1}).fit(X, y, X_tgt).predict(X) == 0)
        .mean()
        for w in (0.01, 100)
    ]  # fmt: skip
    assert share[0] < 0.3 and share[1] > 0.7


def test_several_targets_get_a_column_each_in_the_domain_classifier(moons):
    X, y, X_tgt = moons
    far = X_tgt + 4
    fitted = classifier(max_epochs=60, lambda_max=0).fit(X, y, (X_tgt, far))
    logits = fitted.net_.outputs(far.astype(np.float32), "domain_logits")
    assert fitted.n_domains_ == 3 and logits.shape == (120, 3)
    assert (logits.argmax(axis=1) == 2).mean() > 0.9
    assert (fitted.predict_domain_proba(far) > 0.9).mean() > 0.9


def test_batch_norm_in_a_custom_part_does_not_see_the_target_when_lambda_is_zero(moons):
    X, y, X_tgt = moons

    def features(n_features):
        layers = nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)
        return nn.Sequential(*layers)

    fits = [
        classifier(feature_extractor=features, lambda_max=0).fit(X, y, target)
        for target in (X_tgt, None)
    ]
    assert np.array_equal(*(fitted.predict_proba(X_tgt) for fitted in fits))


# -- early stopping, interruption, trouble ---------------------------------------------------


def test_early_stopping_stops_restores_the_best_epoch_and_records(moons):
    fitted = classifier(
        early_stopping=True, max_epochs=300, n_iter_no_change=5, lr=0.05, lambda_max=0
    ).fit(*moons)
    assert fitted.n_iter_ < 300
    losses = np.array([row["valid_label_loss"] for row in fitted.history_])
    assert {"valid_accuracy", "valid_domain_loss", "valid_domain_accuracy"} <= set(
        fitted.history_[0]
    )
    assert len(losses) - 1 - losses.argmin() <= 5 + 5
    longer = classifier(max_epochs=300, lr=0.05, lambda_max=0).fit(*moons)
    assert longer.n_iter_ == 300


def test_keep_best_restores_the_weights_of_each_networks_best_epoch():
    class Net:
        stop_requested_ = False
        members_ = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
        history = ()

    net, keep = Net(), KeepBest(patience=2, lambda_max=(1.0, 0.0))
    data = SimpleNamespace(target_domain=np.ones(5, dtype=int), source_codes=np.zeros(5, dtype=int))
    one_target = SimpleNamespace(data=data)
    keep.on_train_begin(net, SimpleNamespace(train=[one_target, one_target]))
    # Label minus lambda times domain loss of the first: 0.4, -0.2, 0.2, 0.9 - log 2.
    figures = [(0.5, 0.1), (0.4, 0.6), (0.4, 0.2), (0.9, 5.0), (0.0, 0.0)]
    second = [0.5, 0.4, 0.3, 0.4, 0.5]
    for epoch, ((label, domain), other) in enumerate(zip(figures, second, strict=True)):
        assert not net.stop_requested_
        for network in net.members_:
            nn.init.constant_(network.weight, epoch)
        rows = [(label, domain), (other, 9.0)]
        members = [{"valid_label_loss": la, "valid_domain_loss": do} for la, do in rows]
        net.history = [{"valid_label_loss": 0.0, "members": members}]
        keep.on_epoch_end(net)
    assert net.stop_requested_
    keep.on_train_end(net)
    # The first had stopped before its last figure, the lowest of all.
    assert [network.weight.item() for network in net.members_] == [1, 2]


@pytest.mark.parametrize(
    ("domains", "best"), [([1, 1, 1], 0), ([1, 2, 3], 2), ([1, 1, 1, 1, 1, 1, 1, 2], 0)]
)
def test_keep_best_counts_a_domain_loss_up_to_that_of_a_guess(domains, best):
    class Net:
        members_ = nn.ModuleList([nn.Linear(1, 1)])

    net, keep = Net(), KeepBest(patience=9, lambda_max=(1.0,))
    codes = {"target_domain": np.array(domains), "source_codes": np.zeros(5, dtype=int)}
    target = SimpleNamespace(data=SimpleNamespace(**codes))
    keep.on_train_begin(net, SimpleNamespace(train=[target]))
    # A guess costs 0.69 with one target, 1.24 with three, 0.88 with an eighth in the second.
    for epoch, (label, domain) in enumerate([(0.5, 0.9), (0.5, 1.2), (0.5, 9.0)]):
        nn.init.constant_(net.members_[0].weight, epoch)
        net.history = [{"valid_label_loss": label, "valid_domain_loss": domain}]
        keep.on_epoch_end(net)
    keep.on_train_end(net)
    assert net.members_[0].weight.item() == best


@pytest.mark.parametrize(("second", "best"), [(0.4995, 1), (0.49995, 0)])
def test_keep_best_asks_for_an_improvement_above_a_ten_thousandth(second, best):
    class Net:
        members_ = nn.ModuleList([nn.Linear(1, 1)])

    net, keep = Net(), KeepBest(patience=9, lambda_max=(1.0,))
    keep.on_train_begin(net, SimpleNamespace(train=[]))
    for epoch, label in enumerate([0.5, second]):
        nn.init.constant_(net.members_[0].weight, epoch)
        net.history = [{"valid_label_loss": label}]
        keep.on_epoch_end(net)
    keep.on_train_end(net)
    assert net.members_[0].weight.item() == best


def test_partial_fit_shows_a_bar(moons, capsys):
    classifier(verbose=1).partial_fit(*moons, total_rows=1200)
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("parameters", [{"lr": 1e14}, {"lambda_max": 1e14}])
def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_epoch(moons, parameters):
    fitted = classifier().fit(*moons)
    before = fitted.predict_proba(moons[0])
    with pytest.raises(ValueError, match=r"in epoch [123]\d?\. .*scaled.*lr.*lambda_max"):
        fitted.set_params(max_epochs=20, optimizer="sgd", **parameters).fit(*moons)
    assert np.array_equal(fitted.predict_proba(moons[0]), before)


class Interrupt(Callback):
    """Ctrl-C in a step of the third epoch; no signal, which a background job may ignore."""

    def on_batch_end(self, net, training=False, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_weights_so_far_and_says_so(moons):
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        fitted = classifier(max_epochs=50, callbacks=[Interrupt()]).fit(*moons)
    assert fitted.n_iter_ == len(fitted.history_) == 2
    assert fitted.predict(moons[0]).shape == (120,)


def test_ctrl_c_in_a_trial_reaches_the_caller(moons):
    given = classifier(max_epochs=5, callbacks=[Interrupt()])
    record = read_training_data(*moons, None, class_weight=None, estimator=given)
    settings = Settings.of(given, record)
    with pytest.raises(KeyboardInterrupt):
        fit_together([settings], [record], trial=True)
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        fit_together([settings], [record])


def test_ctrl_c_while_choosing_reaches_the_caller_also_with_candidates_that_train_alone(moons):
    auto = classifier(lambda_max="auto", lambda_schedule=InterruptingSchedule(20))
    with pytest.raises(KeyboardInterrupt):
        auto.fit(*moons)
    assert not hasattr(auto, "classes_")


@pytest.mark.parametrize("trial", [True, False])
def test_ctrl_c_at_the_end_of_an_epoch_is_no_wish_of_a_callback_if_there_is_none(
    moons, monkeypatch, trial
):
    def interrupted(self, net, **kwargs):
        raise KeyboardInterrupt

    given = classifier(max_epochs=5)
    record = read_training_data(*moons, None, class_weight=None, estimator=given)
    settings = Settings.of(given, record)
    monkeypatch.setattr(EpochClock, "on_epoch_end", interrupted)
    expected = pytest.raises(KeyboardInterrupt) if trial else pytest.warns(match="interrupted")
    with expected:
        fit_together([settings], [record], trial=trial)


# -- callbacks -------------------------------------------------------------------------------


class Count(Callback):
    def __init__(self):
        self.moments = []

    def on_batch_end(self, net, batch, loss, y_pred, training=False, **kwargs):
        X, y = batch
        assert math.isfinite(float(loss)) and len(X) == len(y) == len(y_pred)
        self.moments.append("batch")

    def on_grad_computed(self, net, named_parameters, **kwargs):
        assert all(value.grad is not None for _, value in named_parameters)
        self.moments.append("gradient")

    def on_epoch_end(self, net, **kwargs):
        self.moments.append("epoch")
        net.history.record("own", len(self.moments))


def test_callbacks_are_copied_called_at_every_moment_and_may_record(moons):
    given = Count()
    fitted = classifier(callbacks=[given], batch_size=60, max_epochs=2).fit(*moons)
    used = next(callback for _, callback in fitted.net_.callbacks_ if isinstance(callback, Count))
    assert given.moments == []
    assert used.moments == ["gradient", "batch", "gradient", "batch", "epoch"] * 2
    assert [row["own"] for row in fitted.history_] == [5, 10]


def test_skorchs_early_stopping_stops_without_a_warning(moons):
    stop = EarlyStopping(monitor="label_loss", patience=2, threshold=10.0, sink=lambda text: None)
    fitted = classifier(max_epochs=50, callbacks=[stop]).fit(*moons)
    assert fitted.n_iter_ < 10


def test_a_listening_callback_does_not_change_the_numbers(moons):
    quiet = classifier().fit(*moons).predict_proba(moons[0])
    loud = classifier(callbacks=[Count()]).fit(*moons).predict_proba(moons[0])
    assert np.array_equal(quiet, loud)


def test_gradient_clipping_takes_effect(moons):
    clip = [GradientNormClipping(1e-8)]
    still = classifier(optimizer="sgd", weight_decay=0.0, callbacks=clip).fit(*moons)
    start = classifier(optimizer="sgd", weight_decay=0.0, lr=1e-12).fit(*moons)
    np.testing.assert_allclose(still.transform(moons[0]), start.transform(moons[0]), atol=1e-5)


def test_verbose_shows_a_bar_with_losses_and_domain_accuracy(moons, capsys):
    classifier(verbose=1).fit(*moons)
    shown = capsys.readouterr().err
    assert "100%" in shown and "label_loss=" in shown and "domain_accuracy=" in shown
    classifier().fit(*moons)
    assert capsys.readouterr().err == ""


# -- threads and devices ---------------------------------------------------------------------


def test_the_thread_count_is_one_while_small_networks_train_and_restored_after(moons):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        classifier(callbacks=[Look]).fit(*moons)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 1]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_convolutions_train_on_all_threads(two_threads, monkeypatch):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    images = np.random.default_rng(0).normal(size=(20, 1, 12, 12)).astype(np.float32)
    y = np.arange(20) % 2
    layers = nn.Sequential(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    # 40 rows of 100 positions of 8 filters of 9 weights: 288,000. By weights: 40 x 500.
    for threshold in (200_000, 400_000):
        monkeypatch.setattr(devices, "_WORTH_A_SECOND_THREAD", threshold)
        classifier(feature_extractor=layers, callbacks=[Look()], max_epochs=1).fit(
            images, y, images
        )
    assert seen == [2, 1]


def test_a_fit_inside_a_fit_leaves_the_outer_one_on_one_thread(two_threads):
    with threads_for(1):
        with threads_for(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_a_fit_that_raises_restores_the_threads(two_threads):
    with pytest.raises(RuntimeError), threads_for(1):
        raise RuntimeError
    assert torch.get_num_threads() == 2


def test_a_thread_that_starts_while_another_fit_runs_goes_back_to_the_setting_before(two_threads):
    entered, go_on, after = threading.Event(), threading.Event(), []

    def work():
        torch.ones(9).sum()  # a new thread takes over the setting in force: one
        with threads_for(1):
            entered.set()
            go_on.wait(10)
            after.append(torch.get_num_threads())
        after.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    with threads_for(1):
        thread.start()
        assert entered.wait(10)
    assert torch.get_num_threads() == 2  # although the other fit is still at work
    go_on.set()
    thread.join()
    assert after == [1, 2]
    assert torch.get_num_threads() == 2


def test_the_setting_is_read_and_changed_under_the_lock(two_threads, monkeypatch):
    kept, locked = torch.set_num_threads, []

    def looked_at(number):
        locked.append(devices._LOCK.locked())
        kept(number)

    monkeypatch.setattr(torch, "set_num_threads", looked_at)
    with threads_for(1):
        pass
    assert locked == [True, True] * 2  # each setting of ours, and what it is for new threads


class DropoutFeatures(nn.Module):
    """Draws from torch's global generator in every training step."""

    def __init__(self, n_features):
        super().__init__()
        self.linear = nn.Linear(n_features, 8)

    def forward(self, x):
        return torch.dropout(self.linear(x), 0.5, self.training)


@pytest.mark.parametrize("features", [None, DropoutFeatures])
def test_fits_in_other_threads_do_not_disturb_each_other(moons, features):
    def fit(seed):
        fitted = classifier(random_state=seed, feature_extractor=features, max_epochs=20)
        return fitted.fit(*moons).predict_proba(moons[0])

    alone = [fit(seed) for seed in range(4)]
    together = [None] * 4

    def work(seed):
        together[seed] = fit(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_auto_takes_the_cpu_where_nothing_else_is_there(moons):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has an accelerator")
    assert resolve_device("auto") == torch.device("cpu")
    fitted = classifier(device="auto").fit(*moons)
    assert fitted.net_.device == "cpu"


@pytest.mark.parametrize("device", ["cuda:7", "nonsense"])
def test_an_unusable_device_is_named_with_those_that_are(moons, device):
    if device.startswith("cuda") and torch.cuda.device_count() > 7:
        pytest.skip("this machine has that many GPUs")
    with pytest.raises(ValueError, match=rf"device='{device}' can't be used here: .*cpu"):
        classifier(device=device).fit(*moons)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_predicts_and_repeats_itself(moons):
    fits = [classifier(device="cuda", max_epochs=30).fit(*moons) for _ in range(2)]
    assert np.array_equal(*(fitted.predict_proba(moons[0]) for fitted in fits))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fits[0].score(*moons[:2]) > 0.8
