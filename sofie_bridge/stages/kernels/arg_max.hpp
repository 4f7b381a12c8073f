#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace sofie_kernels {
struct ArgMax {
   template <class T>
   static void Compute(auto const &node, std::span<T const> x, std::span<std::int64_t> y)
   {
      auto const shape = node.inputs[0];
      std::size_t const axis = node.attributes.axis, length = shape[axis];
      std::size_t inner = 1;
      for (std::size_t d = axis + 1; d < shape.size(); ++d)
         inner *= shape[d];
      if (length == 0 && !y.empty())
         throw std::runtime_error("ArgMax: there is no largest of no elements");
      for (std::size_t k = 0; k < y.size(); ++k) {
         T const *const first = x.data() + k / inner * length * inner + k % inner;
         std::size_t best = 0;
         for (std::size_t i = 1; i < length; ++i)
            if (first[i * inner] > first[best * inner] ||
                (node.attributes.last && first[i * inner] == first[best * inner]))
               best = i;
         y[k] = std::int64_t(best);
      }
   }
};
} // namespace sofie_kernels
