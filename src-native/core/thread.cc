#include "core/thread.h"

#include <pthread.h>

#include <cstddef>
#include <memory>

namespace memmap::core {
namespace {

// They call little; the handler of a fault runs here too, and sanitizers want their
// share.
constexpr size_t kStack = size_t{256} << 10;

struct Start {
  const char* name;
  void (*work)(void*);
  void* data;
};

void* enter(void* given) {
  const Start start = *std::unique_ptr<Start>(static_cast<Start*>(given));
  static_cast<void>(pthread_setname_np(pthread_self(), start.name));
  start.work(start.data);
  return nullptr;
}

}  // namespace

sys::Errno start_thread(const char* name, void (*work)(void*), void* data) {
  std::unique_ptr<Start> start(new Start{name, work, data});
  pthread_attr_t attributes;
  if (int error = pthread_attr_init(&attributes); error != 0) return {error};
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStack);
  // Inherited: it never runs with another mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread = {};
  const int error = pthread_create(&thread, &attributes, enter, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error == 0) static_cast<void>(start.release());
  return {error};
}

FaultsLetThrough::FaultsLetThrough() {
  sigset_t faults;
  sigemptyset(&faults);
  sigaddset(&faults, SIGBUS);
  sigaddset(&faults, SIGSEGV);
  pthread_sigmask(SIG_UNBLOCK, &faults, &before_);
}

FaultsLetThrough::~FaultsLetThrough() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace memmap::core
