"""Feature extractors for rows of codes: categories in a table, and tokens of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class TabularFeatureExtractor(nn.Module):
    """A learned vector for each category of a table, beside its columns of numbers.

    The entity embeddings of [1]_: each column of categories has a table with a vector for each
    category. The vectors and the other columns, as they are, are put side by side and pass fully
    connected layers. Categories that behave alike get similar vectors, which one-hot columns
    cannot express; it needs many rows or many categories to be of use.

    Codes that are not among the categories, such as those of categories that only the target has,
    get one vector together. It starts at 0, and learns if the source has such rows too.

    Parameters
    ----------
    n_features : int
        Number of columns of `X`.
    n_categories : mapping of int to int
        For each column of categories its position and the number of categories: ``{0: 3, 4: 12}``.
        Such a column holds 0, 1, ..., as :class:`~sklearn.preprocessing.OrdinalEncoder` makes them.
        Every other value, such as -1, is an unknown category.
    embedding_size : int, default=None
        Length of the categories' vectors; None takes half the number of categories, at most 50.
    hidden_layer_sizes : sequence of int, default=(100,)
        Units of the layers behind, each followed by a ReLU and `dropout`. The last number is the
        width of the embedding. With none, the vectors and numbers are the embedding.
    dropout : float in [0, 1), default=0.5
        Share of hidden units that are set to 0 in training.

    See Also
    --------
    TokenFeatureExtractor : Many codes of the same kind in each row.
    skdann.pipeline.make_dann_pipeline : Encodes and scales columns, in both domains.

    Notes
    -----
    Columns of numbers should be of about unit size. Scale them before the classifier and not by
    its `input_scaling`, which would scale the codes too and is refused.

    References
    ----------
    .. [1] Guo, C. and Berkhahn, F. "Entity Embeddings of Categorical Variables." arXiv:1604.06737,
       2016.

    Examples
    --------
    >>> from functools import partial
    >>> import torch
    >>> from skdann.networks import TabularFeatureExtractor
    >>> features = partial(TabularFeatureExtractor, n_categories={1: 4})
    >>> features(3)(torch.tensor([[0.5, 2.0, -1.0], [0.1, 99.0, 0.3]])).shape
    torch.Size([2, 100])

    With text in a column of a DataFrame:

    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.preprocessing import OrdinalEncoder, StandardScaler
    >>> from skdann import DANNClassifier
    >>> from skdann.pipeline import make_dann_pipeline
    >>> X_src = pd.DataFrame({"city": ["Rome", "Oslo", "Bonn", "Rome"], "age": [30, 41, 52, 35]})
    >>> X_tgt = pd.DataFrame({"city": ["Lyon", "Oslo", "Rome", "Bonn"], "age": [33, 45, 50, 39]})
    >>> encode = make_column_transformer(
    ...     (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
    ...     (StandardScaler(), ["age"]),
    ... )
    >>> features = partial(TabularFeatureExtractor, n_categories={0: 3})
    >>> clf = DANNClassifier(
    ...     feature_extractor=features, lambda_max=1.0, max_epochs=2, random_state=0
    ... )
    >>> model = make_dann_pipeline(encode, clf)
    >>> model.fit(X_src, [0, 1, 1, 0], X_tgt=X_tgt).predict(X_tgt).shape
    (4,)
    """

    reads_codes = True  # so that skdann refuses to scale its rows

    def __init__(
        self,
        n_features: int,
        *,
        n_categories: Mapping[int, int],
        embedding_size: int | None = None,
        hidden_layer_sizes: Sequence[int] = (100,),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _check_n_categories(n_categories, n_features)
        self.positions = sorted(n_categories)
        self.embeddings = nn.ModuleList(
            _embedding(n_categories[at], embedding_size or min(50, (n_categories[at] + 1) // 2))
            for at in self.positions
        )
        self.numbers = [at for at in range(n_features) if at not in n_categories]
        n_inputs = len(self.numbers) + sum(one.embedding_dim for one in self.embeddings)
        self.layers = _hidden_layers(n_inputs, hidden_layer_sizes, dropout)
        self.float()

    def forward(self, X: Tensor) -> Tensor:
        """Return the embedding of rows.

        Parameters
        ----------
        X : Tensor of shape (n, n_features), float32
            Numbers, and codes of categories.

        Returns
        -------
        embedding : Tensor of shape (n, n_embedding), float32
            What the label predictor and the domain classifier are given.
        """
        vectors = [
            embedding(_known(X[:, at], embedding.num_embeddings - 1))
            for at, embedding in zip(self.positions, self.embeddings, strict=True)
        ]
        return self.layers(torch.cat([*vectors, X[:, self.numbers]], dim=1))


class TokenFeatureExtractor(nn.Module):
    """The mean of the vectors of a text's tokens, and fully connected layers.

    The deep averaging network of [1]_: each token of the vocabulary has a learned vector, a row of
    ids becomes the mean of the vectors of its tokens, padding left out, and that passes fully
    connected layers. The order of the tokens does not count. For bags of words as sparse columns
    you need no such module; it pays off with a vocabulary of thousands of tokens, and where vectors
    are known from elsewhere.

    Ids beyond the vocabulary get one vector together. It starts at 0, and learns if the source has
    such ids too. A row of padding alone has a mean of 0.

    Parameters
    ----------
    length : int
        Number of columns of `X`: of the longest text, or of where texts are cut. Its value plays no
        role.
    vocabulary_size : int
        Number of tokens; ids are 0 to ``vocabulary_size - 1``.
    padding_id : int, default=0
        The id that fills up short texts.
    embedding_size : int, default=64
        Length of the tokens' vectors.
    hidden_layer_sizes : sequence of int, default=(100,)
        Units of the layers behind, each followed by a ReLU and `dropout`. The last number is the
        width of the embedding. With none, the mean is the embedding.
    dropout : float in [0, 1), default=0.5
        Share of hidden units that are set to 0 in training.

    See Also
    --------
    TabularFeatureExtractor : Codes of another kind in each column.

    Notes
    -----
    Vectors from elsewhere are copied into an instance, which is then passed as
    ``feature_extractor``::

        features = TokenFeatureExtractor(50, vocabulary_size=20_000, embedding_size=300)
        with torch.no_grad():
            features.embedding.weight[:20_000] = torch.as_tensor(vectors)

    References
    ----------
    .. [1] Iyyer, M., Manjunatha, V., Boyd-Graber, J. and Daumé III, H. "Deep Unordered Composition
       Rivals Syntactic Methods for Text Classification." Annual Meeting of the Association for
       Computational Linguistics, 2015.

    Examples
    --------
    >>> from functools import partial
    >>> import numpy as np
    >>> from skdann import DANNClassifier
    >>> from skdann.networks import TokenFeatureExtractor
    >>> X_src = np.array([[5, 2, 0, 0], [3, 4, 1, 0], [5, 1, 2, 2], [3, 3, 0, 0]])
    >>> X_tgt = np.array([[5, 6, 0, 0], [3, 7, 7, 1]])
    >>> clf = DANNClassifier(
    ...     feature_extractor=partial(TokenFeatureExtractor, vocabulary_size=8),
    ...     lambda_max=1.0,
    ...     random_state=0,
    ... )
    >>> clf.fit(X_src, ["good", "bad", "good", "bad"], X_tgt).predict(X_tgt)
    array(['good', 'bad'], dtype='<U4')
    """

    reads_codes = True  # so that skdann refuses to scale its rows

    def __init__(
        self,
        length: int,
        *,
        vocabulary_size: int,
        padding_id: int = 0,
        embedding_size: int = 64,
        hidden_layer_sizes: Sequence[int] = (100,),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _check_columns("length", length)
        if not 0 <= padding_id < vocabulary_size:
            raise ValueError(
                f"padding_id must be one of the ids 0 to {vocabulary_size - 1}, got {padding_id}."
            )
        self.padding_id = padding_id
        self.embedding = _embedding(vocabulary_size, embedding_size)
        self.layers = _hidden_layers(embedding_size, hidden_layer_sizes, dropout)
        self.float()

    def forward(self, X: Tensor) -> Tensor:
        """Return the embedding of texts.

        Parameters
        ----------
        X : Tensor of shape (n, length), float32
            Ids of tokens.

        Returns
        -------
        embedding : Tensor of shape (n, n_embedding), float32
            What the label predictor and the domain classifier are given.
        """
        ids = _known(X, self.embedding.num_embeddings - 1)
        # torch.nn.EmbeddingBag does this too, but neither torch.func.vmap nor ONNX know it well.
        counts = (ids != self.padding_id).unsqueeze(2).to(X.dtype)
        total = (self.embedding(ids) * counts).sum(dim=1)
        return self.layers(total / counts.sum(dim=1).clamp(min=1))


def _embedding(n_codes: int, size: int) -> nn.Embedding:
    """Return a table of vectors; the last, for unknown codes, is 0."""
    embedding = nn.Embedding(n_codes + 1, size)
    with torch.no_grad():
        embedding.weight[n_codes] = 0
    return embedding


def _known(codes: Tensor, n_codes: int) -> Tensor:
    """Return codes as integers, and `n_codes` in place of all that is no code."""
    known = (codes >= 0) & (codes < n_codes) & (codes == codes.floor())
    return torch.where(known, codes, n_codes).long()


def _hidden_layers(
    n_inputs: int, hidden_layer_sizes: Sequence[int], dropout: float
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_outputs in hidden_layer_sizes:
        layers += [nn.Linear(n_inputs, n_outputs), nn.ReLU(), nn.Dropout(dropout)]
        n_inputs = n_outputs
    return nn.Sequential(*layers)


def _check_columns(name: str, n_columns: int) -> None:
    if not isinstance(n_columns, int):
        raise ValueError(
            f"{name} must be the number of columns of X, got {n_columns!r}. Pass X of two "
            f"dimensions, (n_samples, {name})."
        )


def _check_n_categories(n_categories: Mapping[int, int], n_features: int) -> None:
    _check_columns("n_features", n_features)
    wrong = [at for at in n_categories if at not in range(n_features)]
    if wrong:
        raise ValueError(
            f"n_categories has positions of columns, 0 to {n_features - 1}, got {wrong[0]!r}."
        )
    wrong = [at for at, number in n_categories.items() if number < 1]
    if wrong:
        raise ValueError(
            f"n_categories must be numbers of categories, each at least 1, got "
            f"{n_categories[wrong[0]]!r} for column {wrong[0]}."
        )
