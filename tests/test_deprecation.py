"""Old names work for a while, and say which is the new one."""

import pickle
import re

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.base import BaseEstimator, clone

from skdann._deprecation import (
    UNSET,
    parameter_under_its_old_name,
    renamed_attribute,
    renamed_parameter,
    renamed_value,
)

VERSIONS = {"since": "0.2", "until": "0.4"}


class Renamed(BaseEstimator):
    """An estimator of release 0.2: in 0.1 `lr` was `rate`, "ramp" was "slope", `n_iter_` `n_`."""

    def __init__(self, lr=0.1, schedule="ramp", rate=UNSET):
        self.lr = lr
        self.schedule = schedule
        self.rate = rate

    n_ = renamed_attribute("n_", "n_iter_", **VERSIONS)

    @renamed_parameter("Xt", "X_tgt", **VERSIONS)
    def fit(self, X, X_tgt=None):
        """Train.

        Parameters
        ----------
        X : array
        X_tgt : array
        """
        self.lr_ = parameter_under_its_old_name(self, "rate", "lr", **VERSIONS)
        self.schedule_ = renamed_value(self.schedule, "slope", "ramp", of="schedule", **VERSIONS)
        self.X_tgt_ = X_tgt
        self.n_iter_ = 7
        return self


def warns(what):
    return pytest.warns(FutureWarning, match=re.escape(f"{what} since skdann 0.2. The old one is"))


def test_the_new_names_are_silent():
    fitted = Renamed(lr=0.5).fit([1], X_tgt=[2])
    assert (fitted.lr_, fitted.schedule_, fitted.X_tgt_, fitted.n_iter_) == (0.5, "ramp", [2], 7)


def test_a_parameter_of_a_method_has_its_old_name():
    with warns("The parameter Xt is called X_tgt") as caught:
        assert Renamed().fit([1], Xt=[2]).X_tgt_ == [2]
    assert caught[0].filename == __file__
    for both in (
        lambda: Renamed().fit([1], [2], Xt=[2]),
        lambda: Renamed().fit([1], X_tgt=1, Xt=2),
    ):
        with pytest.raises(TypeError, match="Xt is the old name of X_tgt: pass X_tgt alone"):
            both()


def test_a_note_stands_in_the_docstring():
    parsed = NumpyDocString(Renamed.fit.__doc__)
    assert "`Xt` is called `X_tgt`." in "\n".join(parsed["Extended Summary"])
    assert ".. deprecated:: 0.2" in "\n".join(parsed["Extended Summary"])
    assert [one.name for one in parsed["Parameters"]] == ["X", "X_tgt"]


def test_a_parameter_of_an_estimator_has_its_old_name():
    with warns("The parameter rate is called lr") as caught:
        assert Renamed(rate=0.3).fit([1]).lr_ == 0.3
    assert caught[0].filename == __file__


@pytest.mark.parametrize("params", [{"rate": 0.3}, {"lr": 0.3}, {}])
def test_parameters_go_round(params):
    """Nothing is warned of before `fit`, and `get_params` gives what was set."""
    estimator = Renamed().set_params(**params)
    again = pickle.loads(pickle.dumps(clone(estimator)))
    assert again.get_params() == {"lr": 0.1, "schedule": "ramp", "rate": UNSET, **params}
    assert Renamed(**again.get_params()).get_params() == again.get_params()
    assert UNSET not in repr(again)


def test_both_names_at_once_are_an_error_whose_cure_works():
    estimator = Renamed(lr=0.5, rate=0.3)
    with pytest.raises(
        ValueError, match=r"both are set: set lr alone, as in set_params\(rate='dep"
    ):
        estimator.fit([1])
    assert estimator.set_params(rate="deprecated").fit([1]).lr_ == 0.5


def test_a_value_has_its_old_name():
    with warns("schedule='slope' is called schedule='ramp'"):
        assert Renamed(schedule="slope").fit([1]).schedule_ == "ramp"


def test_an_attribute_has_its_old_name_once_it_is_there():
    assert not hasattr(Renamed(), "n_")
    with warns("The attribute n_ is called n_iter_"):
        assert Renamed().fit([1]).n_ == 7
