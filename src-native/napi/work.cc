// System calls off the main thread, on libuv's pool: each does a bounded piece of work.
// A job holds the AddressRange, so closing the mapping meanwhile is safe: the job then
// acts on zero pages.
#include <utility>

#include "napi/convert.h"
#include "napi/exports.h"
#include "sys/memory.h"

namespace memmap::napi {
namespace {

using Call = sys::Errno (*)(void*, size_t, int);

class RangeJob final : public Napi::AsyncWorker {
 public:
  RangeJob(Napi::Env env, Call call, Target at, int flags)
      : AsyncWorker(env, "memmap"),
        promise_(Napi::Promise::Deferred::New(env)),
        call_(call),
        at_(std::move(at)),
        flags_(flags) {}

  Napi::Promise promise() const { return promise_.Promise(); }

 private:
  void Execute() override { result_ = call_(at_.address, at_.length, flags_); }
  void OnOK() override { promise_.Resolve(to_js(Env(), result_)); }

  Napi::Promise::Deferred promise_;
  const Call call_;
  const Target at_;
  const int flags_;
  sys::Errno result_;
};

// msyncAsync(target, offset, length, flags), madviseAsync(target, offset, length, advice)
// -> Promise of 0 | -errno
template <auto kCall>
Napi::Value in_background(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  auto* job = new RangeJob(info.Env(), kCall, std::move(at), int32(info[3]));
  job->Queue();  // deletes itself when done
  return job->promise();
}

}  // namespace

void export_work(Napi::Env env, Napi::Object exports) {
  add<in_background<sys::msync>>(env, exports, "msyncAsync");
  add<in_background<sys::madvise>>(env, exports, "madviseAsync");
}

}  // namespace memmap::napi
