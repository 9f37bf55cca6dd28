import dataclasses
import threading
import time

import numpy as np
import pytest
import torch

from skdann._torch.randomness import (
    PrivateRandomness,
    RandomStreams,
    draw_keep_masks_,
    random_streams,
)

CPU = torch.device("cpu")
NAMES = [field.name for field in dataclasses.fields(RandomStreams)]


def draws_from(stream):
    """The next four numbers of a stream of any kind."""
    if isinstance(stream, np.random.Generator):
        return tuple(stream.random(4))
    if isinstance(stream, torch.Generator):
        return tuple(torch.rand(4, generator=stream).tolist())
    with stream.active():
        return tuple(torch.rand(4).tolist())


def draws(random_state, **options):
    (streams,) = random_streams(random_state, CPU, **options)
    return {name: draws_from(getattr(streams, name)) for name in NAMES}


@pytest.fixture
def global_states():
    """A function that tells whether numpy's and torch's global states are as before."""
    of_numpy, of_torch = np.random.get_state(), torch.get_rng_state()

    def unchanged():
        same = [np.array_equal(a, b) for a, b in zip(of_numpy, np.random.get_state(), strict=True)]
        return all(same) and torch.equal(of_torch, torch.get_rng_state())

    return unchanged


# -- streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_equal_ints_give_equal_streams(seed):
    assert draws(seed) == draws(np.int64(seed))


def test_other_ints_give_other_streams_throughout():
    one, other = draws(0), draws(1)
    assert all(one[name] != other[name] for name in NAMES)


def test_no_stream_repeats_another():
    # Generators of one library that started from one seed would draw the same numbers.
    assert len(NAMES) == 12
    assert len(set(draws(0).values())) == 12


@pytest.mark.parametrize("epochs", [1, 2, 100])
def test_epochs_before_change_every_stream_and_can_be_repeated(epochs):
    first, later = draws(0), draws(0, epochs_before=epochs)
    assert all(first[name] != later[name] for name in NAMES)
    assert draws(0, epochs_before=epochs) == later
    assert draws(0, epochs_before=0) == first


def test_one_epoch_before_is_not_another_seed():
    assert not set(draws(1).values()) & set(draws(0, epochs_before=1).values())


def test_a_random_state_is_drawn_from_once():
    given, twin = np.random.RandomState(5), np.random.RandomState(5)
    random_streams(given, CPU)
    twin.randint(np.iinfo(np.int32).max)
    assert given.randint(2**31 - 1) == twin.randint(2**31 - 1)


def test_equal_random_states_give_equal_streams_and_move_on():
    given, twin = np.random.RandomState(5), np.random.RandomState(5)
    first = draws(given)
    assert first == draws(twin)
    second = draws(given)
    assert all(first[name] != second[name] for name in NAMES)
    assert second == draws(twin)


def test_none_gives_other_streams_each_time():
    one, other = draws(None), draws(None)
    assert all(one[name] != other[name] for name in NAMES)


def test_none_does_not_follow_numpys_or_torchs_seed():
    results = []
    states = np.random.get_state(), torch.get_rng_state()
    try:
        for _ in range(2):
            np.random.seed(0)
            torch.manual_seed(0)
            results.append(draws(None))
    finally:
        np.random.set_state(states[0])
        torch.set_rng_state(states[1])
    assert all(results[0][name] != results[1][name] for name in NAMES)


@pytest.mark.parametrize("random_state", [None, 0, np.random.RandomState(0)], ids=str)
def test_making_and_using_streams_leaves_the_global_states_alone(random_state, global_states):
    draws(random_state)
    assert global_states()


def test_dropout_streams_live_on_the_device():
    (streams,) = random_streams(0, CPU)
    assert streams.label_dropout.device == streams.domain_dropout.device == CPU
    assert streams.feature_init.device == CPU


def test_members_have_streams_of_their_own_and_the_first_is_a_single_networks():
    members = random_streams(3, CPU, n_members=3)
    drawn = [[draws_from(getattr(one, name)) for name in NAMES] for one in members]
    assert drawn[0] == list(draws(3).values())
    assert len({numbers for one in drawn for numbers in one}) == 36


