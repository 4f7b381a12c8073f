"""Preprocessing of numbers, categories, text and sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.sweep.case import BATCH, Case
from convert.sweep.keras_cases.build import built, each, layer, whole

_STRINGS = "string"
_HASHES = "hash"


def cases() -> list[Case]:
    return [*_numbers(), *_categories(), *_text(), *_sound()]


def _numbers() -> list[Case]:
    bins: dict[str, Any] = {"bin_boundaries": [-1.0, 0.0, 0.5, 2.0]}
    return [
        *each("Discretization", (4,), bins, {"output_mode": "one_hot"}, {"output_mode": "multi_hot"},
              {"output_mode": "count"}),
        layer("Discretization", (4,), dtype="int32", words="int input", **bins),
        built("Discretization", "adapted", (4,), _discretized),
        layer("Rescaling", (4, 3), scale=1 / 255),
        layer("Rescaling", (4, 3, 2), scale=0.5, offset=-1.0),
        built("Rescaling", "scale and offset of each channel", (4, 3),
              lambda k, x: k.layers.Rescaling([0.5, 2.0, 1.0], [1.0, 0.0, -1.0])(x)),
        built("Rescaling", "uint8", (4, 3), lambda k, x: k.layers.Rescaling(1 / 255)(x), dtype="uint8"),
    ]  # fmt: skip


def _discretized(keras: Any, x: Any) -> Any:
    made = keras.layers.Discretization(num_bins=4)
    made.adapt(np.random.default_rng(3).normal(0, 1, (50, 4)).astype(np.float32))
    return made(x)


def _categories() -> list[Case]:
    numbers: dict[str, Any] = {"dtype": "int32", "samples": [whole((4,), 0, 5)]}
    vocabulary: dict[str, Any] = {"vocabulary": [12, 3, 7, 40]}
    known = np.array([[12, 3, 99, 40], [7, 7, 0, 12], [1, 2, 3, 4]])
    integers: dict[str, Any] = {"dtype": "int64", "samples": [known]}
    found = each(
        "CategoryEncoding", (4,), {"num_tokens": 5},
        {"output_mode": "one_hot"}, {"output_mode": "count"}, **numbers,
    )  # fmt: skip
    found.append(layer("CategoryEncoding", (1,), num_tokens=5, output_mode="one_hot", words="one", dtype="int32",
                       samples=[whole((1,), 0, 5)]))  # fmt: skip
    weights = np.linspace(0.5, 2.0, 4 * BATCH).reshape(BATCH, 4)
    found.append(
        built("CategoryEncoding", "count_weights", [(4,), (4,)],
              lambda k, x, w: k.layers.CategoryEncoding(num_tokens=5, output_mode="count")(x, count_weights=w),
              dtype=("int32", "float32"), samples=[whole((4,), 0, 5), weights])
    )  # fmt: skip
    return [
        *found,
        *each("IntegerLookup", (4,), vocabulary, {"mask_token": 0}, {"num_oov_indices": 2},
              {"output_mode": "multi_hot"}, {"output_mode": "count"}, {"output_mode": "one_hot"}, **integers),
        layer("IntegerLookup", (4,), **vocabulary, num_oov_indices=0, dtype="int64",
              samples=[np.array([12, 3, 7, 40])[whole((4,), 0, 4)]]),
        layer("IntegerLookup", (1,), **vocabulary, output_mode="one_hot", words="one", dtype="int64",
              samples=[known[:, :1]]),
        *each("IntegerLookup", (4,), {**vocabulary, "invert": True}, dtype="int64", samples=[whole((4,), 0, 5)]),
        layer("Hashing", (4,), num_bins=5, dtype="int64", refuses=_HASHES),
        layer("Hashing", (4,), num_bins=5, salt=3, words="strings", dtype="string", refuses=_STRINGS),
        layer("HashedCrossing", [(1,), (1,)], num_bins=5, dtype="int64", refuses=_HASHES),
    ]  # fmt: skip


def _text() -> list[Case]:
    words: dict[str, Any] = {"vocabulary": ["a", "b", "c"]}
    return [
        *each("StringLookup", (4,), words, {"output_mode": "multi_hot"}, dtype="string", refuses=_STRINGS),
        layer("StringLookup", (4,), **words, invert=True, dtype="int64", refuses=_STRINGS),
        layer("TextVectorization", (1,), **words, dtype="string", refuses=_STRINGS),
        layer("TextVectorization", (1,), **words, output_mode="tf_idf", idf_weights=[0.5, 1.0, 2.0], dtype="string",
              refuses=_STRINGS),
    ]  # fmt: skip


def _sound() -> list[Case]:
    spectrum: dict[str, Any] = {"frame_length": 16, "frame_step": 8, "fft_length": 32}
    mel: dict[str, Any] = {
        "fft_length": 32,
        "sequence_stride": 8,
        "sampling_rate": 1000,
        "num_mel_bins": 6,
        "max_freq": 400.0,
    }
    return [
        *each("STFTSpectrogram", (64, 1), spectrum, {"mode": "magnitude"}, {"mode": "psd"},
              {"mode": "real"},
              {"mode": "imag"}, {"mode": "angle"}, {"mode": "stft"}),
        *each("STFTSpectrogram", (64, 1), {**spectrum, "mode": "magnitude"}, {"padding": "same"}, {"window": "hamming"},
              {"scaling": "spectrum"}, {"expand_dims": True}, {"window": None}, words="more"),
        layer("STFTSpectrogram", (64, 2), **spectrum, mode="magnitude", words="2 channels"),
        *each("MelSpectrogram", (64,), mel, {"power_to_db": False}, {"mag_exp": 1.0}, {"window": "hamming"}),
        layer("MelSpectrogram", (64,), **mel, sequence_length=24),
    ]  # fmt: skip
