// A function of a JavaScript thread that any thread may have called. Does not keep the
// process alive, unless it is told to (napi_ref_threadsafe_function).
#pragma once

#include <napi.h>

#include <cstddef>

#include "sys/result.h"

namespace memmap::napi {

struct ThreadFunction {
  // How many calls may wait for the thread. 1: what comes meanwhile is the same news and
  // is left out. 0: any number.
  size_t queue = 1;
  // Called on the thread; null: the function is, without arguments.
  napi_threadsafe_function_call_js hear = nullptr;
  // Of `hear`, and of `forget`, which is the last to be called with it.
  void* context = nullptr;
  napi_finalize forget = nullptr;
  // Called with `owner` when the thread ends. It makes sure that nobody calls the
  // function any more, and then ends it: end_thread_function().
  void (*stop)(void* owner) = nullptr;
  void* owner = nullptr;
};

// Makes it of `callback`. EINVAL: that is no function. ENOMEM.
sys::Errno make_thread_function(Napi::Env env, const Napi::Value& callback,
                                const ThreadFunction& wanted,
                                napi_threadsafe_function& function);

void end_thread_function(napi_threadsafe_function function);

}  // namespace memmap::napi
