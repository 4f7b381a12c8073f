#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sofie_kernels {
// Source: https://onnx.ai/onnx/operators/onnx__Resize.html; what it leaves open is as onnxruntime has it.
struct Resize {
   template <class Node, class T>
   static void Compute(Node const &node, std::span<T const> x, auto... more)
   {
      constexpr auto a = Node::attributes;
      // the last of them is the output; in front of it region, scales and sizes, as far as the node has them
      auto const given = std::tie(more...);
      constexpr std::size_t count = sizeof...(more) - 1;
      std::span<T> const y = std::get<count>(given);
      auto const from = node.inputs[0], to = node.outputs[0];
      double common = 0;
      if constexpr (a.sized)
         for (std::size_t k = 0; k < a.axes.size(); ++k) {
            double const ratio = double(std::get<2>(given)[k]) / double(from[a.axes[k]]);
            common = k == 0 ? ratio : a.policy == 1 ? std::min(common, ratio) : std::max(common, ratio);
         }
      static thread_local std::vector<T> held, made;
      static thread_local std::vector<std::size_t> shape;
      static thread_local std::vector<Tap> taps;
      held.assign(x.begin(), x.end());
      shape.assign(from.begin(), from.end());
      for (std::size_t k = 0; k < a.axes.size(); ++k) {
         std::size_t const axis = a.axes[k], size = from[axis], length = to[axis];
         float scale;
         std::int64_t told;
         if constexpr (a.sized) {
            double const ratio = a.policy == 0 ? double(std::get<2>(given)[k]) / double(size) : common;
            scale = float(ratio);
            told = a.policy == 0 ? std::int64_t(std::get<2>(given)[k]) : std::int64_t(std::floor(ratio * size + 0.5));
         } else {
            scale = std::get<1>(given)[k];
            told = std::int64_t(std::floor(float(size) * scale));
         }
         if (told != std::int64_t(length))
            throw std::runtime_error("Resize: the result has another size than the model says");
         if ((size == length && scale == 1) || length == 0)
            continue;
         if (size == 0 || !(scale > 0))
            throw std::runtime_error("Resize: of nothing there is nothing between");
         std::size_t const reach = along<a.taps, a.antialias, a.exclude>(
            scale, size, length, a.transform, a.rounding, a.a, taps);
         std::size_t outer = 1, inner = 1;
         for (std::size_t d = 0; d < shape.size(); ++d)
            (d < axis ? outer : inner) *= d == axis ? 1 : shape[d];
         made.resize(outer * length * inner);
         for (std::size_t o = 0; o < outer; ++o)
            for (std::size_t i = 0; i < length; ++i)
               for (std::size_t j = 0; j < inner; ++j)
                  made[(o * length + i) * inner + j] =
                     sum<a.taps>(held.data() + o * size * inner + j, inner, taps.data() + i * reach, reach);
         std::swap(held, made);
         shape[axis] = length;
      }
      std::copy(held.begin(), held.begin() + std::min(held.size(), y.size()), y.begin());
   }

private:
   struct Tap {
      std::size_t place;
      double weight;
   };
   template <std::size_t Kind, class T>
   static T sum(T const *row, std::size_t stride, Tap const *taps, std::size_t count)
   {
      if constexpr (Kind == 1)
         return row[taps[0].place * stride];
      else {
         double total = 0;
         for (std::size_t k = 0; k < count; ++k)
            total += taps[k].weight * double(row[taps[k].place * stride]);
         return T(total);
      }
   }
   // The place in the original axis of an element of the resized one, in float as onnxruntime has it.
   static float place(float i, float scale, float size, float length, int transform)
   {
      switch (transform) {
      case 1: return size / 2 * (1 - length / (scale * size)) + (i + 0.5f) / scale - 0.5f;
      case 2: return length > 1 ? (i + 0.5f) / scale - 0.5f : 0.f;
      case 3: return length > 1 ? i * (size - 1) / (length - 1) : 0.f;
      case 4: return i / scale;
      }
      return (i + 0.5f) / scale - 0.5f;
   }
   static double nearest(float at, int rounding)
   {
      switch (rounding) {
      case 1: return std::floor(at + 0.5f);
      case 2: return std::floor(at);
      case 3: return std::ceil(at);
      }
      return std::ceil(at - 0.5f);
   }
   // Keys' kernel. Source: R. Keys, Cubic convolution interpolation for digital image processing, 1981
   static double cubic(double d, double a)
   {
      return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
   }
   // The taps of all elements along one axis; how many each has.
   template <std::size_t Kind, bool Antialias, bool Exclude>
   static std::size_t along(float scale, std::size_t size, std::size_t length, int transform, int rounding, double a,
                            std::vector<Tap> &taps)
   {
      auto const last = std::int64_t(size) - 1;
      bool const smooth = Kind > 1 && Antialias && scale < 1;
      double const stretch = smooth ? double(scale) : 1.0;
      auto const reach = Kind == 1 ? std::int64_t(1) : std::int64_t(std::ceil(double(Kind / 2) / stretch));
      std::size_t const count = Kind == 1 ? 1 : 2 * std::size_t(reach);
      taps.assign(length * count, Tap{0, 0});
      for (std::size_t i = 0; i < length; ++i) {
         Tap *const row = taps.data() + i * count;
         float const given = place(float(i), scale, float(size), float(length), transform);
         if constexpr (Kind == 1) {
            row[0] = {std::size_t(std::clamp(nearest(given, rounding), 0.0, double(last))), 1};
            continue;
         }
         double const at = Kind == 2 && !smooth ? std::clamp(double(given), 0.0, double(last)) : double(given);
         auto const floor = std::int64_t(std::floor(at));
         double total = 0;
         bool all = true;
         for (std::size_t k = 0; k < count; ++k) {
            std::int64_t const p = floor + 1 - reach + std::int64_t(k);
            bool const inside = p >= 0 && p <= last;
            double const d = std::abs(double(p) - at) * stretch;
            double const w = Kind == 4 ? cubic(d, a) : std::max(0.0, 1 - d);
            row[k] = {std::size_t(std::clamp(p, std::int64_t(0), last)), Exclude && (Kind == 4 || smooth) && !inside ? 0 : w};
            total += row[k].weight;
            all = all && inside;
         }
         for (std::size_t k = 0; k < count; ++k) {
            if ((Exclude && Kind == 4) || smooth)
               row[k].weight /= total;
            else if (Kind == 2 && !all)
               row[k].weight = 0.5; // the last element twice, not once and zero times: it may be infinite
         }
      }
      return count;
   }
};
} // namespace sofie_kernels
