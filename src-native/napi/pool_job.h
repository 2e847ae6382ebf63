// A job on libuv's pool, whose end resolves a promise. Plain Node-API: a worker that is
// being ended completes its jobs too, and then no call that would run JavaScript
// succeeds. Nobody waits for the promise any more; Napi::AsyncWorker would abort the
// process.
#pragma once

#include <napi.h>

#include <cerrno>
#include <memory>

#include "napi/convert.h"

namespace memmap::napi {

// What each kind of job begins with.
struct PoolJob {
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

// Has `execute` run on the pool, then `complete` on the thread of `env`: the latter owns
// the job, and ends it by resolve(). -> Promise | -ENOMEM
template <typename Job>
Napi::Value queue(Napi::Env env, std::unique_ptr<Job> job,
                  napi_async_execute_callback execute,
                  napi_async_complete_callback complete) {
  if (napi_create_async_work(env, nullptr, Napi::String::New(env, "memmap"), execute,
                             complete, job.get(), &job->work) != napi_ok) {
    return number(env, -ENOMEM);
  }
  napi_value promise = nullptr;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    static_cast<void>(napi_delete_async_work(env, job->work));
    return number(env, -ENOMEM);
  }
  static_cast<void>(job.release());  // complete() has it
  return {env, promise};
}

// With no result, as in a worker that is being ended, the promise stays as it is.
inline void resolve(napi_env env, const PoolJob& job, const Napi::Value& result) {
  if (!result.IsEmpty()) {
    static_cast<void>(napi_resolve_deferred(env, job.deferred, result));
  }
  static_cast<void>(napi_delete_async_work(env, job.work));
}

}  // namespace memmap::napi
