#include "napi/thread_function.h"

#include <cerrno>

namespace memmap::napi {

sys::Errno make_thread_function(Napi::Env env, const Napi::Value& callback,
                                const ThreadFunction& wanted,
                                napi_threadsafe_function& function) {
  if (!callback.IsFunction()) return {EINVAL};
  const napi_status status = napi_create_threadsafe_function(
      env, callback, nullptr, Napi::String::New(env, "memmap"), wanted.queue, 1, nullptr,
      wanted.forget, wanted.context, wanted.hear, &function);
  if (status != napi_ok) return {ENOMEM};
  napi_unref_threadsafe_function(env, function);
  napi_add_env_cleanup_hook(env, wanted.stop, wanted.owner);
  return {};
}

void end_thread_function(napi_threadsafe_function function) {
  napi_release_threadsafe_function(function, napi_tsfn_abort);
}

}  // namespace memmap::napi
