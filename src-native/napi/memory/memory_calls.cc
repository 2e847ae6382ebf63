// System calls on memory, 1:1. The first three arguments are a target (see convert.h);
// the result is what the kernel said.
#include <sys/uio.h>

#include <utility>
#include <vector>

#include "core/extent/advice.h"
#include "core/mapping/remap.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::napi {
namespace {

// A call without a fourth argument.
template <auto kCall>
Napi::Value on_range(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  sys::Errno error = core::own_pages_in(at.address, at.length);
  return to_js(info.Env(), error.failed() ? error : kCall(at.address, at.length));
}

// A call with flags, a protection or an advice.
template <auto kCall, typename Flags = int>
Napi::Value on_range_with(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto flags = static_cast<Flags>(int32(info[3]));
  sys::Errno error = core::own_pages_in(at.address, at.length);
  return to_js(info.Env(), error.failed() ? error : kCall(at.address, at.length, flags));
}

// munmap(target, offset, length) -> 0 | -errno. The pages go; the addresses stay taken
// until no buffer can reach them.
Napi::Value munmap(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const size_t page = core::page_size();
  const auto offset = static_cast<size_t>(at.address - at.range->begin());
  const size_t length = core::round_up(at.length, page);
  if (offset % page != 0 || length == 0) return number(info.Env(), -EINVAL);
  sys::Errno error = at.range->vacate(offset, length);
  if (!error.failed() && length == at.range->length()) at.range->retire();
  return to_js(info.Env(), error);
}

// mseal(target, offset, length, flags) -> 0 | -errno
Napi::Value mseal(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto offset = static_cast<size_t>(at.address - at.range->begin());
  const auto flags = static_cast<unsigned long>(int32(info[3]));
  return to_js(info.Env(), at.range->seal(offset, at.length, flags));
}

// mremap(target, offset, oldLength, newLength, flags, newAddress) -> handle | -errno
Napi::Value mremap(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  auto moved = core::remap(at.range, at.address, at.length, size(info[3]), int32(info[4]),
                           pointer(info[5]));
  if (!moved) return to_js(info.Env(), moved.error());
  return number(info.Env(), Environment::of(info.Env()).add(std::move(*moved)));
}

// mprotect(target, offset, length, prot) -> 0 | -errno. ENOMEM over what was unmapped.
Napi::Value mprotect(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto offset = static_cast<size_t>(at.address - at.range->begin());
  return to_js(info.Env(), at.range->protect(offset, at.length, int32(info[3])));
}

// mincore(target, offset, length, vec: Uint8Array) -> 0 | -errno
Napi::Value mincore(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto vec = elements<uint8_t>(info[3]);
  if (core::round_up(at.length, core::page_size()) / core::page_size() > vec.size()) {
    return number(info.Env(), -EINVAL);
  }
  return to_js(info.Env(), sys::mincore(at.address, at.length, vec.data()));
}

// owns(target, offset, length) -> boolean
Napi::Value owns(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), target(info).range != nullptr);
}

// addressOf(view: Uint8Array) -> bigint
Napi::Value address_of(const Napi::CallbackInfo& info) {
  const auto address = reinterpret_cast<uintptr_t>(elements<uint8_t>(info[0]).data());
  return Napi::BigInt::New(info.Env(), uint64_t{address});
}

// mlockall(flags) -> 0 | -errno
Napi::Value mlockall(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::mlockall(int32(info[0])));
}

Napi::Value munlockall(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::munlockall());
}

// processMadvise(pidfd, ranges: BigUint64Array [address, length, ...], advice, flags)
// -> bytes advised | -errno
Napi::Value process_madvise(const Napi::CallbackInfo& info) {
  // It would take away what tells memory of ours from others'.
  if (int32(info[2]) == MADV_KEEPONFORK) return number(info.Env(), -EINVAL);
  const auto numbers = elements<uint64_t>(info[1]);
  std::vector<iovec> ranges;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    ranges.push_back({reinterpret_cast<void*>(static_cast<uintptr_t>(numbers[i])),
                      static_cast<size_t>(numbers[i + 1])});
  }
  auto advised =
      sys::process_madvise(int32(info[0]), ranges.data(), ranges.size(), int32(info[2]),
                           static_cast<unsigned>(int32(info[3])));
  if (!advised) return to_js(info.Env(), advised.error());
  return number(info.Env(), static_cast<double>(*advised));
}

}  // namespace

void export_calls(Napi::Env env, Napi::Object exports) {
  add<munmap>(env, exports, "munmap");
  add<mremap>(env, exports, "mremap");
  add<mincore>(env, exports, "mincore");
  add<mprotect>(env, exports, "mprotect");
  add<on_range_with<sys::msync>>(env, exports, "msync");
  add<on_range_with<core::advise>>(env, exports, "madvise");
  add<on_range<sys::mlock>>(env, exports, "mlock");
  add<on_range_with<sys::mlock2, unsigned>>(env, exports, "mlock2");
  add<on_range<sys::munlock>>(env, exports, "munlock");
  add<mseal>(env, exports, "mseal");
  add<owns>(env, exports, "owns");
  add<address_of>(env, exports, "addressOf");
  add<mlockall>(env, exports, "mlockall");
  add<munlockall>(env, exports, "munlockall");
  add<process_madvise>(env, exports, "processMadvise");
}

}  // namespace memmap::napi
