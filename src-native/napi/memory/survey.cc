// What of many files is in memory, on libuv's pool: each job does a bounded piece of
// work. It has copies of all it needs, and holds nothing of JavaScript's.
#include "core/residency/survey.h"

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

struct SurveyJob : PoolJob {
  std::string paths;
  core::FilePart part;
  std::vector<double> numbers;
};

std::vector<double> numbers(const std::vector<core::Surveyed>& found) {
  size_t count = found.size() * SurveyedFact::kAll;
  for (const core::Surveyed& file : found) {
    count += file.residency.runs.size() * RunFact::kAll;
  }
  std::vector<double> out(count);
  double* of = out.data();
  for (const core::Surveyed& file : found) {
    of[SurveyedFact::kErrno] = -file.error.value;
    of[SurveyedFact::kSize] = static_cast<double>(file.size);
    of[SurveyedFact::kModifiedSeconds] = static_cast<double>(file.modified_seconds);
    of[SurveyedFact::kModifiedNanoseconds] = file.modified_nanoseconds;
    of[SurveyedFact::kDevice] = static_cast<double>(file.device);
    of[SurveyedFact::kInodeHigh] = static_cast<double>(file.inode >> 32);
    of[SurveyedFact::kInodeLow] = static_cast<double>(file.inode & UINT32_MAX);
    of[SurveyedFact::kKnown] = file.residency.known;
    of[SurveyedFact::kFaked] = file.residency.faked ? 1 : 0;
    of[SurveyedFact::kRuns] = static_cast<double>(file.residency.runs.size());
    of += SurveyedFact::kAll;
    for (const core::PageRun& run : file.residency.runs) {
      of[RunFact::kLength] = static_cast<double>(run.length);
      of[RunFact::kState] = run.state;
      of[RunFact::kNode] = run.node;
      of += RunFact::kAll;
    }
  }
  return out;
}

void execute(napi_env, void* data) {
  auto* job = static_cast<SurveyJob*>(data);
  job->numbers = numbers(core::survey(job->paths, job->part));
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<SurveyJob> job(static_cast<SurveyJob*>(data));
  resolve(env, *job, new_array(env, job->numbers));
}

// surveyAsync(paths, offset, length) -> Promise of Float64Array | -errno: of each file
// SurveyedFact, then RunFact of each run
Napi::Value survey_async(const Napi::CallbackInfo& info) {
  const auto paths = elements<uint8_t>(info[0]);
  const core::FilePart part = {int64(info[1]), int64(info[2])};
  if (part.offset < 0 || part.length < 0) return number(info.Env(), -EINVAL);
  std::unique_ptr<SurveyJob> job(new SurveyJob{
      {}, {reinterpret_cast<const char*>(paths.data()), paths.size()}, part, {}});
  return queue(info.Env(), std::move(job), execute, complete);
}

}  // namespace

void export_survey(Napi::Env env, Napi::Object exports) {
  add<survey_async>(env, exports, "surveyAsync");
}

}  // namespace memmap::napi
