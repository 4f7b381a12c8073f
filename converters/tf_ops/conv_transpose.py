"""Conv*DBackpropInput, as transposed convolutions have it, with sizes that strides leave open.

Several sizes give one and the same size when a convolution strides over them; TensorFlow says which is meant. tf2onnx
writes one that is larger than ONNX's as negative padding, which ONNX refuses.
"""

from __future__ import annotations

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def conv_transpose(g: Builder, node: TfNode) -> str:
    """y = ConvTranspose(x, W), of (i - 1) stride + (k - 1) dilation + 1 elements from i, cut or continued to fit"""
    sizes, weights, x, *bias = node.inputs  # tf2onnx puts a bias that is added there, too
    before, after, kernel = node.shape(x), node.shape(node.outputs[0]), node.shape(weights)
    if before is None or after is None or kernel is None:
        raise NotImplementedError("a transposed convolution of unknown rank")
    rank = len(kernel) - 2
    first = node.attr("data_format", b"NHWC") in (b"NCHW", b"NCDHW")
    spatial = slice(2, 2 + rank) if first else slice(1, 1 + rank)
    strides = list(node.attr("strides"))[spatial]
    dilations = list(node.attr("dilations", [1] * (rank + 2)))[spatial]
    known = node.value(sizes)
    wanted = after[spatial] if known is None else tuple(int(d) for d in known[spatial])
    if None in before[spatial] or None in wanted or None in kernel[:rank]:
        raise NotImplementedError("a transposed convolution of an image whose size is known at run time only")
    begins, ends, more = [], [], []
    for i, o, k, s, d in zip(before[spatial], wanted, kernel, strides, dilations, strict=False):
        left = (int(i or 0) - 1) * s + (int(k or 0) - 1) * d + 1 - int(o or 0)
        begin = left // 2 if left > 0 and node.attr("padding") == b"SAME" else 0
        begins.append(begin)
        ends.append(max(left - begin, 0))
        more.append(max(begin - left, 0))
    given = {"strides": strides, "dilations": dilations, "pads": begins + ends, "kernel_shape": list(kernel[:rank])}
    channels_first = [0, rank + 1, *range(1, rank + 1)]
    channels_last = [0, *range(2, rank + 2), 1]
    turned = x if first else g.Transpose(x, perm=channels_first)
    filters = g.Transpose(weights, perm=[rank + 1, rank, *range(rank)])
    y = g.ConvTranspose(turned, filters, *bias, output_padding=more, **given)
    return str(y if first else g.Transpose(y, perm=channels_last))
