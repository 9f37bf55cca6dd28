"""Randomness: one `random_state` to independent streams, and no trace in the global state.

Each use of chance draws from a generator of its own. So the target rows, or the size of the
domain classifier, can't change what the source side of the network sees, and fits in other
threads can't either.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# Custom modules draw from torch's global generator, which all threads share: they run under this
# lock, see `PrivateRandomness`.
_GLOBAL_GENERATOR = threading.RLock()


class PrivateRandomness:
    """Torch's global generators, exchanged for private ones while custom modules run.

    Parameters
    ----------
    seed : int
        Where the private stream starts. It goes on from one ``with`` to the next.

    device : torch.device
        The device whose generator is exchanged besides the CPU's.

    Attributes
    ----------
    device : torch.device
    state : list of Tensor
        Where the stream is, for each device.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.state = [torch.Generator(one).manual_seed(seed).get_state() for one in self._devices()]

    def _devices(self) -> list[torch.device]:
        on_cpu = [torch.device("cpu")]
        return on_cpu if self.device.type == "cpu" else [*on_cpu, self.device]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Exchange the global generators until the block ends, then put them back."""
        with _GLOBAL_GENERATOR:
            outside = [_get_state(one) for one in self._devices()]
            try:
                self._set_all(self.state)
                yield
            finally:
                self.state = [_get_state(one) for one in self._devices()]
                self._set_all(outside)

    def _set_all(self, states: list[torch.Tensor]) -> None:
        for device, state in zip(self._devices(), states, strict=True):
            _set_state(device, state)


def _get_state(device: torch.device) -> torch.Tensor:
    if device.type == "cpu":
        return torch.get_rng_state()
    return getattr(torch, device.type).get_rng_state(device)


def _set_state(device: torch.device, state: torch.Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        getattr(torch, device.type).set_rng_state(state, device)


@dataclass(frozen=True)
class RandomStreams:
    """The independent streams of one fit.

    The label path (feature extractor and label predictor) and the domain path never share
    one: what the domain classifier draws can't shift what the label predictor sees.
    """

    source_order: np.random.Generator
    target_order: np.random.Generator
    few_order: np.random.Generator
    source_holdout: np.random.Generator
    target_holdout: np.random.Generator
    feature_init: torch.Generator
    label_init: torch.Generator
    domain_init: torch.Generator
    label_dropout: torch.Generator
    domain_dropout: torch.Generator
    label_modules: PrivateRandomness
    domain_modules: PrivateRandomness

    @property
    def key(self) -> tuple[int, ...]:
        """The seeds: equal keys give equal numbers, as long as equally many are drawn."""
        inits = self.feature_init, self.label_init, self.domain_init
        seeded = (*inits, self.label_dropout, self.domain_dropout)
        return tuple(generator.initial_seed() for generator in seeded)

    @property
    def _orders(self) -> tuple[np.random.Generator, ...]:
        return self.source_order, self.target_order, self.few_order

    def state(self) -> dict[str, Any]:
        """Return where the streams are that a training draws from, in tensors and numbers."""
        return {
            "orders": [one.bit_generator.state for one in self._orders],
            "dropout": [one.get_state() for one in (self.label_dropout, self.domain_dropout)],
            "modules": [one.state for one in (self.label_modules, self.domain_modules)],
        }

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state`."""
        for order, where in zip(self._orders, state["orders"], strict=True):
            order.bit_generator.state = where
        dropout = self.label_dropout, self.domain_dropout
        for generator, where in zip(dropout, state["dropout"], strict=True):
            generator.set_state(where)
        self.label_modules.state, self.domain_modules.state = state["modules"]


def random_streams(
    random_state: int | np.random.RandomState | None,
    device: torch.device,
    epochs_before: int = 0,
    n_members: int = 1,
) -> list[RandomStreams]:
    """Return the streams of each member of an ensemble, all made from one `random_state`.

    The streams of the first member are those of a single network.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int gives the same streams always; a RandomState is drawn from once; None takes
        fresh entropy from the operating system and leaves numpy's global state alone.

    device : torch.device
        Where dropout masks are drawn.

    epochs_before : int, default=0
        Epochs that an earlier call has trained, so that training on goes on with new draws.

    n_members : int, default=1
    """
    entropy = entropy_of(random_state)
    return [_streams([entropy, epochs_before, member], device) for member in range(n_members)]


def _streams(entropy: list[int], device: torch.device) -> RandomStreams:
    draw = iter(int(seed) for seed in np.random.SeedSequence(entropy).generate_state(12))
    return RandomStreams(
        source_order=np.random.default_rng(next(draw)),
        target_order=np.random.default_rng(next(draw)),
        source_holdout=np.random.default_rng(next(draw)),
        target_holdout=np.random.default_rng(next(draw)),
        feature_init=torch.Generator().manual_seed(next(draw)),
        label_init=torch.Generator().manual_seed(next(draw)),
        domain_init=torch.Generator().manual_seed(next(draw)),
        label_dropout=torch.Generator(device).manual_seed(next(draw)),
        domain_dropout=torch.Generator(device).manual_seed(next(draw)),
        label_modules=PrivateRandomness(next(draw), device),
        domain_modules=PrivateRandomness(next(draw), device),
        few_order=np.random.default_rng(next(draw)),  # last, so that the others stay as they were
    )


def draw_keep_masks_(
    masks: torch.Tensor, share: float, generators: Sequence[torch.Generator | None]
) -> torch.Tensor:
    """Fill and return `masks` for dropout: 0 with probability `share`, else ``1 / (1 - share)``.

    A unit takes 16 random bits, several times faster than `Tensor.bernoulli_`; so `share`
    counts in steps of 1/65536.

    Parameters
    ----------
    masks : float Tensor of shape (k, ...), contiguous
    share : float in [0, 1)
    generators : sequence of k torch.Generator
        The source of each mask; None draws from torch's global one.
    """
    n_units = masks[0].numel()
    words = torch.empty((len(masks), -(-n_units // 4)), dtype=torch.int64, device=masks.device)
    for of_mask, generator in zip(words, generators, strict=True):
        of_mask.random_(-(2**63), None, generator=generator)
    # Each 64-bit word is four signed 16-bit numbers, uniform from -32768 to 32767: a unit is kept
    # if its number is among the lowest `kept` of these 65536.
    bits = words.view(torch.int16)[:, :n_units].reshape(masks.shape)
    kept = min(max(round((1.0 - share) * 2**16), 1), 2**16 - 1)
    return torch.lt(bits, kept - 2**15, out=masks).mul_(2**16 / kept)


def entropy_of(random_state: int | np.random.RandomState | None) -> int:
    """Return the integer from which all streams of a fit are made.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int is returned as it is, a RandomState is drawn from once, and None takes fresh entropy
        from the operating system.
    """
    if random_state is None:
        # SeedSequence gathers entropy of its own; numpy's global state stays as it is.
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    return int(random_state)
