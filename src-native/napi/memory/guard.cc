// The guard as JavaScript sees it: counts, fixups, checked copies.
#include "core/guard/guard.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "core/extent/fault_counts.h"
#include "core/mapping/mapping.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "sys/memory.h"
#include "sys/signal.h"

namespace memmap::napi {
namespace {

// guardEnabled() -> boolean
Napi::Value guard_enabled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), core::guard_enabled());
}

// disableGuard() -> boolean: false if something has been mapped already
Napi::Value disable_guard(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), core::disable_guard());
}

// rearmGuard()
void rearm_guard(const Napi::CallbackInfo&) { core::rearm_guard(); }

// watchHandlers(told) -> 0 | -errno: see core/guard/guard.h
Napi::Value watch_handlers(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), core::watch_handlers(info[0].As<Napi::Boolean>().Value()));
}

// missingOfGuard() -> 0 | -error: see core/guard.h
Napi::Value missing_of_guard(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), core::missing_of_guard());
}

// holdCounts(handle) -> number of the mapping's counts, kept until dropCounts; 0: it has
// no pages
Napi::Value hold_counts(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr || mapping->counts() == nullptr) return number(info.Env(), 0);
  return number(info.Env(), Environment::of(info.Env()).hold_counts(mapping->counts()));
}

// dropCounts(counts)
void drop_counts(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).drop_counts(info[0].As<Napi::Number>().DoubleValue());
}

// faults(counts, out: Float64Array): counts by kind, then offsets by kind, then lengths;
// of the process for 0
void faults(const Napi::CallbackInfo& info) {
  const auto numbers_out = elements<double>(info[1]);
  if (numbers_out.size() < 3 * core::kFaultKinds) return;
  const double which = info[0].As<Napi::Number>().DoubleValue();
  const core::FaultCounts* held =
      which == 0 ? &core::process_counts() : Environment::of(info.Env()).counts(which);
  if (held == nullptr) return;
  const core::FaultCounts& from = *held;
  double* out = numbers_out.data();
  // Pairs with the release in count_fault.
  static_cast<void>(from.all.load(std::memory_order_acquire));
  for (const auto& count : from.counts) *out++ = count.load(std::memory_order_relaxed);
  for (const auto* numbers : {from.offsets, from.lengths}) {
    for (size_t kind = 0; kind < core::kFaultKinds; ++kind) {
      *out++ = static_cast<double>(numbers[kind].load(std::memory_order_relaxed));
    }
  }
}

// fixedUp(handle) -> -1: the pages are those that were mapped. Else where the lost end of
// the file begins, bytes from the first page; Infinity if nothing is lost.
Napi::Value fixed_up(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  size_t lost = 0;
  if (mapping == nullptr || !mapping->fixed_up(lost)) return number(info.Env(), -1);
  return number(info.Env(), lost == SIZE_MAX ? std::numeric_limits<double>::infinity()
                                             : static_cast<double>(lost));
}

// fd, offset and flags as restore() and renew() have them.
core::Mapping::Source source_of(const Napi::CallbackInfo& info) {
  core::Mapping::Source source;
  source.file = int32(info[1]);
  source.offset = int64(info[2]);
  source.flags = int32(info[4]);
  return source;
}

// restore(handle, fd, offset, prot, flags, lostEndOnly) -> 0 | -errno
Napi::Value restore(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr) return number(info.Env(), -kNotOurs);
  core::Mapping::Source source = source_of(info);
  source.lost_end_only = info[5].As<Napi::Boolean>().Value();
  return to_js(info.Env(), mapping->restore(source, int32(info[3])));
}

// renew(handle, fd, offset, prot, flags, keepOwn) -> 0 | -errno
Napi::Value renew(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr) return number(info.Env(), -kNotOurs);
  const bool keep_own = info[5].As<Napi::Boolean>().Value();
  return to_js(info.Env(), mapping->renew(source_of(info), int32(info[3]), keep_own));
}

// copyOut(target, offset, length, to: Uint8Array), copyIn(target, offset, length, from)
// -> bytes copied | -errno. Fewer than asked where the memory could not be reached.
template <auto kCall>
Napi::Value copy(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto bytes = elements<uint8_t>(info[3]);
  const size_t length = std::min(at.length, bytes.size());
  size_t done = 0;
  while (done < length) {
    auto copied = kCall(::getpid(), {bytes.data() + done, length - done},
                        {at.address + done, length - done});
    if (!copied && copied.error().value != EFAULT)
      return to_js(info.Env(), copied.error());
    if (!copied || *copied == 0) break;
    done += static_cast<size_t>(*copied);
  }
  return number(info.Env(), static_cast<double>(done));
}

}  // namespace

void export_guard(Napi::Env env, Napi::Object exports) {
  exports.Set("onFirstThread", Napi::Boolean::New(env, sys::gettid() == ::getpid()));
  core::note_previous_handlers(reinterpret_cast<const void*>(&napi_get_version));
  add<guard_enabled>(env, exports, "guardEnabled");
  add<disable_guard>(env, exports, "disableGuard");
  add<rearm_guard>(env, exports, "rearmGuard");
  add<watch_handlers>(env, exports, "watchHandlers");
  add<missing_of_guard>(env, exports, "missingOfGuard");
  add<hold_counts>(env, exports, "holdCounts");
  add<drop_counts>(env, exports, "dropCounts");
  add<faults>(env, exports, "faults");
  add<fixed_up>(env, exports, "fixedUp");
  add<restore>(env, exports, "restore");
  add<renew>(env, exports, "renew");
  add<copy<sys::process_vm_readv>>(env, exports, "copyOut");
  add<copy<sys::process_vm_writev>>(env, exports, "copyIn");
}

}  // namespace memmap::napi
