// A C interface to a header that SOFIE wrote. Written above this text: SOFIE_BRIDGE_NAMESPACE, SOFIE_BRIDGE_SESSION (1 if
// there is a Session, 0 if infer is a free function) and SOFIE_BRIDGE_SIZES (how many sizes the constructor takes).
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "model.hxx"

// Older headers do not have these. Looked up from inside the header's namespace, a missing name is found here.
struct SofieBridgeAbsent {};
inline constexpr SofieBridgeAbsent inputTensorDims{};
inline constexpr SofieBridgeAbsent outputTensorDims{};

namespace SOFIE_BRIDGE_NAMESPACE {
namespace sofie_bridge {
inline constexpr const auto &input_dims = inputTensorDims;
inline constexpr const auto &output_dims = outputTensorDims;
#if SOFIE_BRIDGE_SESSION
using Model = Session;
inline constexpr auto infer_pointer = &Session::infer;
#else
struct Model {};
inline constexpr auto infer_pointer = &infer;
#endif
} // namespace sofie_bridge
} // namespace SOFIE_BRIDGE_NAMESPACE

namespace {

namespace bridge = SOFIE_BRIDGE_NAMESPACE::sofie_bridge;
using bridge::Model;

template <class> struct Signature;
template <class R, class... A> struct Signature<R (*)(A...)> {
   using Result = R;
   using Arguments = std::tuple<A...>;
};
template <class R, class... A> struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};
template <class R, class C, class... A> struct Signature<R (C::*)(A...)> : Signature<R (*)(A...)> {};
template <class R, class C, class... A> struct Signature<R (C::*)(A...) const> : Signature<R (*)(A...)> {};
template <class R, class C, class... A> struct Signature<R (C::*)(A...) noexcept> : Signature<R (*)(A...)> {};
template <class R, class C, class... A> struct Signature<R (C::*)(A...) const noexcept> : Signature<R (*)(A...)> {};

using Infer = Signature<std::remove_cv_t<decltype(bridge::infer_pointer)>>;
using Result = Infer::Result;
using Arguments = Infer::Arguments;
constexpr std::size_t arity = std::tuple_size_v<Arguments>;
template <std::size_t I> using Argument = std::tuple_element_t<I, Arguments>;

template <class T> constexpr const char *dtype() {
   using V = std::remove_cv_t<T>;
   static_assert(std::is_arithmetic_v<V>, "a tensor of a type that is not a number");
   if constexpr (std::is_same_v<V, bool>)
      return "bool";
   else if constexpr (std::is_floating_point_v<V>)
      return sizeof(V) == 4 ? "float32" : "float64";
   else if constexpr (std::is_signed_v<V>)
      return sizeof(V) == 1 ? "int8" : sizeof(V) == 2 ? "int16" : sizeof(V) == 4 ? "int32" : "int64";
   else
      return sizeof(V) == 1 ? "uint8" : sizeof(V) == 2 ? "uint16" : sizeof(V) == 4 ? "uint32" : "uint64";
}

// --- outputs ---

struct Buffer {
   const char *dtype;
   const void *data;
   std::size_t count;
};

struct Outputs {
   Result value;
   std::vector<std::vector<unsigned char>> bits; // std::vector<bool> has no data()
   std::vector<Buffer> buffers;

   explicit Outputs(Result &&result) : value(std::move(result)) { add(value); }

   template <class T> void add(const std::vector<T> &tensor) { buffers.push_back({dtype<T>(), tensor.data(), tensor.size()}); }
   void add(const std::vector<bool> &tensor) {
      bits.emplace_back(tensor.begin(), tensor.end());
      buffers.push_back({"bool", bits.back().data(), bits.back().size()});
   }
   template <class T> void add(const std::vector<std::vector<T>> &tensors) {
      for (const auto &tensor : tensors)
         add(tensor);
   }
   template <class... T> void add(const std::tuple<T...> &tensors) {
      std::apply([this](const auto &...tensor) { (add(tensor), ...); }, tensors);
   }
};

// --- description: JSON ---

void quote(std::string &json, std::string_view text) {
   constexpr char digits[] = "0123456789abcdef";
   json += '"';
   for (unsigned char c : text) {
      if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f) {
         json += "\\u00";
         json += digits[c >> 4];
         json += digits[c & 15];
      } else {
         json += static_cast<char>(c);
      }
   }
   json += '"';
}

template <class Table> void describe_dims(std::string &json, const Table &table) {
   if constexpr (requires { table.size(); table[0].data; }) {
      json += '[';
      for (std::size_t t = 0; t < table.size(); ++t) {
         json += t ? ",[" : "[";
         for (std::size_t d = 0; d < table[t].size; ++d) {
            json += d ? "," : "";
            const auto &dim = table[t].data[d];
            if (std::string_view(dim.name).empty())
               json += std::to_string(dim.dim);
            else
               quote(json, dim.name);
         }
         json += ']';
      }
      json += ']';
   } else {
      json += "null";
   }
}

