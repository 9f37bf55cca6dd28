"""One bar over the whole work of a fit."""

import itertools
import re

import pytest

from skdann import DANNClassifier, DANNClassifierCV
from skdann._training.progress import Progress

FEW = {"hidden_layer_sizes": 8, "domain_classifier": 8, "max_epochs": 4, "random_state": 0}


def percentages(shown):
    return [int(one) for one in re.findall(r"(\d+)%", shown)]


def test_a_default_fit_shows_one_bar_from_the_first_candidate_to_the_end(tilted_digits, capsys):
    settings = {**FEW, "max_epochs": 30, "lr": 0.01, "hidden_layer_sizes": 50}
    DANNClassifier(**settings, verbose=1).fit(*tilted_digits[:3])
    shown = capsys.readouterr().err
    assert "9 candidates, fold 1" in shown and "candidates, fold 2" in shown
    assert shown.index("fold 1") < shown.index("fold 2") < shown.index("training")
    seen = percentages(shown)
    assert seen[0] == 0 and seen[-1] == 100
    # It is only known after the first fold how many candidates the second will have.
    assert all(later >= before - 10 for before, later in itertools.pairwise(seen))
    assert "label_loss=" in shown and shown.count("\n") == 1  # one bar


def test_where_nobody_could_win_the_bar_gets_shorter(blobs, capsys):
    X, y, _ = blobs
    DANNClassifier(**{**FEW, "max_epochs": 50, "lr": 0.01}, verbose=1).fit(3 * X, y, 3 * X)
    shown = capsys.readouterr().err
    assert "fold 2" not in shown and percentages(shown)[-1] == 100


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_shows_a_bar_and_prints_the_verdict(blobs, capsys, n_jobs):
    search = DANNClassifierCV([0, 1], cv=2, estimator=DANNClassifier(**FEW), random_state=0)
    search.set_params(verbose=1, n_jobs=n_jobs).fit(*blobs)
    shown = capsys.readouterr()
    assert "6 candidates, 2 folds" in shown.err and percentages(shown.err)[-1] == 100
    assert len(set(percentages(shown.err))) > 2  # two folds may end at the same time
    assert shown.out.strip() == f"[DANNClassifierCV] {search.verdict_}"


def test_early_stopping_jumps_to_the_end(moons, capsys):
    settings = {**FEW, "max_epochs": 500, "early_stopping": True, "n_iter_no_change": 1}
    DANNClassifier(lambda_max=0, lr=0.3, verbose=1, **settings).fit(*moons)
    assert percentages(capsys.readouterr().err)[-1] == 100


def test_after_an_error_the_bar_stays_where_it_was(moons, capsys):
    broken = DANNClassifier(lambda_max=1.0, lr=1e14, optimizer="sgd", verbose=1, **FEW)
    with pytest.raises(ValueError, match="infinite"):
        broken.fit(*moons)
    assert percentages(capsys.readouterr().err)[-1] < 100


def test_without_a_bar_nothing_is_shown_and_work_is_counted(capsys):
    with Progress() as progress:
        progress.expect(4)
        progress.begin("something")
        progress.advance(1, {"label_loss": 0.5})
        progress.advance_to(3)
    assert (progress.total, progress.done) == (4, 3)
    assert capsys.readouterr() == ("", "")
