#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace sofie_kernels {
// Source: https://onnx.ai/onnx/operators/onnx__GridSample.html; what it leaves open is as onnxruntime has it.
struct GridSample {
   template <class Node, class T>
   static void Compute(Node const &node, std::span<T const> x, std::span<T const> grid, std::span<T> y)
   {
      constexpr auto attributes = Node::attributes;
      auto const shape = node.inputs[0];
      std::size_t const axes = shape.size() - 2, channels = shape[1];
      std::size_t pixels = 1, points = 1;
      for (std::size_t a = 0; a < axes; ++a) {
         pixels *= shape[a + 2];
         points *= node.inputs[1][a + 1];
      }
      std::array<std::array<std::int64_t, attributes.taps>, 3> index;
      std::array<std::array<T, attributes.taps>, 3> weight;
      for (std::size_t n = 0; n < shape[0]; ++n)
         for (std::size_t p = 0; p < points; ++p) {
            T const *at = grid.data() + (n * points + p) * axes;
            for (std::size_t a = 0; a < axes; ++a) // the grid names the last axis first
               taps<attributes.taps>(at[axes - 1 - a], std::int64_t(shape[a + 2]), attributes.padding,
                                     attributes.align, index[a], weight[a]);
            for (std::size_t c = 0; c < channels; ++c)
               y[(n * channels + c) * points + p] = sampled<attributes.taps>(
                  x.data() + (n * channels + c) * pixels, shape.subspan(2), index, weight, 0, 0);
         }
   }

private:
   // The elements that take part along one axis, -1 for a zero, and their weights.
   template <std::size_t Taps, class T>
   static void taps(T place, std::int64_t size, int padding, bool align, auto &index, auto &weight)
   {
      T const low = align ? T(0) : T(-0.5), high = align ? T(size - 1) : T(size) - T(0.5);
      T at = align ? (place + 1) / 2 * T(size - 1) : ((place + 1) * T(size) - 1) / 2;
      if (Taps == 1)
         at = std::nearbyint(at);
      // of cubic interpolation each element that takes part is brought inside by itself
      if (Taps != 4 && padding != 0 && !(at >= low && at <= high))
         at = padding == 1 ? std::clamp(at, T(0), T(size - 1)) : reflected(at, low, high);
      T const first = Taps == 1 ? at : std::floor(at) - T(Taps / 2 - 1);
      if constexpr (Taps == 1)
         weight[0] = 1;
      else if constexpr (Taps == 2) {
         weight[1] = at - first;
         weight[0] = first + 1 - at;
      } else
         cubic(at - first - 1, weight);
      for (std::size_t k = 0; k < Taps; ++k) {
         T const t = first + T(k);
         // where it is no number, or no index, it is outside
         bool const inside = t >= 0 && t <= T(size - 1);
         index[k] = inside                            ? std::int64_t(t)
                    : padding == 0 || !std::isfinite(t) ? -1
                    : padding == 1                      ? (t < 0 ? 0 : size - 1)
                                                        : std::int64_t(reflected(t, low, high));
         index[k] = std::min(index[k], size - 1);
      }
   }
   template <class T>
   static T reflected(T at, T low, T high)
   {
      T const range = high - low;
      if (!(range > 0))
         throw std::runtime_error("GridSample: there is nothing to reflect along an axis of one element");
      if (at >= low && at <= high)
         return at;
      T const beyond = at < low ? low - at : at - high;
      T const times = std::floor(beyond / range), rest = beyond - times * range;
      bool const even = std::fmod(times, T(2)) == 0;
      return (at < low) == even ? low + rest : high - rest;
   }
   // Keys' cubic convolution, a = -0.75.
   template <class T>
   static void cubic(T d, auto &weight)
   {
      constexpr T a = T(-0.75);
      auto const inner = [](T t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
      auto const outer = [](T t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
      weight = {outer(d + 1), inner(d), inner(1 - d), outer(2 - d)};
   }
   template <std::size_t Taps, class T>
   static T sampled(T const *image, std::span<std::size_t const> shape, auto const &index, auto const &weight,
                    std::size_t axis, std::size_t offset)
   {
      T sum = 0;
      for (std::size_t k = 0; k < Taps; ++k) {
         if (index[axis][k] < 0)
            continue;
         std::size_t const at = offset * shape[axis] + std::size_t(index[axis][k]);
         sum += weight[axis][k] *
                (axis + 1 < shape.size() ? sampled<Taps>(image, shape, index, weight, axis + 1, at) : image[at]);
      }
      return sum;
   }
};
} // namespace sofie_kernels
