// The process's own map: what is mapped at an address, and what of it is ours.
#include "core/extent/vma.h"
#include "core/mapping/address_range.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"

namespace memmap::napi {
namespace {

// mapAt(address, facts: MapFact, BigUint64Array) -> name | -errno: ENOENT if nothing is
// mapped there
Napi::Value map_at(const Napi::CallbackInfo& info) {
  const auto facts = elements<uint64_t>(info[1]);
  if (facts.size() < MapFact::kAll) return number(info.Env(), -EINVAL);
  if (sys::Errno error = core::prepare_find_vma(); error.failed()) {
    return to_js(info.Env(), error);
  }
  core::Vma vma = {};
  core::VmaText text;
  const auto address = reinterpret_cast<uintptr_t>(pointer(info[0]));
  const sys::Errno error = core::query_vma(address, vma, text);
  if (error.failed()) return to_js(info.Env(), error);
  facts[MapFact::kStart] = vma.start;
  facts[MapFact::kEnd] = vma.end;
  facts[MapFact::kPermissions] = (vma.readable ? 1U : 0U) | (vma.writable ? 2U : 0U) |
                                 (vma.executable ? 4U : 0U) | (vma.shared ? 8U : 0U);
  facts[MapFact::kOffset] = vma.offset;
  facts[MapFact::kMajor] = vma.device_major;
  facts[MapFact::kMinor] = vma.device_minor;
  facts[MapFact::kInode] = vma.inode;
  return Napi::String::New(info.Env(), vma.path);
}

// holdsOurs(address, length) -> boolean: memory that memmap mapped, in part at least.
Napi::Value holds_ours(const Napi::CallbackInfo& info) {
  const auto address = reinterpret_cast<uintptr_t>(pointer(info[0]));
  return Napi::Boolean::New(info.Env(),
                            core::AddressRange::any_in(address, size(info[1])));
}

}  // namespace

void export_maps(Napi::Env env, Napi::Object exports) {
  add<map_at>(env, exports, "mapAt");
  add<holds_ours>(env, exports, "holdsOurs");
}

}  // namespace memmap::napi
