// JavaScript values in, JavaScript values out.
//
// lib/ has checked what users pass. Whatever else comes is answered with a TypeError,
// once the call has gone on with 0 or with no elements: never by touching memory that was
// not given. Nor does any of it rely on a value being made: in a worker that is being
// ended Node-API makes no objects, and nobody is left to see them.
#pragma once

#include <napi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/mapping/address_range.h"
#include "core/mapping/mapping.h"
#include "napi/environment.h"
#include "sys/result.h"

namespace memmap::napi {

// Beyond every errno: the addresses are not, or no longer, memory of this library.
inline constexpr int kNotOurs = 4096;

inline int int32(const Napi::Value& value) {
  return value.As<Napi::Number>().Int32Value();
}

inline int64_t int64(const Napi::Value& value) {
  return value.As<Napi::Number>().Int64Value();
}

// A negative number becomes huge, so that every range check refuses it.
inline size_t size(const Napi::Value& value) { return static_cast<size_t>(int64(value)); }

inline void* pointer(const Napi::Value& value) {
  bool lossless = false;
  uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  return reinterpret_cast<void*>(static_cast<uintptr_t>(number));
}

template <typename T>
constexpr napi_typedarray_type array_type() {
  if constexpr (std::is_same_v<T, uint8_t>) return napi_uint8_array;
  if constexpr (std::is_same_v<T, int32_t>) return napi_int32_array;
  if constexpr (std::is_same_v<T, uint32_t>) return napi_uint32_array;
  if constexpr (std::is_same_v<T, uint64_t>) return napi_biguint64_array;
  if constexpr (std::is_same_v<T, double>) return napi_float64_array;
}

// What a typed array of just this type holds, where it lies: nothing of any other value.
// Valid as long as JavaScript does not run.
template <typename T>
std::span<T> elements(const Napi::Value& value) {
  napi_typedarray_type type = {};
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(value.Env(), value, &type, &length,
                                                      &data, nullptr, nullptr);
  if (status != napi_ok || type != array_type<T>()) return {};
  return {static_cast<T*>(data), length};
}

// A path: of a string, or the bytes of a name that may not be UTF-8.
inline std::string path_of(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  const auto bytes = elements<uint8_t>(value);
  return {bytes.begin(), bytes.end()};
}

// A new typed array; no value where none can be made.
template <typename T>
Napi::Value new_array(napi_env env, const std::vector<T>& numbers) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  const bool made = napi_create_arraybuffer(env, numbers.size() * sizeof(T), &data,
                                            &buffer) == napi_ok &&
                    napi_create_typedarray(env, array_type<T>(), numbers.size(), buffer,
                                           0, &array) == napi_ok;
  if (!made) return {};
  std::copy(numbers.begin(), numbers.end(), static_cast<T*>(data));
  return {env, array};
}

// A new list of texts, frozen; no value where none can be made.
template <size_t N>
Napi::Value new_list(napi_env env, const std::array<const char*, N>& texts) {
  napi_value list = nullptr;
  bool made = napi_create_array_with_length(env, N, &list) == napi_ok;
  for (size_t i = 0; i < N && made; ++i) {
    napi_value text = nullptr;
    made = napi_create_string_utf8(env, texts[i], NAPI_AUTO_LENGTH, &text) == napi_ok &&
           napi_set_element(env, list, static_cast<uint32_t>(i), text) == napi_ok;
  }
  if (!made || napi_object_freeze(env, list) != napi_ok) return {};
  return {env, list};
}

inline Napi::Value number(Napi::Env env, double value) {
  return Napi::Number::New(env, value);
}

// Success is 0, failure is -errno: lib/internal/syscall.ts turns it into an exception.
inline Napi::Value to_js(Napi::Env env, sys::Errno error) {
  return number(env, -error.value);
}

// The mapping whose handle is the first argument, or null.
inline core::Mapping* mapping_of(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).find(info[0].As<Napi::Number>().DoubleValue());
}

// Where a call is to act. JavaScript passes a handle, a view of the memory (which keeps
// it alive), or a bare address as a BigInt; then an offset from there and a length.
struct Target {
  std::shared_ptr<core::AddressRange> range;  // null: not ours
  char* address = nullptr;
  size_t length = 0;
};

Target target(const Napi::CallbackInfo& info);

}  // namespace memmap::napi
