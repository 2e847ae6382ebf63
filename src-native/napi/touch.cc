// Files into the page cache, on libuv's pool: each job does a bounded piece of work. It
// has copies of all it needs, and holds nothing of JavaScript's.
#include "core/touch.h"

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

napi_status to_array(napi_env env, const std::vector<core::Touched>& found,
                     napi_value* array) {
  const size_t count = found.size() * kFields;
  void* bytes = nullptr;
  napi_value buffer = nullptr;
  napi_status status =
      napi_create_arraybuffer(env, count * sizeof(double), &bytes, &buffer);
  if (status != napi_ok) return status;
  auto* out = static_cast<double*>(bytes);
  for (const core::Touched& file : found) {
    *out++ = -file.error.value;
    *out++ = static_cast<double>(file.step);
    *out++ = static_cast<double>(file.size);
    *out++ = static_cast<double>(file.present);
    *out++ = static_cast<double>(file.read);
    *out++ = static_cast<double>(file.device);
    // Some file systems use all 64 bits.
    *out++ = static_cast<double>(file.inode >> 32);
    *out++ = static_cast<double>(file.inode & UINT32_MAX);
  }
  return napi_create_typedarray(env, napi_float64_array, count, buffer, 0, array);
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<TouchJob> job(static_cast<TouchJob*>(data));
  napi_value result = nullptr;
  const napi_status made = to_array(env, job->found, &result);
  resolve(env, *job, made, result);
}

// touchAsync(paths, offset, length, budget) -> Promise of Float64Array | -errno:
// -errno, step, size, present, read, device and inode's halves of each file
Napi::Value touch_async(const Napi::CallbackInfo& info) {
  const auto paths = info[0].As<Napi::Uint8Array>();
  std::unique_ptr<TouchJob> job(
      new TouchJob{{},
                   {reinterpret_cast<const char*>(paths.Data()), paths.ByteLength()},
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