# -- dropout masks ---------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("shape", [(200, 301), (60_001,)])
def test_masks_drop_their_share_and_keep_the_mean(share, shape):
    masks = torch.empty((2, *shape))
    draw_keep_masks_(masks, share, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    values = masks.unique()
    assert len(values) <= 2 and values[-1] > 0
    assert float((masks == 0).float().mean()) == pytest.approx(share, abs=0.005)
    if share < 0.9:
        assert float(masks.mean()) == pytest.approx(1, abs=0.01)
        assert float(values[-1]) == pytest.approx(1 / (1 - share), rel=1e-4)


def test_each_mask_is_that_of_its_generator_alone():
    shape = (5, 7)  # 35 units: not a whole number of words
    both = torch.empty((2, *shape))
    draw_keep_masks_(both, 0.4, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    for seed, mask in enumerate(both):
        alone = torch.empty((1, *shape))
        draw_keep_masks_(alone, 0.4, [torch.Generator().manual_seed(seed)])
        assert torch.equal(alone[0], mask)
    assert not torch.equal(both[0], both[1])


def test_masks_have_no_pattern_in_rows_or_columns():
    masks = torch.empty((1, 400, 400))
    draw_keep_masks_(masks, 0.5, [torch.Generator().manual_seed(0)])
    units = (masks[0] > 0).float()
    for axis in (0, 1):
        assert float(units.mean(dim=axis).std()) == pytest.approx(0.025, rel=0.2)
        shifted = (units * units.roll(1, axis)).mean()
        assert float(shifted) == pytest.approx(0.25, abs=0.01)


# -- private randomness ----------------------------------------------------------------------


def test_the_global_state_is_as_before_after_the_block(global_states):
    with PrivateRandomness(0, CPU).active():
        torch.rand(3)
        assert not global_states()
    assert global_states()


def test_the_global_state_is_as_before_after_an_exception(global_states):
    with pytest.raises(RuntimeError, match="boom"), PrivateRandomness(0, CPU).active():
        torch.rand(3)
        torch.manual_seed(99)
        raise RuntimeError("boom")
    assert global_states()


def test_the_stream_goes_on_from_one_block_to_the_next():
    whole, parts = PrivateRandomness(3, CPU), PrivateRandomness(3, CPU)
    with whole.active():
        expected = [torch.rand(3).tolist(), torch.rand(3).tolist(), torch.rand(3).tolist()]
    drawn = []
    for _ in range(3):
        with parts.active():
            drawn.append(torch.rand(3).tolist())
        torch.rand(5)  # what others draw in between changes nothing
    assert drawn == expected


def test_the_stream_goes_on_after_an_exception_from_where_it_stood():
    whole, broken = PrivateRandomness(3, CPU), PrivateRandomness(3, CPU)
    _, expected = draws_from(whole), draws_from(whole)
    with pytest.raises(RuntimeError), broken.active():
        torch.rand(4)
        raise RuntimeError
    assert draws_from(broken) == expected


def test_a_private_stream_is_that_of_its_seed():
    with PrivateRandomness(7, CPU).active():
        drawn = torch.rand(4)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(7)))


def test_equal_seeds_draw_equal_numbers_and_others_other_ones():
    one, two, three = (draws_from(PrivateRandomness(seed, CPU)) for seed in (1, 1, 2))
    assert one == two != three


def test_blocks_may_be_nested(global_states):
    outer, inner = PrivateRandomness(1, CPU), PrivateRandomness(2, CPU)
    with outer.active():
        first = torch.rand(4).tolist()
        nested = draws_from(inner)
        second = torch.rand(4).tolist()
    assert global_states()
    fresh = PrivateRandomness(1, CPU)
    assert (tuple(first), tuple(second)) == (draws_from(fresh), draws_from(fresh))
    assert nested == draws_from(PrivateRandomness(2, CPU))


def test_threads_take_turns_with_the_global_generator(global_states):
    drawn = {}

    def work(seed):
        with PrivateRandomness(seed, CPU).active():
            first = torch.rand(2).tolist()
            time.sleep(0.02)
            drawn[seed] = tuple(first + torch.rand(2).tolist())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert global_states()
    for seed in range(4):
        with PrivateRandomness(seed, CPU).active():
            assert drawn[seed] == tuple(torch.rand(2).tolist() + torch.rand(2).tolist())
