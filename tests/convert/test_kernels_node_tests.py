"""The ONNX package's tests of the operators that the library has kernels for, through the pipeline."""

from __future__ import annotations

import pytest

from convert.conformance import WAYS, run
from rewrite.bodies import CONTROL
from sofie_bridge.grid import node_cases
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.library import library

#: Tests that are refused whichever way the inputs are given, and those that are only if all are given at run time.
REFUSED = {
    "test_compress_bfloat16",  # of opset 28
    "test_unique_bfloat16_sorted_without_axis",
    "test_range_float16_type_positive_delta_expanded",  # float16 in a Loop
    "test_range_bfloat16_type_positive_delta_expanded",
    "test_loop11",  # a Slice of run-time bounds in a Loop: right where its nodes are measured first
    "test_causal_conv_with_state_kernel_size_one_expanded",  # gives no elements
    "test_slice_start_out_of_bounds",
    "test_resize_downsample_scales_linear_align_corners",  # ONNX's evaluator and onnxruntime differ
    "test_resize_downsample_scales_cubic_align_corners",
    "test_roialign_mode_max",
    "test_scan_sum",  # of opset 8
}
REFUSED_AT_RUN_TIME = {
    *(f"test_center_crop_pad_{how}_expanded" for how in ("crop", "pad", "crop_and_pad", "crop_axes_hwc")),
    *(f"test_center_crop_pad_crop_{how}_expanded" for how in ("negative_axes_hwc", "axes_chw")),
    *(f"test_slice_{how}" for how in ("default_axes", "default_steps", "negative_axes")),  # outputs of unknown size
    *(f"test_affine_grid_{k}d{corners}_expanded" for k in (2, 3) for corners in ("", "_align_corners")),
    *(f"test_resize_upsample_scales_{how}" for how in ("linear_align_corners", "cubic_align_corners")),
    *(f"test_resize_{way}sample_scales_linear_half_pixel_symmetric" for way in ("up", "down")),
    *(f"test_resize_tf_crop_and_resize{how}" for how in ("", "_extrapolation_value", "_axes_2_3", "_axes_3_2")),
}


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_right_or_refused(way: str) -> None:
    names = {entry.name for entry in library().values()} | CONTROL
    cases = [c for c in node_cases() if any(n.op_type in names for n in c.model.graph.node)]
    assert len(cases) > 100
    with Sofie() as sofie:
        results = list(run(cases, constants=way == "constants", sofie=sofie))
    wrong = [f"{r.name}: {r.outcome}: {r.words}" for r in results if r.outcome not in ("right", "refused")]
    assert not wrong, "\n".join(wrong)
    expected = REFUSED | (REFUSED_AT_RUN_TIME if way == "run time" else set())
    assert {r.name for r in results if r.outcome == "refused"} == expected
