#include <algorithm>
#include <cstddef>

namespace sofie_kernels {
// Slices along an axis with so many elements in front of it and behind it.
template <class T>
void take_slice(T const *whole, T *part, std::size_t outer, std::size_t length, std::size_t inner, std::size_t i)
{
   for (std::size_t o = 0; o < outer; ++o)
      std::copy_n(whole + (o * length + i) * inner, inner, part + o * inner);
}

template <class T>
void put_slice(T *whole, T const *part, std::size_t outer, std::size_t length, std::size_t inner, std::size_t i)
{
   for (std::size_t o = 0; o < outer; ++o)
      std::copy_n(part + o * inner, inner, whole + (o * length + i) * inner);
}
} // namespace sofie_kernels
