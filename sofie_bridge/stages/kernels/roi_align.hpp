#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace sofie_kernels {
// Source: https://onnx.ai/onnx/operators/onnx__RoiAlign.html; what it leaves open is as onnxruntime has it.
struct RoiAlign {
   template <class T>
   static void Compute(auto const &node, std::span<T const> x, std::span<T const> rois,
                       std::span<std::int64_t const> batches, std::span<T> y)
   {
      std::size_t const images = node.inputs[0][0], channels = node.inputs[0][1], height = node.inputs[0][2],
                        width = node.inputs[0][3], rows = node.outputs[0][2], columns = node.outputs[0][3];
      T const scale = T(node.attributes.scale), offset = node.attributes.half ? T(0.5) : T(0);
      for (std::size_t r = 0; r < batches.size(); ++r) {
         if (batches[r] < 0 || std::size_t(batches[r]) >= images)
            throw std::runtime_error("RoiAlign: a region is of an image that is not there");
         T const *roi = rois.data() + 4 * r;
         T const left = roi[0] * scale - offset, top = roi[1] * scale - offset;
         T wide = roi[2] * scale - offset - left, high = roi[3] * scale - offset - top;
         if (!node.attributes.half) {
            wide = std::max(wide, T(1));
            high = std::max(high, T(1));
         }
         T const cell_high = high / T(rows), cell_wide = wide / T(columns);
         std::int64_t const down = points(cell_high, node.attributes.samples),
                            across = points(cell_wide, node.attributes.samples);
         for (std::size_t c = 0; c < channels; ++c) {
            T const *image = x.data() + (std::size_t(batches[r]) * channels + c) * height * width;
            for (std::size_t i = 0; i < rows; ++i)
               for (std::size_t j = 0; j < columns; ++j) {
                  T sum = 0;
                  for (std::int64_t p = 0; p < down; ++p)
                     for (std::int64_t q = 0; q < across; ++q)
                        sum += between(image, std::int64_t(height), std::int64_t(width),
                                       top + (T(i) + (T(p) + T(0.5)) / T(down)) * cell_high,
                                       left + (T(j) + (T(q) + T(0.5)) / T(across)) * cell_wide);
                  y[((r * channels + c) * rows + i) * columns + j] = sum / T(std::max<std::int64_t>(down * across, 1));
               }
         }
      }
   }

private:
   template <class T>
   static std::int64_t points(T cell, std::int64_t asked)
   {
      return asked > 0 ? asked : std::isfinite(cell) ? std::max<std::int64_t>(std::int64_t(std::ceil(cell)), 0) : 0;
   }
   template <class T>
   static T between(T const *image, std::int64_t height, std::int64_t width, T y, T x)
   {
      if (!(y >= -1 && y <= T(height) && x >= -1 && x <= T(width)))
         return 0;
      y = std::max(y, T(0));
      x = std::max(x, T(0));
      std::int64_t const top = std::min(std::int64_t(y), height - 1), left = std::min(std::int64_t(x), width - 1),
                         bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
      T const down = top == height - 1 ? T(0) : y - T(top), across = left == width - 1 ? T(0) : x - T(left);
      return (1 - down) * ((1 - across) * image[top * width + left] + across * image[top * width + right]) +
             down * ((1 - across) * image[bottom * width + left] + across * image[bottom * width + right]);
   }
};
} // namespace sofie_kernels
