// Waiting on words that processes share, and the liveness of those who share them.
#include "sys/futex.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <vector>

#include "core/extent/vma.h"
#include "core/wait/liveness.h"
#include "core/wait/waiter.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "napi/thread_function.h"
#include "napi/wait/futex_ring.h"

namespace memmap::napi {

// The waits of one JavaScript thread.
struct Listener {
  napi_threadsafe_function function = nullptr;
  uint32_t pending = 0;  // of that thread alone
  Ring* ring = nullptr;  // ends after the listener, with the thread
};

namespace {

// The word `info[1]` of the Int32Array `info[0]`, or null.
char* word_of(const Napi::CallbackInfo& info) {
  const auto words = elements<int32_t>(info[0]);
  const size_t index = info[1].As<Napi::Number>().Uint32Value();
  return index < words.size() ? reinterpret_cast<char*>(&words[index]) : nullptr;
}

uint32_t bits(const Napi::Value& value) { return static_cast<uint32_t>(int32(value)); }

// Milliseconds as nanoseconds: none that are negative or no number, at most a century.
int64_t nanoseconds(const Napi::Value& ms) {
  constexpr double kMost = 3.2e18;
  const double ns = ms.As<Napi::Number>().DoubleValue() * 1e6;
  return ns > 0 ? static_cast<int64_t>(std::min(ns, kMost)) : 0;
}

timespec duration(const Napi::Value& ms) {
  const int64_t ns = nanoseconds(ms);
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

// futexWait(words, index, expected, ms) -> 0 | -errno
Napi::Value futex_wait(const Napi::CallbackInfo& info) {
  const char* word = word_of(info);
  if (word == nullptr) return number(info.Env(), -EFAULT);
  const timespec time = duration(info[3]);
  return to_js(info.Env(), sys::futex_wait(word, bits(info[2]), &time));
}

// futexWake(words, index, count) -> number woken | -errno
Napi::Value futex_wake(const Napi::CallbackInfo& info) {
  const char* word = word_of(info);
  if (word == nullptr) return number(info.Env(), -EFAULT);
  auto woken = sys::futex_wake(word, int32(info[2]));
  if (!woken) return to_js(info.Env(), woken.error());
  return number(info.Env(), *woken);
}

// futexWaitAt(address, expected, ms) -> 0 | -errno. Any address: the kernel answers
// EFAULT.
Napi::Value futex_wait_at(const Napi::CallbackInfo& info) {
  const timespec time = duration(info[2]);
  return to_js(info.Env(), sys::futex_wait(pointer(info[0]), bits(info[1]), &time));
}

// futexWakeAt(address, count) -> number woken | -errno
Napi::Value futex_wake_at(const Napi::CallbackInfo& info) {
  auto woken = sys::futex_wake(pointer(info[0]), int32(info[1]));
  if (!woken) return to_js(info.Env(), woken.error());
  return number(info.Env(), *woken);
}

// futexWaitv(addresses: BigUint64Array, expected: Int32Array, ms) -> index | -errno
Napi::Value futex_waitv(const Napi::CallbackInfo& info) {
  const auto addresses = elements<uint64_t>(info[0]);
  const auto expected = elements<int32_t>(info[1]);
  const size_t count = std::min(addresses.size(), expected.size());
  std::vector<sys::FutexWaitv> waiters(count);
  for (size_t i = 0; i < count; i++) {
    waiters[i].value = static_cast<uint32_t>(expected[i]);
    waiters[i].word = addresses[i];
    waiters[i].flags = sys::kFutex32;
  }
  timespec deadline = {};
  ::clock_gettime(CLOCK_MONOTONIC, &deadline);
  const timespec time = duration(info[2]);
  deadline.tv_sec += time.tv_sec;
  deadline.tv_nsec += time.tv_nsec;
  if (deadline.tv_nsec >= 1'000'000'000) {
    deadline.tv_sec += 1;
    deadline.tv_nsec -= 1'000'000'000;
  }
  auto woken = sys::futex_waitv(waiters.data(), static_cast<unsigned>(count), &deadline);
  if (!woken) return to_js(info.Env(), woken.error());
  return number(info.Env(), *woken);
}

Listener*& listener_of(Napi::Env env) { return Environment::of(env).listener(); }

Ring* ring_of(Napi::Env env) {
  const Listener* listener = listener_of(env);
  return listener != nullptr ? listener->ring : nullptr;
}

// What the other thread tells: the number of a wait, and whether it goes on.
constexpr uintptr_t kStays = 1;

void send(void* listener, uintptr_t told) {
  napi_call_threadsafe_function(static_cast<Listener*>(listener)->function,
                                reinterpret_cast<void*>(told), napi_tsfn_nonblocking);
}

void tell(void* listener, uint64_t id) { send(listener, id << 1); }

void tell_change(void* listener, uint64_t id) { send(listener, id << 1 | kStays); }

// A pending wait keeps the process alive, as any operation does.
void settle(napi_env env, Listener& listener) {
  listener.pending -= 1;
  if (listener.pending == 0) napi_unref_threadsafe_function(env, listener.function);
}

void hear(napi_env env, napi_value callback, void* context, void* data) {
  if (env == nullptr) return;  // the thread is ending
  const auto told = reinterpret_cast<uintptr_t>(data);
  const uintptr_t wait = told >> 1;
  const auto number = static_cast<double>(wait);
  if ((told & kStays) != 0) {
    core::heard_wait(wait);
  } else {
    settle(env, *static_cast<Listener*>(context));
  }
  napi_value id = nullptr;
  napi_value receiver = nullptr;
  if (napi_create_double(env, number, &id) != napi_ok) return;
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  static_cast<void>(napi_call_function(env, receiver, callback, 1, &id, nullptr));
}

void stop_listening(void* data) {
  auto* listener = static_cast<Listener*>(data);
  core::cancel_waits(listener);
  end_thread_function(listener->function);
}

void forget_listener(napi_env, void*, void* context) {
  delete static_cast<Listener*>(context);
}

// onWake(callback, inLoop) -> 0 | -errno: called with the number of each wait that is
// over, or whose word has changed. Again: nothing.
Napi::Value on_wake(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (listener_of(env) != nullptr) return number(env, 0);
  auto listener = std::make_unique<Listener>();
  ThreadFunction wanted;
  wanted.queue = 0;
  wanted.hear = hear;
  wanted.context = listener.get();
  wanted.forget = forget_listener;
  wanted.stop = stop_listening;
  wanted.owner = listener.get();
  const sys::Errno error = make_thread_function(env, info[0], wanted, listener->function);
  if (error.failed()) return to_js(env, error);
  if (info[1].As<Napi::Boolean>().Value()) {
    listener->ring = Ring::start(env, info[0].As<Napi::Function>());
  }
  listener_of(env) = listener.release();
  return number(env, 0);
}

// Starts a wait for the word `info[1]` of the Int32Array `info[0]` that holds `info[2]`:
// its number | -errno, after onWake()
double start(const Napi::CallbackInfo& info, core::Wait wait) {
  const char* word = word_of(info);
  if (word == nullptr) return -EFAULT;
  wait.listener = listener_of(info.Env());
  if (wait.listener == nullptr) return -EINVAL;
  wait.range =
      core::AddressRange::find(reinterpret_cast<uintptr_t>(word), sizeof(int32_t), true);
  if (wait.range == nullptr) return -kNotOurs;
  wait.word = word;
  wait.expected = bits(info[2]);
  auto id = core::start_wait(std::move(wait));
  return id ? static_cast<double>(*id) : -id.error().value;
}

// waitAsync(words, index, expected, ms) -> number of the wait | -errno
Napi::Value wait_async(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  core::Wait wait;
  wait.deadline =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds(nanoseconds(info[3]));
  wait.done = tell;
  const double id = start(info, std::move(wait));
  if (id < 0) return number(env, id);
  Listener* listener = listener_of(env);
  if (listener->pending == 0) napi_ref_threadsafe_function(env, listener->function);
  listener->pending += 1;
  return number(env, id);
}

// The same in the event loop: 0 if it cannot.
double start_in_loop(const Napi::CallbackInfo& info) {
  Ring* ring = ring_of(info.Env());
  const char* word = word_of(info);
  if (ring == nullptr || word == nullptr) return 0;
  auto range =
      core::AddressRange::find(reinterpret_cast<uintptr_t>(word), sizeof(int32_t), true);
  if (range == nullptr) return 0;
  auto id = ring->words().watch(std::move(range), reinterpret_cast<const uint32_t*>(word),
                                bits(info[2]));
  return id ? static_cast<double>(*id) : 0;
}

// watch(words, index, expected) -> number of the wait | -errno. Goes on until unwatch(),
// and does not keep the process alive.
Napi::Value watch(const Napi::CallbackInfo& info) {
  const double in_loop = start_in_loop(info);
  if (in_loop != 0) return number(info.Env(), in_loop);
  core::Wait wait;
  wait.deadline = std::chrono::steady_clock::time_point::max();
  wait.stays = true;
  wait.done = tell_change;
  return number(info.Env(), start(info, std::move(wait)));
}

// unwatch(id)
Napi::Value unwatch(const Napi::CallbackInfo& info) {
  const auto id = static_cast<uint64_t>(int64(info[0]));
  if (id < core::FutexRing::kFirst) {
    core::cancel_wait(listener_of(info.Env()), id, true);
  } else if (Ring* ring = ring_of(info.Env()); ring != nullptr) {
    ring->words().unwatch(id);
  }
  return info.Env().Undefined();
}

// cancelWait(id) -> boolean: false if it is over already, and its callback to come
Napi::Value cancel_wait(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Listener* listener = listener_of(env);
  const bool cancelled =
      core::cancel_wait(listener, static_cast<uint64_t>(int64(info[0])), false);
  if (cancelled) settle(env, *listener);
  return Napi::Boolean::New(env, cancelled);
}

// behind(words, facts: BehindFact) -> path | -errno. What is mapped at the first word.
Napi::Value behind(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto words = elements<int32_t>(info[0]);
  const auto facts = elements<double>(info[1]);
  if (facts.size() < BehindFact::kAll) return number(env, -EINVAL);
  const auto address = reinterpret_cast<uintptr_t>(words.data());
  if (core::AddressRange::find(address, words.size_bytes(), true) == nullptr) {
    return number(env, -kNotOurs);
  }
  if (sys::Errno error = core::prepare_find_vma(); error.failed()) {
    return to_js(env, error);
  }
  core::Vma vma = {};
  core::VmaText text;
  if (!core::find_vma(address, vma, text)) return number(env, -kNotOurs);
  facts[BehindFact::kStart] = static_cast<double>(vma.start);
  facts[BehindFact::kEnd] = static_cast<double>(vma.end);
  facts[BehindFact::kInode] = static_cast<double>(vma.inode);
  facts[BehindFact::kShared] = vma.shared ? 1 : 0;
  facts[BehindFact::kWritable] = vma.writable ? 1 : 0;
  return Napi::String::New(env, vma.path);
}

// openLivenessFile(path, inode) -> fd | -errno. The thread holds it: closeFd.
Napi::Value open_liveness_file(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  auto fd = core::open_liveness_file(path.c_str(), static_cast<uint64_t>(int64(info[1])));
  if (!fd) return to_js(info.Env(), fd.error());
  return number(info.Env(), Environment::of(info.Env()).hold_fd(std::move(*fd)));
}

// localLivenessFile() -> fd of a memfd of the process | -errno
Napi::Value local_liveness_file(const Napi::CallbackInfo& info) {
  auto fd = core::local_liveness_file();
  if (!fd) return to_js(info.Env(), fd.error());
  return number(info.Env(), *fd);
}

// claimId(fd, id) -> 0 | -errno
Napi::Value claim_id(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), core::claim_id(int32(info[0]), bits(info[1])));
}

// is_alive(fd, id) -> 1 | 0 | -errno
Napi::Value is_alive(const Napi::CallbackInfo& info) {
  auto result = core::is_alive(int32(info[0]), bits(info[1]));
  if (!result) return to_js(info.Env(), result.error());
  return number(info.Env(), *result ? 1 : 0);
}

}  // namespace

void export_sync(Napi::Env env, Napi::Object exports) {
  add<futex_wait>(env, exports, "futexWait");
  add<futex_wake>(env, exports, "futexWake");
  add<futex_wait_at>(env, exports, "futexWaitAt");
  add<futex_wake_at>(env, exports, "futexWakeAt");
  add<futex_waitv>(env, exports, "futexWaitv");
  add<on_wake>(env, exports, "onWake");
  add<wait_async>(env, exports, "waitAsync");
  add<cancel_wait>(env, exports, "cancelWait");
  add<watch>(env, exports, "watch");
  add<unwatch>(env, exports, "unwatch");
  add<behind>(env, exports, "behind");
  add<open_liveness_file>(env, exports, "openLivenessFile");
  add<local_liveness_file>(env, exports, "localLivenessFile");
  add<claim_id>(env, exports, "claimId");
  add<is_alive>(env, exports, "isAlive");
}

}  // namespace memmap::napi
