// JavaScript values in, JavaScript values out. lib/ has validated every type: a wrong one
// here is our bug.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/address_range.h"
#include "core/mapping.h"
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

inline Napi::Value number(Napi::Env env, double value) {
  return Napi::Number::New(env, value);
}

// Success is 0, failure is -errno: lib/errors.ts turns it into an exception.
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
