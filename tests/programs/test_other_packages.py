"""skdann together with other packages. `make programs` runs this, in an environment that has them.

Each test does what `docs/guide/meta_estimators.md` says in the row of the package.
"""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import StandardScaler, TargetEncoder

from skdann import DANNClassifier
from skdann.datasets import make_hospitals, make_rotated_moons
from skdann.metrics import InfoMaxScorer, ReverseValidation
from skdann.model_selection import without_target
from skdann.pipeline import make_dann_pipeline

pytestmark = [pytest.mark.programs, pytest.mark.filterwarnings("default")]

X, Y, X_TGT, Y_TGT = make_rotated_moons(n_samples=120, random_state=0)
TABLE, SICK, TABLE_TGT, _ = make_hospitals(n_samples=200, random_state=0)
DANN = {"lambda_max": 0.1, "max_epochs": 3, "random_state": 0}


def adapts(pipe, target):
    assert pipe[-1].n_domains_ == 2
    assert len(pipe.predict(target)) == len(target)


def test_table_vectorizer_of_skrub():
    from skrub import TableVectorizer

    pipe = make_dann_pipeline(TableVectorizer(), _gaps(), StandardScaler(), **DANN)
    adapts(pipe.fit(TABLE, SICK, TABLE_TGT), TABLE_TGT)


def test_table_report_of_skrub_and_its_encoders_of_text():
    from skrub import StringEncoder, TableVectorizer

    vectors = TableVectorizer(low_cardinality=StringEncoder(n_components=2))
    pipe = make_dann_pipeline(vectors, _gaps(), **DANN)
    adapts(pipe.fit(TABLE, SICK, TABLE_TGT), TABLE_TGT)


def _gaps():
    from sklearn.impute import SimpleImputer

    return SimpleImputer()


def test_target_encoder_of_scikit_learn():
    from sklearn.compose import make_column_selector, make_column_transformer

    class Encoder(TargetEncoder):
        def fit_transform(self, X, y):
            with sklearn.config_context(enable_metadata_routing=False):
                return super().fit_transform(X, y)

    encode = make_column_transformer(
        (_gaps(), make_column_selector(dtype_include="number")), remainder=Encoder()
    )
    adapts(make_dann_pipeline(encode, **DANN).fit(TABLE, SICK, TABLE_TGT), TABLE_TGT)


@pytest.mark.parametrize("name", ["TargetEncoder", "OrdinalEncoder", "CountEncoder"])
def test_category_encoders(name):
    import category_encoders

    encoder = getattr(category_encoders, name)()
    pipe = make_dann_pipeline(encoder, _gaps(), StandardScaler(), **DANN)
    adapts(pipe.fit(TABLE, (SICK == "sick").astype(int), TABLE_TGT), TABLE_TGT)


def test_feature_engine():
    from feature_engine.encoding import OneHotEncoder
    from feature_engine.imputation import CategoricalImputer, MeanMedianImputer

    pipe = make_dann_pipeline(MeanMedianImputer(), CategoricalImputer(), OneHotEncoder(), **DANN)
    adapts(pipe.fit(TABLE, SICK, TABLE_TGT), TABLE_TGT)


@pytest.mark.parametrize("name", ["SMOTE", "RandomOverSampler", "RandomUnderSampler"])
def test_samplers_of_imbalanced_learn(name):
    import imblearn.over_sampling
    import imblearn.under_sampling
    from imblearn.pipeline import make_pipeline

    module = imblearn.under_sampling if "Under" in name else imblearn.over_sampling
    rare = np.r_[np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:15]]
    sampler = getattr(module, name)(random_state=0)
    pipe = make_pipeline(sampler, make_dann_pipeline(StandardScaler(), **DANN))
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(X[rare], Y[rare], X_tgt=X_TGT)
    adapts(pipe[-1], X_TGT)


