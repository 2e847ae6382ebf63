// Files into the page cache, on libuv's pool: each job does a bounded piece of work. It
// has copies of all it needs, and holds nothing of JavaScript's.
#include "core/residency/touch.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "napi/pool_job.h"

namespace memmap::napi {
namespace {

struct TouchJob : PoolJob {
  std::string paths;
  core::FilePart part;
  int64_t budget;
  bool holes;
  std::vector<core::Touched> found;
};

void execute(napi_env, void* data) {
  auto* job = static_cast<TouchJob*>(data);
  job->found = core::touch(job->paths, job->part, job->budget, job->holes);
}

std::vector<double> numbers(const std::vector<core::Touched>& found) {
  std::vector<double> out(found.size() * TouchedFact::kAll);
  double* of = out.data();
  for (const core::Touched& file : found) {
    of[TouchedFact::kErrno] = -file.error.value;
    of[TouchedFact::kStep] = static_cast<double>(file.step);
    of[TouchedFact::kSize] = static_cast<double>(file.size);
    of[TouchedFact::kPresent] = static_cast<double>(file.present);
    of[TouchedFact::kRead] = static_cast<double>(file.read);
    of[TouchedFact::kDevice] = static_cast<double>(file.device);
    of[TouchedFact::kInodeHigh] = static_cast<double>(file.inode >> 32);
    of[TouchedFact::kInodeLow] = static_cast<double>(file.inode & UINT32_MAX);
    of[TouchedFact::kHoles] = static_cast<double>(file.holes);
    of[TouchedFact::kNextData] = static_cast<double>(file.next_data);
    of += TouchedFact::kAll;
  }
  return out;
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<TouchJob> job(static_cast<TouchJob*>(data));
  resolve(env, *job, new_array(env, numbers(job->found)));
}

// touchAsync(paths, offset, length, budget, holes) -> Promise of Float64Array | -errno:
// TouchedFact of each file
Napi::Value touch_async(const Napi::CallbackInfo& info) {
  const auto paths = elements<uint8_t>(info[0]);
  const core::FilePart part = {int64(info[1]), int64(info[2])};
  if (part.offset < 0 || part.length < 0) return number(info.Env(), -EINVAL);
  std::unique_ptr<TouchJob> job(
      new TouchJob{{},
                   {reinterpret_cast<const char*>(paths.data()), paths.size()},
                   part,
                   int64(info[3]),
                   info[4].As<Napi::Boolean>().Value(),
                   {}});
  return queue(info.Env(), std::move(job), execute, complete);
}

}  // namespace

void export_touch(Napi::Env env, Napi::Object exports) {
  add<touch_async>(env, exports, "touchAsync");
}

}  // namespace memmap::napi
