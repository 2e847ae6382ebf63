// JavaScript buffers over a mapping's pages. Each buffer's backing store holds the
// AddressRange; the engine drops it on any thread, after the last view is gone.
#include <dlfcn.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/mapping/mapping.h"
#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/exports.h"
#include "napi/pages.h"

namespace memmap::napi {
namespace {

using Range = std::shared_ptr<core::AddressRange>;

// The references of backing stores, by number. Of a buffer that could not be made some
// runtimes call the finalizer (Node 20, where it is too long), and others do not (in a
// worker that is being ended): so whoever comes first ends the reference, and there is
// none for whoever comes after.
struct Held {
  std::mutex mutex;
  std::unordered_map<uintptr_t, Range> ranges;
  uintptr_t last = 0;
};

Held& held() {
  static Held& instance = *new Held;  // backing stores outlive static destructors
  return instance;
}

// The number, as what a finalizer is called with.
void* hold(Range range) {
  Held& all = held();
  std::lock_guard lock(all.mutex);
  all.last += 1;
  all.ranges.emplace(all.last, std::move(range));
  return reinterpret_cast<void*>(all.last);
}

void drop(void*, void* reference) {
  Range last;  // goes after the lock: it may unmap
  Held& all = held();
  std::lock_guard lock(all.mutex);
  const auto found = all.ranges.find(reinterpret_cast<uintptr_t>(reference));
  if (found == all.ranges.end()) return;
  last = std::move(found->second);
  all.ranges.erase(found);
}

void drop_with_env(napi_env, void* data, void* reference) { drop(data, reference); }

// The buffer, or -errno once nothing is held for it.
Napi::Value made(Napi::Env env, napi_status status, napi_value buffer, void* reference) {
  if (status == napi_ok) return {env, buffer};
  drop(nullptr, reference);
  const bool forbidden = status == napi_no_external_buffers_allowed;
  return number(env, forbidden ? -ENOTSUP : -ENOMEM);
}

// node_api_create_external_sharedarraybuffer: Node 22.23, 24.16, 26.1. Looked up at run
// time so that one binary serves the runtimes that lack it.
using CreateShared = napi_status (*)(napi_env, void*, size_t, void (*)(void*, void*),
                                     void*, napi_value*);

CreateShared create_shared() {
  static const auto function = reinterpret_cast<CreateShared>(
      dlsym(RTLD_DEFAULT, "node_api_create_external_sharedarraybuffer"));
  return function;
}

// Whether a buffer of that length can be over the mapping: not over a reservation, nor
// over pages that the engine unmaps with the buffer they were moved onto.
bool holds(const core::Mapping& mapping, size_t length) {
  return mapping.range()->owner() == core::AddressRange::Owner::kMemmap &&
         mapping.at(0, length) != nullptr && has_pages(mapping.address(), length);
}

// arrayBuffer(handle, length) -> ArrayBuffer | -errno. V8 counts its length as external
// memory; the caller has checked it against the runtime's limit.
Napi::Value array_buffer(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  const size_t length = size(info[1]);
  if (mapping == nullptr || !holds(*mapping, length)) {
    return number(info.Env(), -kNotOurs);
  }
  void* reference = hold(mapping->range());
  napi_value buffer = nullptr;
  napi_status status = napi_create_external_arraybuffer(
      info.Env(), mapping->address(), length, drop_with_env, reference, &buffer);
  return made(info.Env(), status, buffer, reference);
}

// sharedBuffer(handle, length) -> SharedArrayBuffer | -errno; ENOSYS: the runtime cannot
Napi::Value shared_buffer(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  const size_t length = size(info[1]);
  if (mapping == nullptr || !holds(*mapping, length)) {
    return number(info.Env(), -kNotOurs);
  }
  if (create_shared() == nullptr) return number(info.Env(), -ENOSYS);
  void* reference = hold(mapping->range());
  napi_value buffer = nullptr;
  napi_status status =
      create_shared()(info.Env(), mapping->address(), length, drop, reference, &buffer);
  return made(info.Env(), status, buffer, reference);
}

// overlay(handle, view: Uint8Array) -> 0 | -errno. Moves the pages under the view. The
// caller keeps its buffer as long as the mapping: the engine unmaps the pages with it.
Napi::Value overlay(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr) return number(info.Env(), -kNotOurs);
  const auto view = elements<uint8_t>(info[1]);
  if (!has_pages(mapping->address(), mapping->length())) {
    return number(info.Env(), -kNotOurs);
  }
  // The engine reserved whole pages for the buffer, and none behind them.
  if (core::round_up(view.size(), core::page_size()) != mapping->length()) {
    return number(info.Env(), -EINVAL);
  }
  return to_js(info.Env(), mapping->overlay(view.data()));
}

// hasExternalBuffers() -> boolean: whether the engine lets a buffer lie over memory that
// is not its own. One with a sandbox does not: Electron's.
Napi::Value has_external_buffers(const Napi::CallbackInfo& info) {
  static uint8_t byte = 0;
  napi_value buffer = nullptr;
  napi_status status = napi_create_external_arraybuffer(info.Env(), &byte, sizeof byte,
                                                        nullptr, nullptr, &buffer);
  return Napi::Boolean::New(info.Env(), status != napi_no_external_buffers_allowed);
}

// hasExternalShared() -> boolean
Napi::Value has_external_shared(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), create_shared() != nullptr);
}

// detach(ArrayBuffer): empties every view of it. Not if it is detached already.
void detach(const Napi::CallbackInfo& info) {
  static_cast<void>(napi_detach_arraybuffer(info.Env(), info[0]));
}

// collect(): makes V8 look for dead buffers. It counts no byte of a SharedArrayBuffer,
// and would let closed ranges pile up until the address space is full.
void collect(const Napi::CallbackInfo& info) {
  constexpr int64_t kPressure = int64_t{1} << 40;
  int64_t adjusted = 0;
  if (napi_adjust_external_memory(info.Env(), kPressure, &adjusted) == napi_ok) {
    napi_adjust_external_memory(info.Env(), -kPressure, &adjusted);
  }
}

}  // namespace

void export_buffer(Napi::Env env, Napi::Object exports) {
  add<array_buffer>(env, exports, "arrayBuffer");
  add<shared_buffer>(env, exports, "sharedBuffer");
  add<overlay>(env, exports, "overlay");
  add<has_external_buffers>(env, exports, "hasExternalBuffers");
  add<has_external_shared>(env, exports, "hasExternalShared");
  add<detach>(env, exports, "detach");
  add<collect>(env, exports, "collect");
}

}  // namespace memmap::napi
