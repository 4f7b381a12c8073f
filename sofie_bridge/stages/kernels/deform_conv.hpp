#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>

namespace sofie_kernels {
// Source: https://onnx.ai/onnx/operators/onnx__DeformConv.html
struct DeformConv {
   template <class T>
   static void Compute(auto const &node, std::span<T const> x, std::span<T const> w, std::span<T const> offset,
                       auto... more)
   {
      // the last of them is the output; in front of it the bias and the mask, where the node has them
      auto const given = std::tie(more...);
      constexpr std::size_t count = sizeof...(more) - 1;
      std::span<T> const y = std::get<count>(given);
      std::span<T const> bias, mask;
      if constexpr (count > 0)
         if constexpr (!std::is_null_pointer_v<std::remove_cvref_t<std::tuple_element_t<0, std::tuple<decltype(more)...>>>>)
            bias = std::get<0>(given);
      if constexpr (count > 1)
         mask = std::get<1>(given);
      auto const &a = node.attributes;
      std::size_t const batches = node.inputs[0][0], channels = node.inputs[0][1], height = node.inputs[0][2],
                        width = node.inputs[0][3];
      std::size_t const filters = node.inputs[1][0], depth = node.inputs[1][1], kh = node.inputs[1][2],
                        kw = node.inputs[1][3], rows = node.outputs[0][2], columns = node.outputs[0][3];
      std::size_t const taps = kh * kw, points = rows * columns;
      for (std::size_t n = 0; n < batches; ++n)
         for (std::size_t f = 0; f < filters; ++f)
            for (std::size_t p = 0; p < points; ++p) {
               T sum = bias.empty() ? T(0) : bias[f];
               for (std::size_t d = 0; d < depth; ++d) {
                  std::size_t const c = f / (filters / a.group) * depth + d;
                  std::size_t const g = c / (channels / a.offset_group);
                  T const *image = x.data() + (n * channels + c) * height * width;
                  for (std::size_t k = 0; k < taps; ++k) {
                     std::size_t const set = (n * a.offset_group + g) * taps + k;
                     T const down = T(std::int64_t(p / columns) * a.strides[0] - a.pads[0] +
                                      std::int64_t(k / kw) * a.dilations[0]) +
                                    offset[2 * set * points + p];
                     T const across = T(std::int64_t(p % columns) * a.strides[1] - a.pads[1] +
                                        std::int64_t(k % kw) * a.dilations[1]) +
                                      offset[(2 * set + 1) * points + p];
                     T const seen = between(image, std::int64_t(height), std::int64_t(width), down, across);
                     sum += w[(f * depth + d) * taps + k] * (mask.empty() ? seen : seen * mask[set * points + p]);
                  }
               }
               y[(n * filters + f) * points + p] = sum;
            }
   }

private:
   // Linear between the elements, and towards the zeros around them.
   template <class T>
   static T between(T const *image, std::int64_t height, std::int64_t width, T y, T x)
   {
      if (!(y > -1 && y < T(height) && x > -1 && x < T(width)))
         return 0;
      std::int64_t const top = std::int64_t(std::floor(y)), left = std::int64_t(std::floor(x));
      auto const at = [&](std::int64_t i, std::int64_t j) {
         return i < 0 || i >= height || j < 0 || j >= width ? T(0) : image[i * width + j];
      };
      T const down = y - T(top), across = x - T(left);
      return (1 - down) * ((1 - across) * at(top, left) + across * at(top, left + 1)) +
             down * ((1 - across) * at(top + 1, left) + across * at(top + 1, left + 1));
   }
};
} // namespace sofie_kernels
