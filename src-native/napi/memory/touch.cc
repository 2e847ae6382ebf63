// Files into the page cache, on libuv's pool: each job does a bounded piece of work. It
// has copies of all it needs, and holds nothing of JavaScript's.
#include "core/residency/touch.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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
    of[TouchedFact::kModifiedSeconds] = static_cast<double>(file.modified_seconds);
    of[TouchedFact::kModifiedNanoseconds] = file.modified_nanoseconds;
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

struct TouchPartsJob : PoolJob {
  std::string paths;
  std::vector<std::vector<core::FilePart>> parts;
  int64_t budget;
  std::vector<core::Touched> found;
};

void execute_parts(napi_env, void* data) {
  auto* job = static_cast<TouchPartsJob*>(data);
  job->found = core::touch_parts(job->paths, job->parts, job->budget);
}

void complete_parts(napi_env env, napi_status, void* data) {
  std::unique_ptr<TouchPartsJob> job(static_cast<TouchPartsJob*>(data));
  resolve(env, *job, new_array(env, numbers(job->found)));
}

size_t count_paths(std::string_view paths) {
  const auto ends = static_cast<size_t>(std::count(paths.begin(), paths.end(), '\0'));
  return ends + (paths.empty() || paths.back() == '\0' ? 0 : 1);
}

bool is_size(double value) {
  constexpr double kMost = 9007199254740991;  // 2 ** 53 - 1
  return value >= 0 && value <= kMost && value == std::floor(value);
}

// Of each file the number of its parts, then the offset and length of each. Empty if that
// is not what it is.
std::vector<std::vector<core::FilePart>> parts_of(std::span<const double> numbers) {
  std::vector<std::vector<core::FilePart>> all;
  while (!numbers.empty()) {
    const size_t room = (numbers.size() - 1) / 2;
    if (!is_size(numbers[0]) || numbers[0] > static_cast<double>(room)) return {};
    const auto count = static_cast<size_t>(numbers[0]);
    std::vector<core::FilePart>& parts = all.emplace_back();
    for (size_t i = 0; i < count; ++i) {
      const double offset = numbers[1 + 2 * i];
      const double length = numbers[2 + 2 * i];
      if (!is_size(offset) || !is_size(length)) return {};
      parts.push_back({static_cast<int64_t>(offset), static_cast<int64_t>(length)});
    }
    numbers = numbers.subspan(1 + 2 * count);
  }
  return all;
}

// touchPartsAsync(paths, parts: Float64Array, budget) -> as touchAsync()
Napi::Value touch_parts_async(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[0]);
  const std::string_view paths = {reinterpret_cast<const char*>(bytes.data()),
                                  bytes.size()};
  std::vector<std::vector<core::FilePart>> parts = parts_of(elements<double>(info[1]));
  if (parts.size() != count_paths(paths)) return number(info.Env(), -EINVAL);
  std::unique_ptr<TouchPartsJob> job(
      new TouchPartsJob{{}, std::string(paths), std::move(parts), int64(info[2]), {}});
  return queue(info.Env(), std::move(job), execute_parts, complete_parts);
}

}  // namespace

void export_touch(Napi::Env env, Napi::Object exports) {
  add<touch_parts_async>(env, exports, "touchPartsAsync");
  add<touch_async>(env, exports, "touchAsync");
}

}  // namespace memmap::napi
