// What the kernel knows of pages, and what it can do.
#include "core/residency/residency.h"

#include <vector>

#include "core/bytes/persist.h"
#include "core/kernel/probe.h"
#include "core/residency/residency_of.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "napi/pages.h"

namespace memmap::napi {
namespace {

Napi::Value to_array(Napi::Env env, const core::Residency& found) {
  std::vector<double> out;
  out.resize(ResidencyFact::kAll + found.runs.size() * RunFact::kAll);
  out[ResidencyFact::kKnown] = found.known;
  out[ResidencyFact::kFaked] = found.faked ? 1 : 0;
  size_t at = ResidencyFact::kAll;
  for (const core::PageRun& run : found.runs) {
    out[at + RunFact::kLength] = static_cast<double>(run.length);
    out[at + RunFact::kState] = run.state;
    out[at + RunFact::kNode] = run.node;
    at += RunFact::kAll;
  }
  return new_array(env, out);
}

// residency(target, offset, length, fd, fileOffset, nodes) -> Float64Array | -errno:
// ResidencyFact, then RunFact of each run
Napi::Value residency(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  auto found = core::residency(at.address, at.length, {int32(info[3]), int64(info[4])},
                               info[5].As<Napi::Boolean>().Value());
  if (!found) return to_js(info.Env(), found.error());
  return to_array(info.Env(), *found);
}

// residencyOf(path | its bytes | fd, offset, length, facts: Float64Array) -> as
// residency(). facts: the length, of which -1 means to the end of the file.
Napi::Value residency_of(const Napi::CallbackInfo& info) {
  const auto facts = elements<double>(info[3]);
  if (facts.empty()) return number(info.Env(), -EINVAL);
  core::FileQuestion question;
  const std::string path = path_of(info[0]);
  if (info[0].IsNumber()) {
    question.fd = int32(info[0]);
  } else {
    question.path = path.c_str();
  }
  question.offset = int64(info[1]);
  question.length = int64(info[2]);
  auto found = core::residency_of(question);
  if (!found) return to_js(info.Env(), found.error());
  facts[0] = static_cast<double>(question.length);
  return to_array(info.Env(), *found);
}

// probe(feature) -> 0 | -errno
Napi::Value probe(const Napi::CallbackInfo& info) {
  const std::string feature = info[0].As<Napi::String>().Utf8Value();
  return to_js(info.Env(), core::probe(feature));
}

// writeBackInstruction() -> string | undefined
Napi::Value write_back_instruction(const Napi::CallbackInfo& info) {
  const char* name = core::write_back_instruction();
  if (name == nullptr) return info.Env().Undefined();
  return Napi::String::New(info.Env(), name);
}

// writeBack(target, offset, length) -> 0 | -errno
Napi::Value write_back(const Napi::CallbackInfo& info) {
  Target at = pages(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  core::write_back(at.address, at.length);
  return number(info.Env(), 0);
}

}  // namespace

void export_residency(Napi::Env env, Napi::Object exports) {
  add<residency>(env, exports, "residency");
  add<residency_of>(env, exports, "residencyOf");
  add<probe>(env, exports, "probe");
  add<write_back_instruction>(env, exports, "writeBackInstruction");
  add<write_back>(env, exports, "writeBack");
}

}  // namespace memmap::napi
