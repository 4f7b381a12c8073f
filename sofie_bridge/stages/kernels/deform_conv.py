"""DeformConv."""

from __future__ import annotations

from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_PLAIN = "(float[N,2,H,5] x, float[3,2,2,3] w, float[N,12,P,3] o) => (float[N,3,P,3] y)"
_FULL = (
    "(float[N,4,5,6] x, float[6,2,3,2] w, float[N,24,3,3] o, float[6] b, float[N,12,3,3] m) => (float[N,6,3,3] y)"
    "{ y = DeformConv<group=2, offset_group=2, strides=[2,2], pads=[1,0,1,1], kernel_shape=[3,2]>(x, w, o, b, m) }"
)


@kernel(
    "DeformConv",
    cases=[
        case(f"{_PLAIN} {{ y = DeformConv(x, w, o) }}", refuses="heights"),
        case(
            "(float[N,2,4,5] x, float[3,2,2,3] w, float[N,12,3,3] o) => (float[N,3,3,3] y)"
            "{ y = DeformConv<dilations=[1,1]>(x, w, o) }"
        ),
        case(_FULL),
        case(
            "(double[N,1,5,4] x, double[1,1,2,2] w, double[N,8,3,4] o) => (double[N,1,3,4] y)"
            "{ y = DeformConv<dilations=[2,1], pads=[0,0,0,1]>(x, w, o) }"
        ),
    ],
)
def deform_conv(given: Given) -> Answer:
    """y = a convolution whose kernel's elements each look aside by an offset of their own, times a mask"""
    x, w, offset = given.tensor(0), given.tensor(1), given.tensor(2)
    if len(x.shape) != 4:
        return refuse("of an image with one or three axes there is nothing to compare with")
    if x.dtype not in ("float32", "float64"):
        return refuse(f"there is nothing to compare with: onnxruntime has none of {x.dtype}")
    held = given.attributes
    pads, strides = [int(p) for p in held.get("pads", [0] * 4)], [int(s) for s in held.get("strides", [1, 1])]
    dilations = [int(d) for d in held.get("dilations", [1, 1])]
    sizes = tuple(
        (x.shape[k + 2] + pads[k] + pads[k + 2] - dilations[k] * (w.shape[k + 2] - 1) - 1) // strides[k] + 1
        for k in range(2)
    )
    if sizes != tuple(offset.shape[2:]):
        return refuse(f"its offsets have other heights and widths than its result, as far as is known: {sizes}")
    attributes = {
        "group": int(held.get("group", 1)),
        "offset_group": int(held.get("offset_group", 1)),
        "pads": pads[:2],
        "strides": strides,
        "dilations": dilations,
    }
    return Gives((x.like(shape=(x.shape[0], w.shape[0], *sizes)),), attributes)
