// Tells the threads of JavaScript which of their descriptors are ready: one thread of the
// process waits for all of them.
#include "core/readiness.h"

#include <pthread.h>
#include <signal.h>

#include <mutex>
#include <unordered_map>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"

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

void* wait(void*) {
  epoll_event events[64];
  for (;;) {
    sys::Result<int> count = core::wait_for_readiness(events);
    if (!count) return nullptr;
    Ears& all = ears();
    std::lock_guard lock(all.mutex);
    for (int i = 0; i < *count; ++i) {
      const uint64_t token = events[i].data.u64;
      auto found = all.by_number.find(token >> kShift);
      if (found == all.by_number.end()) continue;  // its thread has ended
      Ear& ear = found->second;
      ear.ready.push_back(static_cast<uint32_t>(token));
      // A queue of one: a call that is pending takes all that is ready.
      napi_call_threadsafe_function(ear.function, nullptr, napi_tsfn_nonblocking);
    }
  }
}

// Takes no signals, which are for the threads that expect them.
sys::Errno start_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread = {};
  const int error = pthread_create(&thread, &detached, wait, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&detached);
  return {error};
}

void forget(void* data) {
  auto* env = static_cast<napi_env>(data);
  Ears& all = ears();
  std::lock_guard lock(all.mutex);
  auto number = all.numbers.find(env);
  if (number == all.numbers.end()) return;
  napi_release_threadsafe_function(all.by_number[number->second].function,
                                   napi_tsfn_abort);
  all.by_number.erase(number->second);
  all.numbers.erase(number);
}

// onReady(callback) -> 0 | -errno: from now on called when takeReady() has something.
// Does not keep the process alive, unless keepAlive(true).
Napi::Value on_ready(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (sys::Errno error = core::open_readiness(); error.failed()) return to_js(env, error);
  Ears& all = ears();
  std::lock_guard lock(all.mutex);
  if (!all.thread_runs) {
    if (sys::Errno error = start_thread(); error.failed()) return to_js(env, error);
    all.thread_runs = true;
  }
  napi_threadsafe_function function = nullptr;
  napi_status status = napi_create_threadsafe_function(
      env, info[0], nullptr, Napi::String::New(env, "memmap"), 1, 1, nullptr, nullptr,
      nullptr, nullptr, &function);
  if (status != napi_ok) return number(env, -ENOMEM);
  napi_unref_threadsafe_function(env, function);
  napi_add_env_cleanup_hook(env, forget, static_cast<napi_env>(env));
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
  auto out = Napi::Uint32Array::New(info.Env(), ready.size());
  for (size_t i = 0; i < ready.size(); ++i) out[i] = ready[i];
  return out;
}

// arm(fd, watch, forReading, forWriting) -> 0 | -errno. Hang-ups are always reported.
Napi::Value arm(const Napi::CallbackInfo& info) {
  uint64_t environment = 0;
  {
    Ears& all = ears();
    std::lock_guard lock(all.mutex);
    environment = all.numbers[info.Env()];
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
