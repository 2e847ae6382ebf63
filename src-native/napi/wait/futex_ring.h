// The futex ring of a JavaScript thread, in its event loop.
//
// Node-API has no way to poll a descriptor. libuv has, and is found at run time: where
// there is none, or no io_uring(7), there is no ring, and core/waiter.h does the same.
#pragma once

#include <napi.h>

#include <memory>

#include "core/wait/futex_ring.h"

struct uv_handle_s;

namespace memmap::napi {

class Ring {
 public:
  // Calls `changed` with the number of each watch whose word has changed. Null: there can
  // be none. Ends with the thread, by itself. Does not keep the process alive.
  static Ring* start(Napi::Env env, Napi::Function changed);

  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  core::FutexRing& words() { return *words_; }

 private:
  Ring(Napi::Env env, Napi::Function changed, std::unique_ptr<core::FutexRing> words);
  static void ready(uv_handle_s* poll, int status, int events);
  static void end(napi_async_cleanup_hook_handle hook, void* ring);
  void tell();
  void call(double id);

  napi_env env_;
  napi_ref changed_ = nullptr;
  napi_async_context context_ = nullptr;
  std::unique_ptr<core::FutexRing> words_;
  uv_handle_s* poll_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace memmap::napi
