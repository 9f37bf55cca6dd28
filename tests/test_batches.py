import dataclasses

import numpy as np
import pytest
import torch
from scipy import sparse

from skdann._data import batches as _batches
from skdann._data import tensors as _tensors
from skdann._data.batches import Batch, DomainBatches, StackedBatches, with_leading_axis
from skdann._data.record import TrainingData
from skdann._data.splits import hold_out, split_validation
from skdann._data.tensors import RowTables, row_chunks

CPU = torch.device("cpu")


def record(n_source=12, n_target=9, *, row_shape=(3,), weights=False, n_targets=1):
    """Rows that carry their own number: source rows from 0 on, target rows from 1000 on."""
    source, target = np.arange(n_source), np.arange(n_target)
    return TrainingData(
        X_source=rows_of(source, row_shape),
        y_source=source % 3,
        label_weight=(source / 8).astype(np.float32) if weights else None,
        domain_weight=(source / 4).astype(np.float32) if weights else None,
        X_target=rows_of(1000 + target, row_shape) if n_target else None,
        target_domain=1 + target * n_targets // n_target if n_target else None,
        n_domains=1 + n_targets,
        classes=np.arange(3),
        feature_names=None,
    )


def rows_of(numbers, row_shape):
    """Each row's first element is its number, the others follow from it."""
    size = int(np.prod(row_shape))
    flat = numbers[:, None] + np.arange(size) / 64
    return flat.reshape(len(numbers), *row_shape).astype(np.float32)


def batches_of(data, batch_size=4, seed=0, device=CPU, **options):
    generators = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    return DomainBatches(data, batch_size, *generators, RowTables(device), **options)


def numbers(X):
    """Which rows these are."""
    return X.reshape(len(X), -1)[:, 0].numpy().astype(int)


def source_numbers(batches):
    return np.concatenate([numbers(batch.X[: batches.n_source]) for batch in batches])


def target_numbers(batches):
    return np.concatenate([numbers(batch.X[batches.n_source :]) for batch in batches])


def assert_same_batches(one, other, epochs=3):
    for _ in range(epochs):
        for batch, twin in zip(one, other, strict=True):
            for field, expected in zip(batch, twin, strict=True):
                assert field is expected is None or torch.equal(field, expected)


# -- an epoch --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 4, 12])
def test_every_source_row_comes_exactly_once_per_epoch(batch_size):
    batches = batches_of(record(12), batch_size)
    for _ in range(3):
        assert sorted(source_numbers(batches)) == list(range(12))


def test_each_epoch_has_an_order_of_its_own():
    batches = batches_of(record(12))
    orders = {tuple(source_numbers(batches)) for _ in range(4)}
    assert len(orders) == 4 and tuple(range(12)) not in orders


@pytest.mark.parametrize(
    ("n_source", "batch_size", "n_steps"), [(12, 4, 3), (13, 4, 4), (12, 5, 3), (12, 1, 12)]
)
def test_the_length_is_the_number_of_batches(n_source, batch_size, n_steps):
    batches = batches_of(record(n_source), batch_size)
    assert len(batches) == n_steps == len(list(batches))


def test_the_last_batch_is_filled_from_a_new_shuffle():
    batches = batches_of(record(10), batch_size=4)
    fillings = set()
    for _ in range(20):
        drawn = source_numbers(batches)
        assert len(drawn) == 12
        assert sorted(drawn[:10]) == list(range(10))
        assert len(set(drawn[10:])) == 2
        fillings.update(drawn[10:])
    assert len(fillings) > 5


def test_a_batch_larger_than_the_data_is_one_batch_of_all_source_rows():
    batches = batches_of(record(5, n_target=3), batch_size=100)
    (batch,) = batches
    assert len(batches) == 1 and batches.n_source == 5 and batch.X.shape == (10, 3)
    assert sorted(numbers(batch.X[:5])) == [0, 1, 2, 3, 4]
    assert set(numbers(batch.X[5:])) == {1000, 1001, 1002}


