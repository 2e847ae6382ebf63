// System calls off the main thread, on libuv's pool: each does a bounded piece of work.
// A job holds the AddressRange, so closing the mapping meanwhile is safe: the job then
// acts on zero pages.
#include <memory>
#include <utility>

#include "core/extent/advice.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/pool_job.h"
#include "sys/memory.h"

namespace memmap::napi {
namespace {

using Call = sys::Errno (*)(void*, size_t, int);

struct RangeJob : PoolJob {
  Call call;
  Target at;
  int flags;
  sys::Errno result;
};

void execute(napi_env, void* data) {
  auto* job = static_cast<RangeJob*>(data);
  const Target& at = job->at;
  job->result = core::own_pages_in(at.address, at.length);
  if (!job->result.failed()) job->result = job->call(at.address, at.length, job->flags);
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<RangeJob> job(static_cast<RangeJob*>(data));
  resolve(env, *job, to_js(env, job->result));
}

// msyncAsync(target, offset, length, flags), madviseAsync(target, offset, length, advice)
// -> Promise of 0 | -errno
template <auto kCall>
Napi::Value in_background(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  std::unique_ptr<RangeJob> job(
      new RangeJob{{}, kCall, std::move(at), int32(info[3]), {}});
  return queue(info.Env(), std::move(job), execute, complete);
}

}  // namespace

void export_work(Napi::Env env, Napi::Object exports) {
  add<in_background<sys::msync>>(env, exports, "msyncAsync");
  add<in_background<core::advise>>(env, exports, "madviseAsync");
}

}  // namespace memmap::napi
