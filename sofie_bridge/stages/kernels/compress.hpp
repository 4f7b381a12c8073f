#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sofie_kernels {
struct Compress {
   template <class T>
   static std::size_t
   Compute(auto const &node, std::span<T const> x, std::span<std::uint8_t const> condition, std::span<T> y)
   {
      auto const shape = node.inputs[0];
      std::int64_t const axis = node.attributes.axis;
      std::size_t outer = 1, length = x.size(), inner = 1;
      if (axis >= 0) {
         length = shape[axis];
         for (std::size_t k = 0; k < shape.size(); ++k)
            (std::int64_t(k) < axis ? outer : inner) *= std::int64_t(k) == axis ? 1 : shape[k];
      }
      length = std::min(length, condition.size());
      std::size_t const stride = axis >= 0 ? shape[axis] : x.size();
      std::size_t const count = length - std::count(condition.begin(), condition.begin() + length, 0);
      if (outer * count * inner > y.size())
         return count;
      std::size_t written = 0;
      for (std::size_t o = 0; o < outer; ++o)
         for (std::size_t i = 0; i < length; ++i)
            if (condition[i]) {
               std::copy_n(x.begin() + (o * stride + i) * inner, inner, y.begin() + written);
               written += inner;
            }
      return count;
   }
};
} // namespace sofie_kernels
