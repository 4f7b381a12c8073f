#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sofie_kernels {
struct TopK {
   template <class Node, class T>
   static std::size_t Compute(Node const &node, std::span<T const> x, std::span<std::int64_t const> k, auto... out)
   {
      auto const shape = node.inputs[0];
      std::size_t const axis = node.attributes.axis, length = shape[axis];
      std::size_t outer = 1, inner = 1;
      for (std::size_t d = 0; d < shape.size(); ++d)
         (d < axis ? outer : inner) *= d == axis ? 1 : shape[d];
      if (k[0] < 0 || std::size_t(k[0]) > length)
         throw std::runtime_error("TopK: k is " + std::to_string(k[0]) + ", the axis has " + std::to_string(length));
      std::size_t const count = k[0];
      static thread_local std::vector<std::size_t> order;
      order.resize(length);
      for (std::size_t o = 0; o < outer; ++o)
         for (std::size_t i = 0; i < inner; ++i) {
            auto const at = [&](std::size_t j) { return x[(o * length + j) * inner + i]; };
            std::iota(order.begin(), order.end(), std::size_t(0));
            // of equal elements the one that comes first is the better
            std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](auto a, auto b) {
               T const p = at(a), q = at(b);
               return p == q ? a < b : node.attributes.largest ? p > q : p < q;
            });
            for (std::size_t j = 0; j < count; ++j) {
               std::size_t const to = (o * count + j) * inner + i;
               [[maybe_unused]] auto const write = [&](auto span) {
                  if (to >= span.size())
                     return;
                  if constexpr (std::is_same_v<decltype(span), std::span<T>> &&
                                !std::is_same_v<T, std::int64_t>)
                     span[to] = at(order[j]);
                  else if constexpr (!std::is_same_v<T, std::int64_t>)
                     span[to] = std::int64_t(order[j]);
               };
               if constexpr (std::is_same_v<T, std::int64_t>) {
                  int number = 0;
                  ([&] {
                     if (to < out.size())
                        out[to] = node.attributes.asked[number] == 0 ? at(order[j]) : std::int64_t(order[j]);
                     ++number;
                  }(), ...);
               } else
                  (write(out), ...);
            }
         }
      return count;
   }
};
} // namespace sofie_kernels
