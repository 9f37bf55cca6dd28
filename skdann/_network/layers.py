"""The package's own layers: fully connected ones, whose gradient is also written out by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from skdann._torch.randomness import draw_keep_masks_

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
}


class MultilayerPerceptron(nn.Module):
    """Fully connected layers, each hidden one followed by an activation and dropout.

    Parameters
    ----------
    n_inputs : int
    hidden_layer_sizes : tuple of int
    n_outputs : int or None
        Width of a last, linear layer; None ends with the last hidden layer.
    activation : str
        A key of `ACTIVATIONS`.
    dropout : float
        Share of hidden units set to 0 in training, in [0, 1).
    generator : torch.Generator
        Where the initial weights come from; they are drawn as `torch.nn.Linear` draws them.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: tuple[int, ...],
        n_outputs: int | None,
        activation: str,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        outputs = (*hidden_layer_sizes, *(() if n_outputs is None else (n_outputs,)))
        inputs = (n_inputs, *outputs)
        self.layers = nn.ModuleList(
            _linear(fan_in, fan_out, generator)
            for fan_in, fan_out in zip(inputs, outputs, strict=False)
        )
        self.n_hidden = len(hidden_layer_sizes)
        self.activation = activation
        self.dropout = dropout

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return (n, n_outputs); in training, dropout masks come from `generator`."""
        activate = ACTIVATIONS[self.activation]
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < self.n_hidden:
                x = activate(x)
                if self.training and self.dropout > 0:
                    mask = torch.empty((1, *x.shape), dtype=x.dtype, device=x.device)
                    x = x * draw_keep_masks_(mask, self.dropout, [generator])[0]
        return x


def _linear(n_inputs: int, n_outputs: int, generator: torch.Generator) -> nn.Linear:
    # skip_init: torch's constructor would draw from the global generator. Nor is the user's default
    # dtype asked for anywhere: networks are float32.
    layer = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs, dtype=torch.float32)
    bound = n_inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def is_ours(part: nn.Module) -> bool:
    """Tell whether a part is made of the package's layers.

    A custom module may draw random numbers from torch's global generator and change its input.
    """
    return type(part) is MultilayerPerceptron


def _apply(part: nn.Module, x: Tensor, generator: torch.Generator | None) -> Tensor:
    return part(x, generator) if isinstance(part, MultilayerPerceptron) else part(x)
