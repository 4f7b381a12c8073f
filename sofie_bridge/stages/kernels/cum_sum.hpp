#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace sofie_kernels {
struct CumSum {
   template <class T>
   static void Compute(auto const &node, std::span<T const> x, auto along, std::span<T> y)
   {
      auto const shape = node.inputs[0];
      std::int64_t const rank = shape.size(), named = along[0];
      if (named < -rank || named >= rank)
         throw std::runtime_error("CumSum: there is no axis " + std::to_string(named));
      std::size_t const axis = named + (named < 0 ? rank : 0), length = shape[axis];
      std::size_t inner = 1;
      for (std::size_t d = axis + 1; d < shape.size(); ++d)
         inner *= shape[d];
      for (std::size_t o = 0; o + length * inner <= x.size() && length * inner != 0; o += length * inner)
         for (std::size_t i = 0; i < inner; ++i) {
            T sum{};
            for (std::size_t j = 0; j < length; ++j) {
               std::size_t const at = o + (node.attributes.reverse ? length - 1 - j : j) * inner + i;
               T const before = sum;
               // integers wrap round, as they do in onnxruntime
               if constexpr (std::is_integral_v<T>)
                  sum = T(std::make_unsigned_t<T>(sum) + std::make_unsigned_t<T>(x[at]));
               else
                  sum += x[at];
               y[at] = node.attributes.exclusive ? before : sum;
            }
         }
   }
};
} // namespace sofie_kernels