@pytest.mark.parametrize("name", ["BalancedBaggingClassifier", "EasyEnsembleClassifier"])
def test_ensembles_of_imbalanced_learn(name):
    import imblearn.ensemble

    bound = DANNClassifier(**DANN).with_target(X_TGT, X)
    ensemble = getattr(imblearn.ensemble, name)(estimator=bound, n_estimators=2, random_state=0)
    assert ensemble.fit(X, Y).predict(X_TGT).shape == (120,)


def test_optuna_chooses_by_reverse_validation():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    score = ReverseValidation()

    def objective(trial):
        lambda_max = trial.suggest_float("lambda_max", 0.01, 1.0, log=True)
        clf = DANNClassifier(lambda_max=lambda_max, max_epochs=2, random_state=0)
        return score(clf.fit(X[:80], Y[:80], X_TGT), X[80:], Y[80:], X_TGT)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    assert 0 <= study.best_value <= 1


def test_shap_explains_predictions():
    import shap

    clf = DANNClassifier(**DANN).fit(X, Y, X_TGT)
    kernel = shap.KernelExplainer(clf.predict_proba, X_TGT[:20])
    values = kernel.shap_values(X_TGT[:3], silent=True)
    assert np.shape(values) == (3, 2, 2)
    # What shap is for: the values of a row add up to its prediction.
    total = values.sum(axis=1) + kernel.expected_value
    np.testing.assert_allclose(total, clf.predict_proba(X_TGT[:3]), atol=1e-4)
    permutation = shap.Explainer(clf.predict_proba, X_TGT[:20])(X_TGT[:3])
    assert permutation.values.shape == (3, 2, 2)


def _skops_types(file):
    import skops.io

    return skops.io.get_untrusted_types(file=file)


@pytest.mark.parametrize("form", ["pickle", "cloudpickle", "skops"])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_mlflow_saves_and_loads(tmp_path, form, in_pipeline):
    import mlflow.sklearn

    clf = DANNClassifier(**DANN)
    if in_pipeline:
        clf = make_dann_pipeline(StandardScaler(), clf)
    clf.fit(X, Y, X_TGT)
    path = tmp_path / "model"
    given = {"serialization_format": form}
    if form == "skops":
        import skops.io

        skops.io.dump(clf, tmp_path / "once.skops")
        given["skops_trusted_types"] = _skops_types(tmp_path / "once.skops")
    mlflow.sklearn.save_model(clf, path, **given)
    loaded = mlflow.sklearn.load_model(str(path))
    np.testing.assert_array_equal(loaded.predict_proba(X_TGT), clf.predict_proba(X_TGT))
    as_function = mlflow.pyfunc.load_model(str(path))
    np.testing.assert_array_equal(as_function.predict(X_TGT), clf.predict(X_TGT))


@pytest.mark.parametrize(
    ("package", "name"), [("lightgbm", "LGBMClassifier"), ("xgboost", "XGBClassifier")]
)
def test_trees_vote_beside_it(package, name):
    trees = getattr(pytest.importorskip(package), name)(n_estimators=5, n_jobs=1)
    bound = DANNClassifier(**DANN).with_target(X_TGT)
    vote = VotingClassifier([("dann", bound), ("trees", trees)], voting="soft").fit(X, Y)
    assert vote.predict(X_TGT).shape == (120,)
    lighter = pickle.loads(pickle.dumps(without_target(vote)))
    np.testing.assert_array_equal(lighter.predict(X_TGT), vote.predict(X_TGT))


@pytest.mark.parametrize(
    ("package", "name"), [("lightgbm", "LGBMClassifier"), ("xgboost", "XGBClassifier")]
)
def test_trees_learn_from_the_embedding_and_are_scored(package, name):
    trees = getattr(pytest.importorskip(package), name)(n_estimators=5, n_jobs=1)
    pipe = make_dann_pipeline(DANNClassifier(**DANN), trees).fit(X, Y, X_TGT)
    assert pipe.predict(X_TGT).shape == (120,)
    assert np.isfinite(InfoMaxScorer()(pipe, X, Y, X_TGT))
