"""Preprocessing of images; augmentation, which at inference leaves images as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.sweep.case import BATCH, Case
from convert.sweep.keras_cases.build import built, each, layer, whole

IMAGE = (8, 6, 3)
#: Numbers as images have them.
_PIXELS = [whole(IMAGE, 0, 256)]
#: Numbers whose bin in a histogram is plain.
_BETWEEN = [whole(IMAGE, 0, 255) + 0.5]

#: Random at training; each with the arguments it wants.
RANDOM: dict[str, dict[str, Any]] = {
    "AugMix": {},
    "RandAugment": {},
    "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 5, "width": 4},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.3},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.1},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.1},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
}


def cases() -> list[Case]:
    return [*_sizes(), *_colours(), *_augmentation()]


def _sizes() -> list[Case]:
    small: dict[str, Any] = {"height": 5, "width": 4}
    large: dict[str, Any] = {"height": 11, "width": 9}
    kinds = [{"interpolation": i} for i in ("nearest", "bicubic", "lanczos3", "lanczos5", "area")]
    return [
        *each("Resizing", IMAGE, small, *kinds, {"antialias": True}, {"antialias": True, "interpolation": "bicubic"},
              {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}),
        *each("Resizing", IMAGE, large, *kinds[:2], {"antialias": True}, {"crop_to_aspect_ratio": True},
              {"pad_to_aspect_ratio": True}),
        layer("Resizing", (3, 8, 6), **small, data_format="channels_first"),
        *each("CenterCrop", IMAGE, small, {"height": 6}),
        layer("CenterCrop", IMAGE, height=10, width=7, words="larger than the image"),
        layer("CenterCrop", (3, 8, 6), **small, data_format="channels_first"),
        layer("RandomCrop", IMAGE, height=10, width=7, words="larger than the image"),
    ]  # fmt: skip


def _colours() -> list[Case]:
    pixels: dict[str, Any] = {"samples": _PIXELS}
    return [
        *each("AutoContrast", IMAGE, {}, {"value_range": (0, 1)}, **pixels),
        *each("Solarization", IMAGE, {}, {"addition_factor": 0.3, "threshold_factor": 0.5}, **pixels),
        # Keras cannot put this one into a functional model: it gives back its own input while it is built
        *(built("Equalization", words, IMAGE, _within("Equalization", **given), samples=_BETWEEN)
          for words, given in (("in Lambda", {}), ("in Lambda, bins=16", {"bins": 16}))),
        *each("ContrastLimitedAdaptiveHistogramEqualization", IMAGE, {"tile_grid_size": (2, 2)}, samples=_BETWEEN),
    ]  # fmt: skip


def _within(name: str, **given: Any) -> Callable[..., Any]:
    def call(keras: Any, x: Any) -> Any:
        made = getattr(keras.layers, name)(**given)
        return keras.layers.Lambda(lambda t: made(t))(x)

    return call


def _augmentation() -> list[Case]:
    labels = np.eye(4)[np.arange(BATCH)]

    def mixed(name: str) -> Case:
        def call(k: Any, images: Any, labels: Any) -> Any:
            done = getattr(k.layers, name)()({"images": images, "labels": labels})
            return [done["images"], done["labels"]]

        return built(name, "images and labels", [IMAGE, (4,)], call, samples=[_PIXELS[0], labels])

    return [
        *(layer(name, IMAGE, samples=_PIXELS, **given) for name, given in RANDOM.items()),
        mixed("MixUp"),
        mixed("CutMix"),
        built("MaxNumBoundingBoxes", "max_number=3", [IMAGE, (5, 4), (5,)], _boxes),
        built("Pipeline", "Rescaling, RandomFlip, Resizing", IMAGE, _pipeline, samples=_PIXELS),
    ]


def _boxes(keras: Any, images: Any, boxes: Any, labels: Any) -> Any:
    made = keras.layers.MaxNumBoundingBoxes(max_number=3, bounding_box_format="xyxy")
    done = made({"images": images, "bounding_boxes": {"boxes": boxes, "labels": labels}})
    return [done["images"], done["bounding_boxes"]["boxes"], done["bounding_boxes"]["labels"]]


def _pipeline(keras: Any, x: Any) -> Any:
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip(), keras.layers.Resizing(4, 4)]
    return keras.layers.Pipeline(layers)(x)
