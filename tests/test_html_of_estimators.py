"""What a notebook shows: scikit-learn's diagram with links to our site, and a table below it."""

from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skdann import DANNClassifier, DANNClassifierCV
from skdann._notebook.facts import facts_of
from skdann._notebook.html_tables import html_block, html_table
from skdann.metrics import InfoMaxScorer
from skdann.pipeline import DANNPipeline, make_dann_pipeline

FAST = {"max_epochs": 2, "hidden_layer_sizes": 8, "random_state": 0}


class Cells(HTMLParser):
    """The texts of the cells of tables, and whether all tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += text


def below_the_diagram(estimator):
    """The rows of the table that stands below scikit-learn's diagram."""
    html = estimator._repr_html_()
    diagram, found, table = html.rpartition("<style>\n.skdann-shown")
    assert found and "sk-top-container" in diagram
    # Notebooks ask for this one, and ids of parts count up from call to call.
    assert estimator._repr_mimebundle_()["text/html"].endswith(table)
    return dict(Cells(found + table).rows)


@pytest.fixture(scope="module")
def chosen(tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    return DANNClassifier(**FAST).fit(X, y, X_tgt)


def test_the_table_says_what_happened(chosen, tilted_digits):
    X, _, X_tgt, _ = tilted_digits
    said = below_the_diagram(chosen)
    assert said["Source"] == f"{len(X)} rows with labels of 10 classes"
    assert said["Target"] == f"{len(X_tgt)} rows"
    assert said["Adapted"].startswith("yes, by choice" if chosen.adapted_ else "no, by choice")
    assert ("scaling alone" in said["Adapted"]) == (chosen.adapted_ and chosen.lambda_max_ == 0)
    assert said["Verdict"] == chosen.verdict_ and len(chosen.verdict_) > 200
    assert said["Lambda"] == f"{chosen.lambda_max_:g}"
    assert said["Input scaling"] == str(chosen.input_scaling_)
    last = chosen.history_[-1]
    assert said["Epochs"].startswith("2;") and said["Label loss"] == f"{last['label_loss']:.3f}"
    assert said["Domain loss"] == f"{last['domain_loss']:.3f} (0.693 by chance)"
    assert said["Domain accuracy"] == f"{last['domain_accuracy']:.3f} (0.5 by chance)"


@pytest.mark.filterwarnings("ignore::skdann.SourceOnlyWarning")
@pytest.mark.parametrize(
    ("params", "targets", "said"),
    [
        ({"lambda_max": 1.0}, 1, "yes: lambda was given"),
        ({"lambda_max": 0}, 1, "no: lambda is 0"),
        ({}, 0, "no: fit got no target"),
        (
            {"lambda_max": 1.0, "n_members": 2, "label_shift": [0.3, 0.3, 0.4]},
            2,
            "yes: lambda was given",
        ),
    ],
)
def test_what_was_given_and_not_chosen(blobs, params, targets, said):
    X, y, X_tgt = blobs
    X_tgt = [None, X_tgt, (X_tgt[:50], X_tgt[50:80])][targets]
    found = below_the_diagram(DANNClassifier(**FAST, **params).fit(X, y, X_tgt))
    assert found["Adapted"] == said and "Verdict" not in found
    assert (
        found["Target"] == ["none", f"{len(blobs[2])} rows", "50 + 30 rows of 2 domains"][targets]
    )
    assert ("Domain loss" in found) == bool(targets)
    if targets == 2:
        assert found["Networks"].startswith("2;") and "chance" not in found["Domain accuracy"]
        assert found["Target shares in use"] == "0: 0.30, 1: 0.30, 2: 0.40"


def test_chunks_are_added_up(blobs):
    X, y, X_tgt = blobs
    clf = DANNClassifier(**FAST, lambda_max=1.0)
    clf.partial_fit(X[:40], y[:40], X_tgt[:30]).partial_fit(X[:20], y[:20], X_tgt[:10])
    found = below_the_diagram(clf)
    assert (found["Source"], found["Target"]) == ("60 rows with labels of 3 classes", "40 rows")
    assert below_the_diagram(clf.fit(X, y, X_tgt))["Target"] == f"{len(X_tgt)} rows"


def test_of_a_search_and_of_a_pipeline_the_same_is_said(blobs):
    X, y, X_tgt = blobs
    search = DANNClassifierCV([0, 1], ["source"], cv=2, estimator=DANNClassifier(**FAST))
    search.fit(X, y, X_tgt)
    found = below_the_diagram(search)
    assert found["Verdict"] == search.verdict_
    assert found["Lambda"] == f"{search.best_estimator_.lambda_max_:g}"
    pipe = make_dann_pipeline(StandardScaler(), lambda_max=1.0, **FAST).fit(X, y, X_tgt)
    assert below_the_diagram(pipe) == below_the_diagram(pipe[-1])


@pytest.mark.parametrize(
    "estimator",
    [
        DANNClassifier(),
        DANNClassifierCV(),
        make_dann_pipeline(StandardScaler()),
        DANNPipeline([("a", StandardScaler()), ("b", VotingClassifier([("c", DANNClassifier())]))]),
    ],
    ids=["classifier", "CV", "pipeline", "another last step"],
)
def test_unfitted_it_is_scikit_learns_own(estimator):
    assert facts_of(estimator) == []
    for html in (estimator._repr_html_(), estimator._repr_mimebundle_()["text/html"]):
        assert "skdann-shown" not in html
        assert len(html) == pytest.approx(len(estimator_html_repr(estimator)), abs=20)  # ids differ


def test_the_setting_of_the_display_is_obeyed(blobs):
    clf = DANNClassifier(**FAST, lambda_max=1.0).fit(*blobs)
    with sklearn.config_context(display="text"):
        assert not hasattr(clf, "_repr_html_")
        assert list(clf._repr_mimebundle_()) == ["text/plain"]


def test_labels_that_look_like_tags_are_escaped(blobs):
    X, y, X_tgt = blobs
    labels = np.array(["<script>alert(1)</script>", "b & c", "d"])[y]
    clf = DANNClassifier(**FAST, lambda_max=1.0, label_shift=[0.5, 0.3, 0.2]).fit(X, labels, X_tgt)
    table = clf._repr_html_().rpartition("<style>\n.skdann-shown")[2]
    assert "<script" not in table and "&lt;script&gt;" in table and "b &amp; c" in table
    assert "<script" not in html_table([("<script>", "<script>")], header=("<script>",) * 2)
    assert "<script" not in html_block(html_table([], caption="<script>"))


@pytest.mark.parametrize(
    ("estimator", "page"),
    [
        (DANNClassifier(), "skdann.DANNClassifier"),
        (DANNClassifierCV(), "skdann.DANNClassifierCV"),
        (make_dann_pipeline(StandardScaler()), "skdann.pipeline.DANNPipeline"),
        (InfoMaxScorer(), "skdann.metrics.InfoMaxScorer"),
    ],
)
def test_the_diagram_links_to_the_page_of_the_class(estimator, page):
    address = f"https://skdann.readthedocs.io/en/stable/api/{page}.html"
    assert f'href="{address}"' in estimator_html_repr(estimator)


class OfAUser(DANNClassifier):
    """Is not on our site."""


def test_a_users_own_class_has_no_link_and_others_keep_theirs():
    html = OfAUser()._repr_html_()
    assert "readthedocs" not in html and OfAUser()._get_doc_link() == ""
    assert "https://scikit-learn.org" in StandardScaler()._get_doc_link()
