// Files into the page cache, on libuv's pool: each job does a bounded piece of work. It
// has copies of all it needs, and holds nothing of JavaScript's.
#include "core/residency/touch.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/pool_job.h"

namespace memmap::napi {
namespace {

// Numbers for each file. Twin of lib/file/touch.ts.
constexpr size_t kFields = 8;

struct TouchJob : PoolJob {
  std::string paths;
  core::FilePart part;
  int64_t budget;
  std::vector<core::Touched> found;
};

void execute(napi_env, void* data) {
  auto* job = static_cast<TouchJob*>(data);
  job->found = core::touch(job->paths, job->part, job->budget);
}

std::vector<double> numbers(const std::vector<core::Touched>& found) {
  std::vector<double> out;
  out.reserve(found.size() * kFields);
  for (const core::Touched& file : found) {
    // Some file systems use all 64 bits of an inode.
    for (const double field :
         {static_cast<double>(-file.error.value), static_cast<double>(file.step),
          static_cast<double>(file.size), static_cast<double>(file.present),
          static_cast<double>(file.read), static_cast<double>(file.device),
          static_cast<double>(file.inode >> 32),
          static_cast<double>(file.inode & UINT32_MAX)}) {
      out.push_back(field);
    }
  }
  return out;
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<TouchJob> job(static_cast<TouchJob*>(data));
  resolve(env, *job, new_array(env, numbers(job->found)));
}

// touchAsync(paths, offset, length, budget) -> Promise of Float64Array | -errno:
// -errno, step, size, present, read, device and inode's halves of each file
Napi::Value touch_async(const Napi::CallbackInfo& info) {
  const auto paths = elements<uint8_t>(info[0]);
  std::unique_ptr<TouchJob> job(
      new TouchJob{{},
                   {reinterpret_cast<const char*>(paths.data()), paths.size()},
                   {int64(info[1]), int64(info[2])},
                   int64(info[3]),
                   {}});
  return queue(info.Env(), std::move(job), execute, complete);
}

}  // namespace

void export_touch(Napi::Env env, Napi::Object exports) {
  add<touch_async>(env, exports, "touchAsync");
}

}  // namespace memmap::napi
