"""DANN with adapt 0.4 (TensorFlow): upright digits to tilted digits."""

import numpy as np
from adapt.feature_based import DANN
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from tensorflow import keras
from tensorflow.keras.layers import Dense, Dropout

images, labels = load_digits().images.astype("float32") / 16, load_digits().target
X_src, y_src = images[:900].reshape(900, 64), labels[:900]
tilted = rotate(images[900:], 20, axes=(2, 1), reshape=False, order=1)
X_tgt, y_tgt = tilted.reshape(897, 64), labels[900:]

keras.utils.set_random_seed(0)
model = DANN(
    encoder=keras.Sequential([Dense(100, activation="relu"), Dropout(0.5)]),
    task=keras.Sequential([Dense(10, activation="softmax")]),
    discriminator=keras.Sequential(
        [Dense(100, activation="relu"), Dropout(0.5), Dense(1, activation="sigmoid")]
    ),
    lambda_=1.0, Xt=X_tgt, loss="categorical_crossentropy",
    optimizer=keras.optimizers.Adam(0.001), verbose=0,
)  # fmt: skip
model.fit(X_src, keras.utils.to_categorical(y_src), epochs=70, batch_size=64)

predicted = model.predict(X_tgt).argmax(axis=1)
print(f"target accuracy {np.mean(predicted == y_tgt):.3f}")