template <std::size_t I> void describe_argument(std::string &json) {
   using A = Argument<I>;
   json += I ? "," : "";
   if constexpr (std::is_pointer_v<A>) {
      json += "{\"dtype\":";
      quote(json, dtype<std::remove_pointer_t<A>>());
      json += std::is_const_v<std::remove_pointer_t<A>> ? ",\"writable\":false}" : ",\"writable\":true}";
   } else {
      static_assert(std::is_integral_v<A>, "an argument of infer that is neither a pointer nor a size");
      json += "null";
   }
}

template <class T> void describe_output(std::string &json, const std::vector<T> *) { quote(json, dtype<T>()); }
template <class T> void describe_output(std::string &json, const std::vector<std::vector<T>> *) { quote(json, dtype<T>()); }
template <class... T> void describe_output(std::string &json, const std::tuple<T...> *) {
   std::size_t i = 0;
   ((json += i++ ? "," : "", describe_output(json, static_cast<const T *>(nullptr))), ...);
}

template <std::size_t... I> std::string describe(std::index_sequence<I...>) {
   std::string json = "{\"arguments\":[";
   (describe_argument<I>(json), ...);
   json += "],\"output_dtypes\":[";
   describe_output(json, static_cast<const Result *>(nullptr));
   json += "],\"input_dims\":";
   describe_dims(json, bridge::input_dims);
   json += ",\"output_dims\":";
   describe_dims(json, bridge::output_dims);
   return json + "}";
}

// --- calls ---

template <std::size_t... I> Model *make(const char *weights, const std::size_t *sizes, std::index_sequence<I...>) {
   if constexpr (std::is_constructible_v<Model, std::string, decltype(sizes[I])...>)
      return new Model(std::string(weights), sizes[I]...);
   else
      return new Model(sizes[I]...);
}

template <std::size_t I> Argument<I> argument(const std::size_t *sizes, void *const *tensors) {
   if constexpr (std::is_pointer_v<Argument<I>>)
      return static_cast<Argument<I>>(tensors[I]);
   else
      return static_cast<Argument<I>>(sizes[I]);
}

template <std::size_t... I>
Result call([[maybe_unused]] Model &model, [[maybe_unused]] const std::size_t *sizes, [[maybe_unused]] void *const *tensors,
            std::index_sequence<I...>) {
#if SOFIE_BRIDGE_SESSION
   return model.infer(argument<I>(sizes, tensors)...);
#else
   return bridge::infer_pointer(argument<I>(sizes, tensors)...);
#endif
}

// Runs `action`; an exception's text goes into `error`, which holds `room` bytes, and the answer is null.
template <class Action> auto guarded(char *error, std::size_t room, Action action) -> decltype(action()) {
   const char *text = "an exception that is not a std::exception";
   try {
      return action();
   } catch (const std::exception &exception) {
      text = exception.what();
      std::strncpy(error, text, room - 1);
      return nullptr;
   } catch (...) {
      std::strncpy(error, text, room - 1);
      return nullptr;
   }
}

} // namespace

#define SOFIE_BRIDGE_EXPORT extern "C" __attribute__((visibility("default")))

SOFIE_BRIDGE_EXPORT const char *sofie_bridge_describe() {
   static const std::string json = describe(std::make_index_sequence<arity>{});
   return json.c_str();
}

// A new session, or null.
SOFIE_BRIDGE_EXPORT void *sofie_bridge_open(const char *weights, const std::size_t *sizes, char *error, std::size_t room) {
   return guarded(error, room, [&] { return make(weights, sizes, std::make_index_sequence<SOFIE_BRIDGE_SIZES>{}); });
}

SOFIE_BRIDGE_EXPORT void sofie_bridge_close(void *model) { delete static_cast<Model *>(model); }

// `sizes` and `tensors` have an element for each argument of infer. The outputs, or null.
SOFIE_BRIDGE_EXPORT void *
sofie_bridge_run(void *model, const std::size_t *sizes, void *const *tensors, char *error, std::size_t room) {
   return guarded(error, room, [&] {
      return new Outputs(call(*static_cast<Model *>(model), sizes, tensors, std::make_index_sequence<arity>{}));
   });
}

SOFIE_BRIDGE_EXPORT std::size_t sofie_bridge_count(void *outputs) { return static_cast<Outputs *>(outputs)->buffers.size(); }

SOFIE_BRIDGE_EXPORT void sofie_bridge_output(void *outputs, std::size_t index, Buffer *buffer) {
   *buffer = static_cast<Outputs *>(outputs)->buffers[index];
}

SOFIE_BRIDGE_EXPORT void sofie_bridge_free(void *outputs) { delete static_cast<Outputs *>(outputs); }
