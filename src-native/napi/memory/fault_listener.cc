// The news of faults: a count that JavaScript reads, and a call to each thread that wants
// to hear of them.
#include <mutex>
#include <unordered_map>

#include "core/extent/fault_counts.h"
#include "core/guard/fault_news.h"
#include "core/thread.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/thread_function.h"

namespace memmap::napi {
namespace {

// The threads of JavaScript that want to hear, and the thread that tells them.
struct Listeners {
  std::mutex mutex;
  std::unordered_map<napi_env, napi_threadsafe_function> functions;
  bool thread_runs = false;
};

Listeners& listeners() {
  static Listeners& instance = *new Listeners;  // the thread outlives static destructors
  return instance;
}

void tell(void*) {
  for (;;) {
    core::wait_for_fault_news();
    Listeners& all = listeners();
    std::lock_guard lock(all.mutex);
    for (const auto& [env, function] : all.functions) {
      napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking);
    }
  }
}

void stop_telling(void* env) {
  Listeners& all = listeners();
  std::lock_guard lock(all.mutex);
  const auto found = all.functions.find(static_cast<napi_env>(env));
  if (found == all.functions.end()) return;
  end_thread_function(found->second);
  all.functions.erase(found);
}

// onFault(callback) -> 0 | -errno: called on this thread after faults on any, once for
// all that came together. Does not keep the process alive. Again: nothing.
Napi::Value on_fault(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Listeners& all = listeners();
  std::lock_guard lock(all.mutex);
  if (all.functions.contains(env)) return number(env, 0);
  if (!all.thread_runs) {
    const sys::Errno error = core::start_thread("memmap-faults", tell, nullptr);
    if (error.failed()) return to_js(env, error);
    all.thread_runs = true;
  }
  ThreadFunction wanted;
  wanted.stop = stop_telling;
  wanted.owner = static_cast<napi_env>(env);
  napi_threadsafe_function function = nullptr;
  const sys::Errno error = make_thread_function(env, info[0], wanted, function);
  if (!error.failed()) all.functions.emplace(env, function);
  return to_js(env, error);
}

// faultCounter() -> Uint32Array of one number: the faults of the process, as they happen.
// Undefined if the runtime allows no buffers over memory of ours.
Napi::Value fault_counter(const Napi::CallbackInfo& info) {
  core::FaultCounts& process = core::process_counts();
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  const bool made =
      napi_create_external_arraybuffer(info.Env(), &process.all, sizeof process.all,
                                       nullptr, nullptr, &buffer) == napi_ok &&
      napi_create_typedarray(info.Env(), napi_uint32_array, 1, buffer, 0, &array) ==
          napi_ok;
  return made ? Napi::Value(info.Env(), array) : info.Env().Undefined();
}

}  // namespace

void export_fault_listener(Napi::Env env, Napi::Object exports) {
  add<fault_counter>(env, exports, "faultCounter");
  add<on_fault>(env, exports, "onFault");
}

}  // namespace memmap::napi
