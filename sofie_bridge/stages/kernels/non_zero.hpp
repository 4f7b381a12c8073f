#include <cstddef>
#include <cstdint>
#include <span>

namespace sofie_kernels {
struct NonZero {
   template <class T>
   static std::size_t Compute(auto const &node, std::span<T const> x, std::span<std::int64_t> places)
   {
      std::size_t count = 0;
      for (T v : x)
         count += v != T(0);
      auto const shape = node.inputs[0];
      if (count * shape.size() > places.size())
         return count;
      std::size_t found = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
         if (x[i] == T(0))
            continue;
         std::size_t rest = i;
         for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
            places[axis * count + found] = std::int64_t(rest % shape[axis]);
         ++found;
      }
      return count;
   }
};
} // namespace sofie_kernels
