"""Networks of high-energy physics in Keras, with random weights, built as their papers describe them."""

from __future__ import annotations

from typing import Any


def deepjet() -> Any:
    """CMS's DeepJet: five inputs, 1x1 convolutions, three LSTMs read backwards, dense (arXiv:2008.10519)."""
    import keras
    from keras import layers

    jet, pt = keras.Input((15,), name="globalvars"), keras.Input((1,), name="reg_pt")
    charged, neutral = keras.Input((25, 16), name="cpf"), keras.Input((25, 6), name="npf")
    vertices = keras.Input((4, 12), name="vtx")

    def sequence(x: Any, filters: tuple[int, ...], units: int) -> Any:
        x = layers.BatchNormalization()(x)
        for count in filters:
            x = layers.Dropout(0.1)(layers.Conv1D(count, 1, activation="relu")(x))
        return layers.LSTM(units, go_backwards=True)(x)

    parts = [
        layers.BatchNormalization()(jet),
        sequence(charged, (64, 32, 32, 8), 150),
        sequence(neutral, (32, 16, 4), 50),
        sequence(vertices, (64, 32, 32, 8), 50),
    ]
    x = layers.Concatenate()(parts)
    for _ in range(3):
        x = layers.Dropout(0.1)(layers.BatchNormalization()(layers.Dense(100, activation="relu")(x)))
    flavour = layers.Dense(6, activation="softmax", name="flavour")(x)
    regression = layers.Dense(1, activation="relu", name="regression")(layers.Concatenate()([flavour, pt]))
    return keras.Model([jet, charged, neutral, vertices, pt], [flavour, regression])


def par04() -> Any:
    """The decoder of Geant4's Par04 example: latent variables and conditions to the voxels of a shower."""
    import keras
    from keras import layers

    inputs = [keras.Input((n,), name=name) for name, n in (("z", 10), ("energy", 1), ("angle", 1), ("geometry", 2))]
    x = layers.Concatenate()(inputs)
    for units in (100, 200, 400):
        x = layers.BatchNormalization()(layers.Dense(units, activation=layers.LeakyReLU())(x))
    return keras.Model(inputs, layers.Dense(18 * 50 * 45, activation="sigmoid", name="showers")(x))


def jet_image_autoencoder() -> Any:
    """Convolutions down to a code and transposed ones up again, for 40 x 40 calorimeter images (arXiv:1808.08992)."""
    import keras
    from keras import layers

    image = keras.Input((40, 40, 1), name="image")
    x = image
    for filters in (10, 5):
        x = layers.Conv2D(filters, 4, padding="same", activation="relu")(x)
        x = layers.AveragePooling2D(2)(x)
    x = layers.Dense(32, activation="relu", name="code")(layers.Flatten()(x))
    x = layers.Reshape((10, 10, 5))(layers.Dense(500, activation="relu")(x))
    x = layers.Conv2DTranspose(5, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(10, 4, padding="same", activation="relu")(layers.UpSampling2D(2)(x))
    return keras.Model(image, layers.Conv2D(1, 4, padding="same", activation="sigmoid", name="restored")(x))


def pfn(particles: int | None = 30) -> Any:
    """Particle flow network (arXiv:1810.05165): Phi for each particle, a masked sum, F.

    :param particles: how many, padded with zeros; None for any number.
    """
    import keras
    from keras import layers, ops

    jets = keras.Input((particles, 4), name="particles")
    x = layers.Masking()(jets)
    for units in (100, 100, 128):
        x = layers.TimeDistributed(layers.Dense(units, activation="relu"))(x)
    real = ops.cast(ops.any(ops.not_equal(jets, 0.0), axis=-1, keepdims=True), "float32")
    x = ops.sum(x * real, axis=1)
    for units in (100, 100):
        x = layers.Dense(units, activation="relu")(x)
    return keras.Model(jets, layers.Dense(2, activation="softmax", name="output")(x))


def masked_tagger() -> Any:
    """Padded tracks: a mask through an LSTM and a GRU, read in both directions."""
    import keras
    from keras import layers

    tracks = keras.Input((8, 5), name="tracks")
    x = layers.Masking()(tracks)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x)
    return keras.Model(tracks, layers.Dense(3, name="scores")(layers.GRU(7)(x)))


MODELS = {m.__name__: m for m in (deepjet, par04, jet_image_autoencoder, pfn, masked_tagger)}
