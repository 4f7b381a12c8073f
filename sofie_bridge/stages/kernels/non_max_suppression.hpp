#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sofie_kernels {
struct NonMaxSuppression {
   static std::size_t
   Compute(auto const &node, std::span<float const> boxes, std::span<float const> scores, auto... more)
   {
      // the last of them is the output; in front of it what the node has of its limits
      auto const given = std::tie(more...);
      constexpr std::size_t limits = sizeof...(more) - 1;
      std::span<std::int64_t> const y = std::get<limits>(given);
      std::int64_t most = 0;
      float threshold = 0, least = 0;
      bool bounded = false;
      if constexpr (limits > 0)
         if constexpr (!std::is_null_pointer_v<std::remove_cvref_t<decltype(std::get<0>(given))>>)
            most = std::get<0>(given)[0];
      if constexpr (limits > 1)
         if constexpr (!std::is_null_pointer_v<std::remove_cvref_t<decltype(std::get<1>(given))>>)
            threshold = std::get<1>(given)[0];
      if constexpr (limits > 2)
         if constexpr (!std::is_null_pointer_v<std::remove_cvref_t<decltype(std::get<2>(given))>>) {
            least = std::get<2>(given)[0];
            bounded = true;
         }
      std::size_t const batches = node.inputs[0][0], count = node.inputs[0][1], classes = node.inputs[1][1];
      static thread_local std::vector<std::size_t> order, chosen;
      std::size_t found = 0;
      for (std::size_t b = 0; b < batches; ++b)
         for (std::size_t c = 0; c < classes; ++c) {
            float const *score = scores.data() + (b * classes + c) * count;
            float const *box = boxes.data() + b * count * 4;
            order.clear();
            for (std::size_t i = 0; i < count; ++i)
               if (!bounded || score[i] > least)
                  order.push_back(i);
            // of equal scores the one that comes first is the better
            std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return score[i] > score[j]; });
            chosen.clear();
            for (std::size_t i : order) {
               if (std::int64_t(chosen.size()) >= most)
                  break;
               if (std::any_of(chosen.begin(), chosen.end(), [&](auto j) {
                      return overlap(box + 4 * i, box + 4 * j, node.attributes.centred) > threshold;
                   }))
                  continue;
               chosen.push_back(i);
               if (3 * found + 2 < y.size()) {
                  y[3 * found] = std::int64_t(b);
                  y[3 * found + 1] = std::int64_t(c);
                  y[3 * found + 2] = std::int64_t(i);
               }
               ++found;
            }
         }
      return found;
   }

private:
   struct Side {
      float low, high;
   };
   // One side of a box: of two corners, in either order, or of a centre and a length.
   static Side side(float const *box, int axis, bool centred)
   {
      if (centred)
         return {box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2};
      return {std::min(box[axis], box[axis + 2]), std::max(box[axis], box[axis + 2])};
   }
   // Intersection over union; below any threshold where they do not meet.
   static float overlap(float const *a, float const *b, bool centred)
   {
      float common = 1, area_a = 1, area_b = 1;
      for (int axis : {0, 1}) {
         Side const p = side(a, axis, centred), q = side(b, axis, centred);
         float const shared = std::min(p.high, q.high) - std::max(p.low, q.low);
         if (!(shared > 0))
            return -1;
         common *= shared;
         area_a *= p.high - p.low;
         area_b *= q.high - q.low;
      }
      float const whole = area_a + area_b - common;
      return common > 0 && area_a > 0 && area_b > 0 && whole > 0 ? common / whole : -1;
   }
};
} // namespace sofie_kernels
