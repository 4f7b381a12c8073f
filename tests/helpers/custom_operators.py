"""Operators with C++ of their own, for tests: of several outputs, of mixed dtypes, of sizes that change."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.custom import Counted, CustomOperator, Tensor, custom_operator

SCALE = """
#include <cstddef>
#include <span>
struct Scale {
   static void Compute(auto const &node, std::span<float const> x, std::span<float> y)
   {
      for (std::size_t i = 0; i < x.size(); ++i)
         y[i] = x[i] * node.attributes.by;
   }
};
"""

SPLIT = """
#include <algorithm>
#include <cstddef>
#include <span>
namespace hep {
struct Split {
   static void Compute(auto const &node, std::span<float const> x, std::span<float> a, std::span<float> b)
   {
      std::size_t const rows = node.inputs[0][0], left = node.outputs[0][1], right = node.outputs[1][1];
      for (std::size_t i = 0; i < rows; ++i) {
         std::copy_n(x.begin() + i * (left + right), left, a.begin() + i * left);
         std::copy_n(x.begin() + i * (left + right) + left, right, b.begin() + i * right);
      }
   }
};
} // namespace hep
"""

BEST = """
#include <algorithm>
#include <cstdint>
#include <span>
namespace Best {
inline void Compute(auto const &node, std::span<float const> x, std::span<float> best, std::span<std::int64_t> where)
{
   std::size_t const width = node.inputs[0][1];
   for (std::size_t i = 0; i < best.size(); ++i) {
      auto const *row = x.data() + i * width;
      where[i] = std::max_element(row, row + width) - row;
      best[i] = row[where[i]];
   }
}
} // namespace Best
"""

PAIRS = """
#include <cstdint>
#include <span>
struct Pairs {
   template <class Node>
   static void Compute(Node const &node, std::span<float const> a, std::span<std::int64_t const> k, std::span<float> y,
                       std::span<std::uint8_t> mask)
   {
      constexpr auto offset = Node::attributes.offsets[1];
      std::size_t const width = node.inputs[0][1];
      for (std::size_t i = 0; i < y.size(); ++i)
         y[i] = a[i / (2 * width) * width + i % width] * node.attributes.scale + offset;
      for (std::size_t i = 0; i < mask.size(); ++i)
         mask[i] = k[i] > 0;
   }
};
"""

POSITIVE = """
#include <cstdint>
#include <span>
struct Positive {
   static std::size_t Compute(auto const &node, std::span<float const> x, std::span<float> y, std::span<std::int64_t> at)
   {
      std::size_t const rows = node.inputs[0][0], width = node.inputs[0][1];
      std::size_t found = 0;
      for (std::size_t i = 0; i < rows; ++i)
         if (x[i * width] > 0) {
            for (std::size_t j = 0; j < width; ++j)
               y[found * width + j] = x[i * width + j];
            at[found++] = std::int64_t(i);
         }
      return found;
   }
};
"""

WEIGHTED = """
#include <span>
struct Weighted {
   static void Compute(std::span<float const> x, std::span<float const> w, std::span<float> y)
   {
      for (std::size_t i = 0; i < y.size(); ++i)
         y[i] = x[i] * w[i % w.size()];
   }
};
"""


def declare() -> dict[str, CustomOperator]:
    """Declare them, by their names; within :func:`convert.custom.declared_for`, which forgets them."""

    @custom_operator("test::Scale", code=SCALE)
    def scale(x: Any, *, by: float) -> Any:
        return x

    scale.numpy(lambda x, *, by: x * np.float32(by))

    @custom_operator("test::Split", code=SPLIT, cpp="hep::Split")
    def split(x: Any, *, at: int) -> Any:
        rows, width = x.shape
        return x.like(shape=(rows, at)), x.like(shape=(rows, width - at))

    split.numpy(lambda x, *, at: (x[:, :at], x[:, at:]))

    @custom_operator("test::Best", code=BEST)
    def best(x: Any) -> Any:
        return x.like(shape=x.shape[:1]), Tensor("int64", x.shape[:1])

    best.numpy(lambda x: (x.max(1), x.argmax(1)))

    @custom_operator("test::Pairs", code=PAIRS)
    def pairs(a: Any, k: Any, *, scale: float = 1.0, names: Any = ("u", "v"), offsets: Any = (1, 2)) -> Any:
        rows, width = a.shape
        return a.like(shape=(2 * rows, width)), Tensor("bool", (rows,))

    def paired(a: Any, k: Any, *, scale: float, names: Any, offsets: Any) -> Any:
        return np.repeat(a, 2, 0) * np.float32(scale) + np.float32(offsets[1]), k > 0

    pairs.numpy(paired)

    @custom_operator("test::Positive", code=POSITIVE)
    def positive(x: Any) -> Any:
        found = Counted("M", at_most=x.shape[0])
        return x.like(shape=(found, x.shape[1])), Tensor("int64", (found,))

    def picked(x: Any) -> Any:
        at = np.flatnonzero(x[:, 0] > 0)
        return x[at], at

    positive.numpy(picked)

    @custom_operator("test::Weighted", code=WEIGHTED)
    def weighted(x: Any, w: Any) -> Any:
        return x

    weighted.numpy(lambda x, w: x * w)
    return {o.name: o for o in (scale, split, best, pairs, positive, weighted)}
