"""
Two DataFrames: hospitals with other devices
============================================

The patients of one hospital are labelled, those of another are not. The second hospital's devices
are off, and more of its values are missing. Here are all steps from two DataFrames to predictions
and a judgement of them.
"""

# %%
# The rows
# --------
# Numbers, text and missing values. The labels of the target, `y_tgt`, are for the last line of this
# page only. The data are made.

# sphinx_gallery_thumbnail_number = 2

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from skdann import adaptation_report
from skdann.datasets import make_hospitals
from skdann.displays import DomainConfusionDisplay, EmbeddingDisplay, FeatureShiftDisplay
from skdann.pipeline import make_dann_pipeline

X_src, y_src, X_tgt, y_tgt = make_hospitals(random_state=0)
X_src.head()

# %%
X_tgt.head()

# %%
# What has moved?
# ---------------
# A first look needs no fit. The measurements have moved by a lot, the text columns hardly: a bar
# that ends at the black tick can be chance. The diamond shows that values of one column are missing
# more often in one domain than in the other.

display = FeatureShiftDisplay.from_data(X_src, X_tgt)

# %%
# The fit
# -------
# `make_dann_pipeline` puts the steps in front of a `DANNClassifier`. They are fitted to the source
# and transform both domains. By default the strength of adaptation and the scaling of the columns
# are chosen without target labels, and the verdict says how.

numbers = SimpleImputer(), make_column_selector(dtype_include="number")
text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
columns = make_column_transformer(numbers, remainder=text)

model = make_dann_pipeline(columns, random_state=0).fit(X_src, y_src, X_tgt)
print(model.verdict_)

# %%
# The predictions
# ---------------

predictions = X_tgt.assign(
    prediction=model.predict(X_tgt), sick=model.predict_proba(X_tgt)[:, 1].round(2)
)
predictions[["age", "chest_pain", "prediction", "sick"]].head()

# %%
# A report
# --------
# The report fits two networks to two thirds of the rows, one of them without adaptation. It
# measures on the other third what adaptation has changed.

print(adaptation_report(model, X_src, y_src, X_tgt))

# %%
# The embedding, before and after
# -------------------------------
# The network without adaptation, made by the same steps, is the "before". Colours by class are the
# predicted ones, since labels are not known.

source_only = make_dann_pipeline(columns, lambda_max=0, random_state=0).fit(X_src, y_src, X_tgt)
display = EmbeddingDisplay.from_estimator(
    model, X_src, y_src, X_tgt, baseline=source_only, max_points=400
)

# %%
# Can the domains still be told apart?
# ------------------------------------
# The histograms show the probability that a row is a target row, as a new linear classifier sees it
# that was trained to tell. The two in a panel lie apart where the domains differ. The report says
# that the network's own domain classifier is misled. A new classifier that looks at all numbers of
# the embedding can still tell the domains, though less surely: the two directions shown above are
# the largest, not the only ones.

display = DomainConfusionDisplay.from_estimator(model, X_src, X_tgt)

# %%
# Was it right?
# -------------
# Only here are the target's labels used.

print(f"source only: target accuracy {source_only.score(X_tgt, y_tgt):.3f}")
print(f"adapted:     target accuracy {model.score(X_tgt, y_tgt):.3f}")
