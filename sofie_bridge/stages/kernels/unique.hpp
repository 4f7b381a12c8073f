#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sofie_kernels {
// Slices of x along an axis, or its elements where the axis is -1: slice i has the elements (o, i, k).
template <class T>
struct Slices {
   std::span<T const> x;
   std::size_t outer = 1, length = 1, inner = 1;

   Slices(std::span<T const> given, std::span<std::size_t const> shape, std::int64_t axis) : x(given), length(x.size())
   {
      if (axis < 0)
         return;
      length = shape[axis];
      for (std::int64_t k = 0; k < std::int64_t(shape.size()); ++k)
         (k < axis ? outer : inner) *= k == axis ? 1 : shape[k];
   }
   T const *at(std::size_t o, std::size_t i) const { return x.data() + (o * length + i) * inner; }
   // Numbers by their size, those that are none behind all others.
   static int order(T a, T b)
   {
      if constexpr (std::is_floating_point_v<T>)
         if (std::isnan(a) || std::isnan(b))
            return int(std::isnan(a)) - int(std::isnan(b));
      return a < b ? -1 : b < a ? 1 : 0;
   }
   int compare(std::size_t i, std::size_t j) const
   {
      for (std::size_t o = 0; o < outer; ++o)
         for (std::size_t k = 0; k < inner; ++k)
            if (int const found = order(at(o, i)[k], at(o, j)[k]))
               return found;
      return 0;
   }
};

struct Unique {
   template <class Node, class T>
   static std::size_t Compute(Node const &node, std::span<T const> x, std::span<T> y, auto... more)
   {
      Slices<T> const slices(x, node.inputs[0], node.attributes.axis);
      // the slices in order; in each group of equal ones the first is where it is seen first
      static thread_local std::vector<std::size_t> order, begins, rank;
      order.resize(slices.length);
      std::iota(order.begin(), order.end(), std::size_t(0));
      std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return slices.compare(i, j) < 0; });
      begins.clear();
      for (std::size_t k = 0; k < order.size(); ++k)
         if (k == 0 || slices.compare(order[k - 1], order[k]) != 0)
            begins.push_back(k);
      std::size_t const count = begins.size();
      begins.push_back(order.size());
      if (slices.outer * count * slices.inner > y.size())
         return count;
      // the place of each group in the output
      rank.resize(count);
      std::iota(rank.begin(), rank.end(), std::size_t(0));
      if (!node.attributes.sorted)
         std::sort(rank.begin(), rank.end(), [&](auto a, auto b) { return order[begins[a]] < order[begins[b]]; });
      for (std::size_t o = 0; o < slices.outer; ++o)
         for (std::size_t k = 0; k < count; ++k)
            std::copy_n(slices.at(o, order[begins[rank[k]]]), slices.inner,
                        y.begin() + (o * count + k) * slices.inner);
      auto const given = std::tie(more...);
      auto const write = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
         std::span<std::int64_t> const out = std::get<I>(given);
         for (std::size_t k = 0; k < count; ++k) {
            std::size_t const begin = begins[rank[k]], end = begins[rank[k] + 1];
            switch (node.attributes.asked[I + 1]) {
            case 1:
               if (k < out.size())
                  out[k] = std::int64_t(order[begin]);
               break;
            case 2:
               for (std::size_t i = begin; i < end; ++i)
                  out[order[i]] = std::int64_t(k);
               break;
            default:
               if (k < out.size())
                  out[k] = std::int64_t(end - begin);
            }
         }
      };
      [&]<std::size_t... I>(std::index_sequence<I...>) {
         (write(std::integral_constant<std::size_t, I>()), ...);
      }(std::index_sequence_for<decltype(more)...>());
      return count;
   }
};
} // namespace sofie_kernels
