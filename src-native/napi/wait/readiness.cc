// Tells the threads of JavaScript which of their descriptors are ready: one thread of the
// process waits for all of them.
#include "core/wait/readiness.h"

#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/thread.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/thread_function.h"

namespace memmap::napi {
namespace {

// A token is the number of the environment, and the environment's own number of the
// watch.
constexpr unsigned kShift = 32;

struct Ear {
  napi_threadsafe_function function = nullptr;
  std::vector<uint32_t> ready;
};

struct Ears {
  std::mutex mutex;
  std::unordered_map<uint64_t, Ear> by_number;
  std::unordered_map<napi_env, uint64_t> numbers;
  uint64_t last = 0;
  bool thread_runs = false;
};

Ears& ears() {
  static Ears& instance = *new Ears;  // the thread outlives static destructors
  return instance;
}

void wait(void*) {
  epoll_event events[64];
  for (;;) {
    sys::Result<int> count = core::wait_for_readiness(events);
    if (!count) return;
    Ears& all = ears();
    std::lock_guard lock(all.mutex);
    for (int i = 0; i < *count; ++i) {
      const uint64_t token = events[i].data.u64;
      auto found = all.by_number.find(token >> kShift);
      if (found == all.by_number.end()) continue;  // its thread has ended
      Ear& ear = found->second;
      ear.ready.push_back(static_cast<uint32_t>(token));
      // A call that is pending takes all that is ready.
      napi_call_threadsafe_function(ear.function, nullptr, napi_tsfn_nonblocking);
    }
  }
}

void forget(void* env) {
  Ears& all = ears();
  std::lock_guard lock(all.mutex);
  const auto number = all.numbers.find(static_cast<napi_env>(env));
  if (number == all.numbers.end()) return;
  end_thread_function(all.by_number[number->second].function);
  all.by_number.erase(number->second);
  all.numbers.erase(number);
}

// onReady(callback) -> 0 | -errno: from now on called when takeReady() has something.
// Does not keep the process alive, unless keepAlive(true). Again: nothing.
Napi::Value on_ready(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (sys::Errno error = core::open_readiness(); error.failed()) return to_js(env, error);
  Ears& all = ears();
  std::lock_guard lock(all.mutex);
  if (all.numbers.contains(env)) return number(env, 0);
  if (!all.thread_runs) {
    const sys::Errno error = core::start_thread("memmap-sockets", wait, nullptr);
    if (error.failed()) return to_js(env, error);
    all.thread_runs = true;
  }
  ThreadFunction wanted;
  wanted.stop = forget;
  wanted.owner = static_cast<napi_env>(env);
  napi_threadsafe_function function = nullptr;
  const sys::Errno error = make_thread_function(env, info[0], wanted, function);
  if (error.failed()) return to_js(env, error);
  all.last += 1;
  all.numbers[env] = all.last;
  all.by_number[all.last].function = function;
  return number(env, 0);
}

// keepAlive(boolean): whether waiting keeps the process alive.
void keep_alive(const Napi::CallbackInfo& info) {
  Ears& all = ears();
  std::lock_guard lock(all.mutex);
  auto found = all.numbers.find(info.Env());
  if (found == all.numbers.end()) return;
  napi_threadsafe_function function = all.by_number[found->second].function;
  if (info[0].As<Napi::Boolean>().Value()) {
    napi_ref_threadsafe_function(info.Env(), function);
  } else {
    napi_unref_threadsafe_function(info.Env(), function);
  }
}

// takeReady() -> Uint32Array of watches that reported since the last call
Napi::Value take_ready(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> ready;
  {
    Ears& all = ears();
    std::lock_guard lock(all.mutex);
    auto found = all.numbers.find(info.Env());
    if (found != all.numbers.end()) ready.swap(all.by_number[found->second].ready);
  }
  return new_array(info.Env(), ready);
}

// arm(fd, watch, forReading, forWriting) -> 0 | -errno, after onReady(). Hang-ups are
// always reported.
Napi::Value arm(const Napi::CallbackInfo& info) {
  uint64_t environment = 0;
  {
    Ears& all = ears();
    std::lock_guard lock(all.mutex);
    const auto found = all.numbers.find(info.Env());
    if (found == all.numbers.end()) return number(info.Env(), -EINVAL);
    environment = found->second;
  }
  uint32_t events = EPOLLRDHUP;
  if (info[2].As<Napi::Boolean>().Value()) events |= EPOLLIN;
  if (info[3].As<Napi::Boolean>().Value()) events |= EPOLLOUT;
  const uint32_t watch = info[1].As<Napi::Number>().Uint32Value();
  return to_js(info.Env(),
               core::arm(int32(info[0]), environment << kShift | watch, events));
}

void disarm(const Napi::CallbackInfo& info) { core::disarm(int32(info[0])); }

}  // namespace

void export_readiness(Napi::Env env, Napi::Object exports) {
  add<on_ready>(env, exports, "onReady");
  add<keep_alive>(env, exports, "keepAlive");
  add<take_ready>(env, exports, "takeReady");
  add<arm>(env, exports, "arm");
  add<disarm>(env, exports, "disarm");
}

}  // namespace memmap::napi
