// Searching a mapping's bytes. Pages are faulted in slice by slice, with one call for
// thousands of them, and a slice is searched while it is in the cache.
#include "core/bytes/scan.h"

#include <algorithm>
#include <cmath>

#include "core/bytes/checksum.h"
#include "core/page.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/pages.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::napi {
namespace {

constexpr size_t kSlice = size_t{8} << 20;

const unsigned char* bytes(const char* address) {
  return reinterpret_cast<const unsigned char*>(address);
}

// Maps the pages of the slice at once instead of sixteen a fault. Only a hint: where the
// kernel will not (before 5.14, or a page is not there), touching them does it.
void populate(char* address, size_t length) {
  const size_t page = core::page_size();
  const size_t head = reinterpret_cast<uintptr_t>(address) % page;
  static_cast<void>(sys::madvise(address - head, length + head, MADV_POPULATE_READ));
}

// count(target, offset, length, byte) -> times
Napi::Value count(const Napi::CallbackInfo& info) {
  Target at = pages(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto byte = static_cast<unsigned char>(int32(info[3]));
  size_t total = 0;
  for (size_t done = 0; done < at.length;) {
    const size_t slice = std::min(kSlice, at.length - done);
    populate(at.address + done, slice);
    total += core::count(bytes(at.address) + done, slice, byte);
    done += slice;
  }
  return number(info.Env(), static_cast<double>(total));
}

// indexOf(target, offset, length, needle: Uint8Array) -> index from offset | -1
Napi::Value index_of(const Napi::CallbackInfo& info) {
  Target at = pages(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto needle = elements<uint8_t>(info[3]);
  for (size_t done = 0; done < at.length;) {
    const size_t slice = std::min(kSlice, at.length - done);
    populate(at.address + done, slice);
    // A match may begin in this slice and end in the next.
    const size_t reach = std::min(slice + needle.size(), at.length - done);
    const size_t found =
        core::find(bytes(at.address) + done, reach, needle.data(), needle.size());
    if (found != SIZE_MAX) return number(info.Env(), static_cast<double>(done + found));
    done += slice;
  }
  return number(info.Env(), -1);
}

// positions(target, offset, length, byte, out: Uint32Array) -> how many
Napi::Value positions(const Napi::CallbackInfo& info) {
  Target at = pages(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const auto out = elements<uint32_t>(info[4]);
  const size_t found =
      core::positions(bytes(at.address), at.length,
                      static_cast<unsigned char>(int32(info[3])), out.data(), out.size());
  return number(info.Env(), static_cast<double>(found));
}

// xxh32(bytes: Uint8Array, offset, length, seed) -> signed word | NaN: not in `bytes`
Napi::Value xxh32(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[0]);
  const size_t offset = size(info[1]);
  const size_t length = size(info[2]);
  if (!core::within(offset, length, bytes.size())) return number(info.Env(), NAN);
  const auto seed = static_cast<uint32_t>(int32(info[3]));
  const uint32_t hash = core::xxh32(bytes.data() + offset, length, seed);
  return number(info.Env(), static_cast<int32_t>(hash));
}

}  // namespace

void export_scan(Napi::Env env, Napi::Object exports) {
  add<count>(env, exports, "count");
  add<index_of>(env, exports, "indexOf");
  add<positions>(env, exports, "positions");
  add<xxh32>(env, exports, "xxh32");
}

}  // namespace memmap::napi
