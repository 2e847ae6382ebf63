// System calls off the main thread, on libuv's pool: each does a bounded piece of work.
// A job holds the AddressRange, so closing the mapping meanwhile is safe: the job then
// acts on zero pages.
#include <cerrno>
#include <memory>
#include <utility>

#include "napi/convert.h"
#include "napi/exports.h"
#include "sys/memory.h"

namespace memmap::napi {
namespace {

using Call = sys::Errno (*)(void*, size_t, int);

struct RangeJob {
  Call call;
  Target at;
  int flags;
  sys::Errno result;
  napi_deferred deferred;
  napi_async_work work;
};

void execute(napi_env, void* data) {
  auto* job = static_cast<RangeJob*>(data);
  job->result = job->call(job->at.address, job->at.length, job->flags);
}

// Plain Node-API: a worker that is being ended runs this too, and then no call that would
// run JavaScript succeeds. Nobody waits for the promise any more; Napi::AsyncWorker would
// abort the process.
void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<RangeJob> job(static_cast<RangeJob*>(data));
  napi_value result = nullptr;
  if (napi_create_int32(env, -job->result.value, &result) == napi_ok) {
    static_cast<void>(napi_resolve_deferred(env, job->deferred, result));
  }
  static_cast<void>(napi_delete_async_work(env, job->work));
}

// msyncAsync(target, offset, length, flags), madviseAsync(target, offset, length, advice)
// -> Promise of 0 | -errno
template <auto kCall>
Napi::Value in_background(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  napi_env env = info.Env();
  std::unique_ptr<RangeJob> job(
      new RangeJob{kCall, std::move(at), int32(info[3]), {}, nullptr, nullptr});
  napi_value promise = nullptr;
  const bool queued =
      napi_create_promise(env, &job->deferred, &promise) == napi_ok &&
      napi_create_async_work(env, nullptr, Napi::String::New(env, "memmap"), execute,
                             complete, job.get(), &job->work) == napi_ok &&
      napi_queue_async_work(env, job->work) == napi_ok;
  if (!queued) return number(env, -ENOMEM);
  static_cast<void>(job.release());  // complete() has it
  return {env, promise};
}

}  // namespace

void export_work(Napi::Env env, Napi::Object exports) {
  add<in_background<sys::msync>>(env, exports, "msyncAsync");
  add<in_background<sys::madvise>>(env, exports, "madviseAsync");
}

}  // namespace memmap::napi
