#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sofie_kernels {
struct LabelEncoder {
   template <class Node, class K, class V>
   static void Compute(Node const &node, std::span<K const> x, std::span<V> y)
   {
      // in order, a key that is no number behind all others
      auto const &keys = node.attributes.keys;
      for (std::size_t i = 0; i < x.size(); ++i) {
         auto found = std::lower_bound(keys.begin(), keys.end(), x[i]);
         if (x[i] != x[i])
            found = keys.back() != keys.back() ? keys.end() - 1 : keys.end();
         bool const known = found != keys.end() && (*found == x[i] || (*found != *found && x[i] != x[i]));
         y[i] = known ? node.attributes.values[found - keys.begin()] : node.attributes.other[0];
      }
   }
};
} // namespace sofie_kernels
