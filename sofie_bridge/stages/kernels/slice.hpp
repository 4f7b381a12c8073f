#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sofie_kernels {
struct Slice {
   // the axes and the steps, which may be left out, and then the output
   template <class Node, class T, class Place>
   static auto
   Compute(Node const &node, std::span<T const> x, std::span<Place const> starts, std::span<Place const> ends, auto... rest)
   {
      auto const further = std::tuple(rest...);
      auto const y = std::get<sizeof...(rest) - 1>(further);
      auto const shape = node.inputs[0];
      std::int64_t const rank = shape.size();
      static thread_local std::vector<std::int64_t> first, step, count;
      first.assign(rank, 0);
      step.assign(rank, 1);
      count.assign(shape.begin(), shape.end());
      for (std::size_t k = 0; k < starts.size(); ++k) {
         std::int64_t const named = Given<0>(further, k, k), axis = named + (named < 0 ? rank : 0);
         if (axis < 0 || axis >= rank)
            throw std::runtime_error("Slice: there is no axis " + std::to_string(named));
         std::int64_t const size = shape[axis], by = Given<1>(further, k, 1);
         if (by == 0)
            throw std::runtime_error("Slice: a step of 0");
         auto const place = [&](std::int64_t given) {
            given += given < 0 ? size : 0;
            return by > 0 ? std::clamp(given, std::int64_t(0), size) : std::clamp(given, std::int64_t(-1), size - 1);
         };
         first[axis] = place(starts[k]);
         step[axis] = by;
         count[axis] = std::max<std::int64_t>(0, (place(ends[k]) - first[axis] + by - (by > 0 ? 1 : -1)) / by);
      }
      for (std::int64_t axis = 0; axis < rank; ++axis)
         if (node.attributes.sizes[axis] >= 0 && node.attributes.sizes[axis] != count[axis])
            throw std::runtime_error("Slice: " + std::to_string(count[axis]) + " along axis " + std::to_string(axis) +
                                     ", which is to have " + std::to_string(node.attributes.sizes[axis]));
      Take(x, y, shape, first, step, count);
      constexpr std::size_t open = std::tuple_size_v<std::remove_cvref_t<decltype(node.attributes.counted)>>;
      std::array<std::size_t, open> found{};
      for (std::size_t k = 0; k < open; ++k)
         found[k] = count[node.attributes.counted[k]];
      if constexpr (open == 1)
         return found[0];
      else if constexpr (open > 1)
         return found;
   }

   // an element of the axes or the steps; what stands for it where they are left out
   template <std::size_t number>
   static std::int64_t Given(auto const &further, std::size_t k, std::int64_t otherwise)
   {
      using Further = std::remove_cvref_t<decltype(further)>;
      if constexpr (number + 1 >= std::tuple_size_v<Further>)
         return otherwise;
      else if constexpr (std::is_same_v<std::tuple_element_t<number, Further>, std::nullptr_t>)
         return otherwise;
      else
         return std::get<number>(further)[k];
   }

   template <class T>
   static void Take(std::span<T const> x, std::span<T> y, auto const &shape, auto const &first, auto const &step,
                    auto const &count)
   {
      std::size_t total = 1, run = 1, whole = shape.size();
      for (std::int64_t c : count)
         total *= c;
      if (total == 0 || total > y.size())
         return;
      // axes at the end of which all is taken are copied at once
      for (; whole > 0 && count[whole - 1] == std::int64_t(shape[whole - 1]) && step[whole - 1] == 1; --whole)
         run *= shape[whole - 1];
      for (std::size_t k = 0; k < total; k += run) {
         std::size_t from = 0, stride = run, left = k / run;
         for (std::size_t d = whole; d-- > 0; left /= count[d], stride *= shape[d])
            from += stride * (first[d] + std::int64_t(left % count[d]) * step[d]);
         std::copy_n(x.begin() + from, run, y.begin() + k);
      }
   }
};
} // namespace sofie_kernels