# -- a batch ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row_shape", [(3,), (2, 4, 5)])
def test_shapes_and_types_are_those_that_training_needs(row_shape):
    for batch in batches_of(record(row_shape=row_shape, weights=True)):
        assert batch.X.shape == (8, *row_shape) and batch.X.dtype == torch.float32
        assert batch.y.shape == (4,) and batch.y.dtype == torch.int64
        assert batch.label_weight.shape == (4,) and batch.label_weight.dtype == torch.float32
        assert batch.domain.shape == (8,) and batch.domain.dtype == torch.int64
        assert batch.domain_weight.shape == (8,) and batch.domain_weight.dtype == torch.float32


def test_the_source_half_comes_first_and_domains_say_so():
    for batch in batches_of(record()):
        assert (numbers(batch.X[:4]) < 12).all() and (numbers(batch.X[4:]) >= 1000).all()
        assert batch.domain.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_rows_of_several_targets_keep_their_domain():
    batches = batches_of(record(n_target=9, n_targets=3))
    seen = set()
    for batch in [*batches, *batches, *batches]:
        of_row = numbers(batch.X[4:]) - 1000
        assert batch.domain[4:].tolist() == (1 + of_row // 3).tolist()
        assert batch.domain[:4].tolist() == [0, 0, 0, 0]
        seen.update(batch.domain[4:].tolist())
    assert seen == {1, 2, 3}


def test_labels_and_weights_belong_to_their_rows():
    for batch in batches_of(record(weights=True)):
        of_row = numbers(batch.X[:4])
        assert batch.y.tolist() == (of_row % 3).tolist()
        assert batch.label_weight.tolist() == (of_row / 8).tolist()
        assert batch.domain_weight[:4].tolist() == (of_row / 4).tolist()
        assert batch.domain_weight[4:].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_one_kind_of_weight_may_be_missing():
    data = dataclasses.replace(record(weights=True), domain_weight=None)
    assert all(b.domain_weight is None and b.label_weight is not None for b in batches_of(data))
    data = dataclasses.replace(record(weights=True), label_weight=None)
    assert all(b.domain_weight is not None and b.label_weight is None for b in batches_of(data))


def test_whole_rows_are_taken_not_only_their_first_elements():
    data = record(row_shape=(2, 3))
    everything = {int(row[0, 0]): row for row in np.concatenate([data.X_source, data.X_target])}
    for batch in batches_of(data):
        for row in batch.X.numpy():
            assert np.array_equal(row, everything[int(row[0, 0])])


def test_without_a_target_there_are_source_rows_and_no_domain_figures():
    batches = batches_of(record(n_target=0, weights=True))
    for batch in batches:
        assert batch.X.shape == (4, 3) and batch.label_weight is not None
        assert batch.domain is None and batch.domain_weight is None
    assert sorted(source_numbers(batches)) == list(range(12))


def test_what_happens_to_a_batch_does_not_reach_the_data():
    data, untouched = record(weights=True), record(weights=True)
    for batch in batches_of(data, batch_size=100):
        for field in batch:
            if field is not None:  # no target row has a label
                field.fill_(7)
    for field in ("X_source", "y_source", "label_weight", "domain_weight", "X_target"):
        assert np.array_equal(getattr(data, field), getattr(untouched, field))


def test_batches_are_put_on_the_device():
    for batch in batches_of(record(weights=True), device=torch.device("meta")):
        fields = [field for field in batch if field is not None]
        assert {field.device.type for field in fields} == {"meta"}


# -- the target's cycle ----------------------------------------------------------------------


def test_one_target_row_stands_in_for_all():
    assert (target_numbers(batches_of(record(n_target=1))) == 1000).all()


@pytest.mark.parametrize("n_target", [2, 5, 9, 12, 31])
def test_all_target_rows_are_visited_before_one_comes_again(n_target):
    batches = batches_of(record(n_target=n_target))
    drawn = np.concatenate([target_numbers(batches) for _ in range(15)])
    assert len(drawn) == 15 * 12
    orders = []
    for start in range(0, len(drawn) - n_target + 1, n_target):
        orders.append(tuple(drawn[start : start + n_target]))
        assert sorted(orders[-1]) == list(range(1000, 1000 + n_target))
    assert len(set(orders)) > 1


@pytest.mark.parametrize("n_target", [0, 1, 5, 500])
def test_the_order_of_source_rows_does_not_depend_on_the_target(n_target):
    expected, other = batches_of(record(10, n_target=9)), batches_of(record(10, n_target=n_target))
    for _ in range(3):
        assert np.array_equal(source_numbers(expected), source_numbers(other))


def test_the_order_of_target_rows_does_not_depend_on_the_sources_generator():
    data = record(12, n_target=9)
    one, other = (
        DomainBatches(
            data, 4, np.random.default_rng(seed), np.random.default_rng(9), RowTables(CPU)
        )
        for seed in (0, 1)
    )
    assert np.array_equal(target_numbers(one), target_numbers(other))
    assert not np.array_equal(source_numbers(one), source_numbers(other))


# -- sparse rows and blocks ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("n_target", [0, 9])
def test_sparse_rows_give_the_batches_of_dense_ones(kind, n_target):
    data = record(10, n_target=n_target, weights=True)
    as_sparse = dataclasses.replace(
        data, X_source=kind(data.X_source), X_target=kind(data.X_target) if n_target else None
    )
    assert_same_batches(batches_of(as_sparse), batches_of(data))


# A batch of half source, half target has 8 rows: what goes with them, and as sparse rows three
# values and three columns of 4 bytes each.
@pytest.mark.parametrize(("kind", "row_bytes"), [(np.asarray, 0), (sparse.csr_array, 24)])
@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_small_blocks_give_the_batches_of_one_block(monkeypatch, steps, kind, row_bytes):
    data = record(18, n_target=7, weights=True, n_targets=2)
    data.X_source[0, 0] = 0.5  # no row without a first value
    data = dataclasses.replace(data, X_source=kind(data.X_source), X_target=kind(data.X_target))
    whole = batches_of(data)
    one_block = [list(whole) for _ in range(3)]
    assert whole._steps_per_block() >= len(whole) == 5
    step_bytes = 8 * (_batches._INDEX_BYTES + row_bytes)
    for block_bytes in (steps * step_bytes, (steps + 1) * step_bytes - 1):
        monkeypatch.setattr(_batches, "_BLOCK_BYTES", block_bytes)
        blocks = batches_of(data)
        assert blocks._steps_per_block() == steps
        for epoch in one_block:
            assert_same_batches(epoch, list(blocks), epochs=1)


def test_no_block_of_sparse_rows_is_larger_than_allowed(monkeypatch):
    gathered = []
    block = RowTables.block

    def watched(self, X, rows):
        gathered.append(len(rows))
        return block(self, X, rows)

    monkeypatch.setattr(RowTables, "block", watched)
    monkeypatch.setattr(_batches, "_BLOCK_BYTES", 2 * 8 * (_batches._INDEX_BYTES + 24))
    data = record(20)
    X_source, X_target = sparse.csr_array(data.X_source), sparse.csr_array(data.X_target)
    list(batches_of(dataclasses.replace(data, X_source=X_source, X_target=X_target)))
    assert gathered == [8, 8, 8, 8, 4, 4]  # source and target, of two steps, two, and one


# -- tables ----------------------------------------------------------------------------------


def test_a_table_is_a_view_of_the_array_and_shared_by_all_who_ask():
    tables, X = RowTables(CPU), rows_of(np.arange(6), (3,))
    one, other = tables.block(X, np.array([1, 0])), tables.block(X, np.array([5]))
    assert one.table is other.table and np.shares_memory(one.table.numpy(), X)
    assert tables.block(X.copy(), np.array([0])).table is not one.table


def test_a_memory_map_that_may_only_be_read_stays_on_disk(tmp_path):
    np.save(tmp_path / "X.npy", rows_of(np.arange(12), (3,)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    data = dataclasses.replace(record(12), X_source=X)
    assert np.shares_memory(RowTables(CPU).block(X, np.array([0])).table.numpy(), X)
    assert_same_batches(batches_of(data), batches_of(record(12)))


@pytest.mark.parametrize("turned", [lambda X: X[::-1], lambda X: X[:, ::-1], np.asfortranarray])
def test_arrays_of_any_strides_give_the_same_batches(turned):
    data = record(12)
    X = turned(data.X_source)
    like = dataclasses.replace(data, X_source=np.ascontiguousarray(X))
    assert_same_batches(batches_of(dataclasses.replace(data, X_source=X)), batches_of(like))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_rows_that_do_not_count_never_come(kind):
    data = record(12, n_target=9)
    some = dataclasses.replace(
        data,
        X_source=kind(data.X_source), source_rows=np.array([7, 1, 4]), y_source=np.array([1, 1, 1]),
        X_target=kind(data.X_target), target_rows=np.array([8, 2]), target_domain=np.array([1, 1]),
    )  # fmt: skip
    batches = batches_of(some, batch_size=3)
    for _ in range(3):
        (batch,) = batches
        assert sorted(numbers(batch.X[:3])) == [1, 4, 7]
        assert set(numbers(batch.X[3:])) == {1002, 1008} and batch.y.tolist() == [1, 1, 1]


# -- batches of several networks -------------------------------------------------------------


def test_stacked_batches_have_a_leading_axis():
    one, other = (next(iter(batches_of(record(weights=True), seed=seed))) for seed in (0, 5))
    both = with_leading_axis([one, other])
    for field in Batch._fields[:-1]:  # no target row has a label
        assert torch.equal(getattr(both, field)[0], getattr(one, field))
        assert torch.equal(getattr(both, field)[1], getattr(other, field))
    single = with_leading_axis([one])
    assert single.X.shape == (1, 8, 3) and single.X.data_ptr() == one.X.data_ptr()


def test_stacked_batches_keep_what_is_missing_missing():
    batch = with_leading_axis([next(iter(batches_of(record(n_target=0))))] * 2)
    assert batch.X.shape == (2, 4, 3)
    assert batch.label_weight is batch.domain is batch.domain_weight is None


def together(records, orders, shared=True):
    """Batches of several networks; equal orders are generators with equal seeds."""
    own = []
    for data, order in zip(records, orders, strict=True):
        generators = np.random.default_rng(order), np.random.default_rng(order + 100)
        own.append(DomainBatches(data, 4, *generators, RowTables(CPU), order))
    return StackedBatches(own, shared)


def test_networks_in_step_get_their_own_batches_whoever_shares_them():
    data = record(18, weights=True)
    half = dataclasses.replace(
        data, source_rows=np.arange(0, 36, 2) % 18, y_source=data.y_source[::-1].copy()
    )
    relabelled = dataclasses.replace(data, y_source=1 - data.y_source % 2)
    records, orders = [data, relabelled, data, half], [0, 0, 1, 0]
    for shared, slots in [(True, [0, 0, 1, 2]), (False, [0, 1, 2, 3])]:
        stack = together(records, orders, shared)
        assert stack.slots == slots
        alone = [together([one], [order]) for one, order in zip(records, orders, strict=True)]
        for _ in range(3):
            for batch, *single in zip(stack, *alone, strict=True):
                assert len(batch.X) == len(set(slots)) and len(batch.y) == 4
                for i, one in enumerate(single):
                    fields = batch.of(i, slots[i])[:-1]  # no target row has a label
                    for field, expected in zip(fields, one.of(0), strict=False):
                        assert torch.equal(field, expected)


def test_batches_without_target_rows_bring_the_same_source_rows():
    data = record(weights=True)
    for batch, whole in zip(batches_of(data, with_target=False), batches_of(data), strict=True):
        assert torch.equal(batch.X, whole.X[:4]) and torch.equal(batch.y, whole.y)
        assert torch.equal(batch.label_weight, whole.label_weight)
        assert batch.domain is batch.domain_weight is None


# -- rows in order ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize(
    ("block_bytes", "stops"),
    [(1, range(1, 11)), (8 * 12 * 4, [4, 8, 10]), (8 * 12 * 5, [5, 10]), (2**20, [10])],
)
def test_chunks_cover_all_rows_in_order(monkeypatch, kind, block_bytes, stops):
    monkeypatch.setattr(_tensors, "_ROWS_PER_CHUNK", 1)
    monkeypatch.setattr(_tensors, "_BLOCK_BYTES", block_bytes)
    X = rows_of(np.arange(10), (3,))
    slices, chunks = zip(*row_chunks(kind(X), CPU), strict=True)
    starts = [0, *stops][:-1]
    assert [(rows.start, rows.stop) for rows in slices] == list(zip(starts, stops, strict=True))
    assert all(chunk.dtype == torch.float32 for chunk in chunks)
    assert np.array_equal(torch.cat(chunks).numpy(), X)


def test_chunks_of_images_are_bounded_by_the_size_of_an_image(monkeypatch):
    monkeypatch.setattr(_tensors, "_ROWS_PER_CHUNK", 1)
    monkeypatch.setattr(_tensors, "_BLOCK_BYTES", 8 * (4 * 2 * 3 * 3) * 2)
    X = rows_of(np.arange(5), (2, 3, 3))
    chunks = [chunk for _, chunk in row_chunks(X, CPU)]
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert np.array_equal(torch.cat(chunks).numpy(), X)


def test_chunks_of_wide_rows_are_not_too_few_rows():
    X = sparse.csr_array((300, 10**6), dtype=np.float32)
    assert [len(chunk) for _, chunk in row_chunks(X[:, :20_000], CPU)] == [128, 128, 44]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_chunks_of_some_rows_come_in_their_order(monkeypatch, kind):
    monkeypatch.setattr(_tensors, "_ROWS_PER_CHUNK", 1)
    monkeypatch.setattr(_tensors, "_BLOCK_BYTES", 8 * 12 * 2)
    X = rows_of(np.arange(10), (3,))
    slices, chunks = zip(*row_chunks(kind(X), CPU, np.array([7, 0, 7])), strict=True)
    assert slices == (slice(0, 2), slice(2, 3))
    assert numbers(torch.cat(chunks)).tolist() == [7, 0, 7]


@pytest.mark.parametrize("rows", [None, np.array([2, 0, 2])])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_chunks_are_copies_unless_views_are_asked_for(kind, rows):
    X = rows_of(np.arange(4), (3,))
    ((_, chunk),) = row_chunks(kind(X), CPU, rows)
    chunk.fill_(7)
    assert np.array_equal(X, rows_of(np.arange(4), (3,)))
    ((_, chunk),) = row_chunks(X, CPU, copy=False)
    assert np.shares_memory(chunk.numpy(), X)


# -- rows held out ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "held"), [(0.1, [2, 1, 0]), (0.25, [5, 2, 1]), (0.5, [10, 5, 2])]
)
def test_the_fraction_is_held_out_of_each_code(fraction, held):
    codes = np.repeat([0, 1, 2], [20, 10, 4])
    mask = hold_out(codes, fraction, np.random.default_rng(0))
    assert mask.dtype == bool and mask.shape == (34,)
    assert np.bincount(codes[mask], minlength=3).tolist() == held


def test_one_row_of_each_code_is_kept():
    codes = np.repeat([0, 1, 4], [20, 1, 2])
    mask = hold_out(codes, 0.99, np.random.default_rng(0))
    assert np.bincount(codes[~mask], minlength=5).tolist() == [1, 1, 0, 0, 1]


def test_at_least_one_row_is_held_out_of_the_commonest_code():
    codes = np.repeat([0, 1, 2], [2, 4, 3])
    for seed in range(10):
        mask = hold_out(codes, 0.01, np.random.default_rng(seed))
        assert codes[mask].tolist() == [1]


def test_nothing_is_held_out_where_each_code_has_one_row():
    assert not hold_out(np.array([0, 1, 2]), 0.9, np.random.default_rng(0)).any()


def test_which_rows_are_held_out_is_a_matter_of_chance_and_of_the_seed():
    codes = np.zeros(40, dtype=int)
    masks = [hold_out(codes, 0.25, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[0], masks[2])
    often = sum(hold_out(codes, 0.25, np.random.default_rng(seed)) for seed in range(200))
    assert often.min() > 20 and often.max() < 80  # 50 expected of each row


def split(data, fraction=0.25, source_seed=0, target_seed=1):
    generators = np.random.default_rng(source_seed), np.random.default_rng(target_seed)
    return split_validation(data, fraction, *generators)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_split_parts_the_rows_with_all_that_belongs_to_them(kind):
    data = record(24, n_target=16, weights=True, n_targets=2)
    train, valid = split(
        dataclasses.replace(data, X_source=kind(data.X_source), X_target=kind(data.X_target))
    )
    seen_source, seen_target = [], []
    for part, n_source, n_target in ((train, 18, 12), (valid, 6, 4)):
        assert part.X_source.shape == (24, 3)  # shared, not copied
        X_source = np.concatenate([c for _, c in row_chunks(part.X_source, CPU, part.source_rows)])
        X_target = np.concatenate([c for _, c in row_chunks(part.X_target, CPU, part.target_rows)])
        of_row, of_target = X_source[:, 0].astype(int), X_target[:, 0].astype(int) - 1000
        assert (len(of_row), len(of_target)) == (n_source, n_target)
        assert np.array_equal(X_source, data.X_source[of_row])
        assert np.array_equal(part.y_source, of_row % 3)
        assert np.bincount(part.y_source).tolist() == [n_source / 3] * 3
        assert np.array_equal(part.label_weight, (of_row / 8).astype(np.float32))
        assert np.array_equal(part.domain_weight, (of_row / 4).astype(np.float32))
        assert np.array_equal(X_target, data.X_target[of_target])
        assert np.array_equal(part.target_domain, data.target_domain[of_target])
        assert np.bincount(part.target_domain).tolist() == [0, n_target / 2, n_target / 2]
        assert part.n_domains == 3 and part.classes is data.classes
        seen_source += of_row.tolist()
        seen_target += of_target.tolist()
    assert sorted(seen_source) == list(range(24)) and sorted(seen_target) == list(range(16))


def test_the_source_rows_held_out_do_not_depend_on_the_target():
    expected = split(record(24, n_target=16))[1].source_rows
    for n_target, target_seed in ((0, 1), (1, 1), (16, 5)):
        other = split(record(24, n_target=n_target), target_seed=target_seed)[1].source_rows
        assert np.array_equal(expected, other)


def test_a_split_without_a_target_has_none():
    for part in split(record(24, n_target=0)):
        assert part.X_target is None and part.target_domain is None


def test_a_single_target_row_stays_in_training():
    train, valid = split(record(24, n_target=1))
    assert train.target_rows.tolist() == [0] and train.target_domain.tolist() == [1]
    assert valid.X_target is None and valid.target_domain is None
    assert len(valid.y_source) == 6


def test_rows_held_out_of_some_rows_are_some_of_them():
    data = dataclasses.replace(
        record(12), source_rows=np.arange(5, 11), y_source=np.repeat([0, 1], 3)
    )
    train, valid = split(data, fraction=0.4)
    assert sorted([*train.source_rows, *valid.source_rows]) == list(range(5, 11))
    assert len(valid.source_rows) == 2


def test_a_split_of_classes_with_a_single_row_is_refused():
    with pytest.raises(
        ValueError, match=r"every class has a single row\. Set early_stopping=False"
    ):
        split(record(3))
