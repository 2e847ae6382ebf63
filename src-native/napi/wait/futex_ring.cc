#include "napi/wait/futex_ring.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>

#include "napi/uv.h"

namespace memmap::napi {
namespace {

template <typename Function>
bool found(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr;
}

}  // namespace

const Uv* Uv::find() {
  static Uv uv = {};
  static const bool there =
      found(uv.version, "uv_version") && found(uv.handle_size, "uv_handle_size") &&
      found(uv.handle_get_data, "uv_handle_get_data") &&
      found(uv.handle_set_data, "uv_handle_set_data") &&
      found(uv.poll_init, "uv_poll_init") && found(uv.poll_start, "uv_poll_start") &&
      found(uv.unref, "uv_unref") && found(uv.close, "uv_close") &&
      uv.version() >> 16 == kMajor;
  return there ? &uv : nullptr;
}

Ring* Ring::start(Napi::Env env, Napi::Function changed) {
  const Uv* uv = Uv::find();
  uv_loop_s* loop = nullptr;
  if (uv == nullptr || napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  auto words = core::FutexRing::create();
  if (!words) return nullptr;
  auto* ring = new Ring(env, changed, std::move(*words));
  // As large as the running libuv has it.
  ring->poll_ = static_cast<uv_handle_s*>(std::malloc(uv->handle_size(Uv::kPoll)));
  if (ring->poll_ == nullptr) std::abort();
  if (uv->poll_init(loop, ring->poll_, ring->words_->fd()) != 0) {
    std::free(ring->poll_);
    delete ring;
    return nullptr;
  }
  uv->handle_set_data(ring->poll_, ring);
  uv->poll_start(ring->poll_, Uv::kReadable, ready);
  uv->unref(ring->poll_);
  napi_add_async_cleanup_hook(env, end, ring, &ring->hook_);
  return ring;
}

Ring::Ring(Napi::Env env, Napi::Function changed, std::unique_ptr<core::FutexRing> words)
    : env_(env), words_(std::move(words)) {
  napi_create_reference(env, changed, 1, &changed_);
  napi_async_init(env, nullptr, Napi::String::New(env, "memmap"), &context_);
}

Ring::~Ring() {
  napi_async_destroy(env_, context_);
  napi_delete_reference(env_, changed_);
}

void Ring::ready(uv_handle_s* poll, int, int) {
  static_cast<Ring*>(Uv::find()->handle_get_data(poll))->tell();
}

void Ring::tell() {
  for (const uint64_t id : words_->take()) {
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
    call(static_cast<double>(id));
    napi_close_handle_scope(env_, scope);
  }
}

// A thread that is being terminated runs no JavaScript, but its loop still turns: nothing
// here may insist.
void Ring::call(double id) {
  napi_value number = nullptr;
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  if (napi_create_double(env_, id, &number) != napi_ok) return;
  if (napi_get_reference_value(env_, changed_, &function) != napi_ok) return;
  if (napi_get_global(env_, &receiver) != napi_ok) return;
  static_cast<void>(
      napi_make_callback(env_, context_, receiver, function, 1, &number, nullptr));
}

void Ring::end(napi_async_cleanup_hook_handle hook, void* data) {
  auto* ring = static_cast<Ring*>(data);
  ring->hook_ = hook;
  Uv::find()->close(ring->poll_, [](uv_handle_s* handle) {
    auto* closed = static_cast<Ring*>(Uv::find()->handle_get_data(handle));
    auto* const done = closed->hook_;
    std::free(handle);
    delete closed;
    napi_remove_async_cleanup_hook(done);
  });
}

}  // namespace memmap::napi
