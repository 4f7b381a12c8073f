"""ONNX's own operator tests through the passes: onnxruntime gives the same numbers before and after."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from small_models import assert_same_numbers

from rewrite.api import prepare

#: Of the 1884, some of each kind of attribute, rank, and optional input; all of them take a minute.
_NAMES = """
    abs acos_example add_bcast and_bcast3v1d argmax_default_axis_example averagepool_2d_ceil
    averagepool_2d_same_lower averagepool_2d_pads_count_include_pad averagepool_3d_dilations_small
    basic_conv_with_padding batchnorm_example bitshift_left_uint8 cast_DOUBLE_to_FLOAT celu clip_default_inbounds
    concat_2d_axis_negative_1 conv_with_autopad_same conv_with_strides_and_asymmetric_padding
    convtranspose_autopad_same convtranspose_output_shape convtranspose_group_2 cumsum_2d_axis_1
    depthtospace_crd_mode_example dropout_default dropout_default_mask einsum_batch_diagonal elu_example
    expand_dim_changed eyelike_with_dtype flatten_axis2 gather_elements_1 gathernd_example_int32_batch_dim1
    gelu_tanh_1 gemm_default_single_elem_vector_bias gemm_transposeB group_normalization_epsilon gru_seq_length
    hardmax_axis_1 hardsigmoid if instancenorm_epsilon layer_normalization_3d_axis1_epsilon logsoftmax_axis_1 loop11
    lstm_with_peepholes maxpool_2d_same_upper maxpool_with_argmax_2d_precomputed_pads mish mod_mixed_sign_int32 mvn
    nllloss_NCd1_mean_weight_negative_ii nonzero_example reflect_pad pow_bcast_scalar prelu_broadcast
    range_int32_type_negative_delta reduce_l2_default_axes_keepdims_example reduce_sum_empty_axes_input_noop
    reshape_allowzero_reordered reshape_zero_and_negative_dim resize_downsample_scales_linear_align_corners
    resize_upsample_sizes_nearest_floor_align_corners reversesequence_time rnn_seq_length scan9_sum
    scatter_elements_with_duplicate_indices selu shape_clip_end size_example slice_default_steps slice_neg_steps
    softmax_axis_1_expanded spacetodepth split_variable_parts_2d_opset18 squeeze_negative_axes swiglu tile
    top_k_smallest transpose_all_permutations_3 tril_neg triu_pos unsqueeze_three_axes upsample_nearest
    where_example xor_bcast4v2d
"""
NAMES = _NAMES.split()


def test_numbers_stay() -> None:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it computes infinities on purpose
        tests = {t.name.removeprefix("test_"): t for t in load_model_tests(kind="node")}
    done = 0
    for name in NAMES:
        if name not in tests:
            continue  # of another onnx
        model, sets = tests[name].model, tests[name].data_sets
        assert model is not None
        assert sets is not None
        arrays = {
            info.name: np.asarray(numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else a)
            for info, a in zip(model.graph.input, sets[0][0], strict=True)
        }
        assert_same_numbers(model, prepare(model).write(), arrays, rtol=1e-5, atol=1e-6)
        done += 1
    assert done > 60
