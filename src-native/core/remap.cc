#include "core/remap.h"

#include <utility>

#include "core/page.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using Owner = AddressRange::Owner;

// Addresses for [address, address + length): a range of ours around them, or a new one
// where nothing is mapped.
Result<std::shared_ptr<AddressRange>> destination(void* address, size_t length) {
  auto host = AddressRange::find(reinterpret_cast<uintptr_t>(address), length, false);
  if (host != nullptr) return host;
  constexpr int kFlags =
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  Result<void*> claimed = sys::mmap(address, length, PROT_NONE, kFlags, -1, 0);
  if (!claimed) return claimed.error();
  auto range = AddressRange::take(*claimed, length, Owner::kMemmap);
  if (*claimed != address) return Errno{EEXIST};  // before Linux 4.17 a mere hint
  return range;
}

// Undoes a lift: the pages return to their old addresses, which are still ours.
void put_back(void* lifted, char* address, size_t old_length, size_t new_length) {
  size_t kept = new_length < old_length ? new_length : old_length;
  static_cast<void>(
      sys::mremap(lifted, new_length, kept, MREMAP_MAYMOVE | MREMAP_FIXED, address));
}

// Moves the pages to where nobody can see them, `new_length` long; the old addresses stay
// mapped. Without a buffer over the new place, the kernel may move them again at will.
Result<void*> lift(char* address, size_t old_length, size_t new_length) {
  size_t kept = new_length < old_length ? new_length : old_length;
  Result<void*> lifted =
      sys::mremap(address, kept, kept, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  if (!lifted || new_length == kept) return lifted;
  Result<void*> grown = sys::mremap(*lifted, kept, new_length, MREMAP_MAYMOVE);
  if (!grown) put_back(*lifted, address, kept, kept);
  return grown;
}

}  // namespace

Result<std::shared_ptr<AddressRange>> move_out(AddressRange& range, char* address,
                                               size_t old_length, size_t new_length,
                                               size_t unit) {
  Result<void*> lifted = lift(address, old_length, new_length);
  if (!lifted) return lifted.error();
  Errno error = range.vacate(static_cast<size_t>(address - range.begin()), old_length);
  if (error.failed()) {
    put_back(*lifted, address, old_length, new_length);
    return error;
  }
  return AddressRange::take(*lifted, new_length, Owner::kMemmap, unit);
}

Result<Mapping> remap(const std::shared_ptr<AddressRange>& range, char* address,
                      size_t old_length, size_t new_length, int flags,
                      void* new_address) {
  old_length = round_up(old_length, page_size());
  new_length = round_up(new_length, page_size());
  if (old_length == 0 || new_length == 0) return Errno{EINVAL};
  const bool fixed = (flags & MREMAP_FIXED) != 0;
  const bool may_move = (flags & MREMAP_MAYMOVE) != 0;
  if (fixed && !may_move) return Errno{EINVAL};
  // As the kernel has it. The moves below go by way of a third place and would not
  // notice.
  if (fixed && overlap(reinterpret_cast<uintptr_t>(address), old_length,
                       reinterpret_cast<uintptr_t>(new_address), new_length)) {
    return Errno{EINVAL};
  }

  if ((flags & MREMAP_DONTUNMAP) != 0) {  // the old pages stay as the kernel leaves them
    std::shared_ptr<AddressRange> host;
    if (fixed) {
      auto claimed = destination(new_address, new_length);
      if (!claimed) return claimed.error();
      host = std::move(*claimed);
    }
    Result<void*> moved =
        sys::mremap(address, old_length, new_length, flags, new_address);
    if (!moved) return moved.error();
    if (host == nullptr) host = AddressRange::take(*moved, new_length, Owner::kMemmap);
    return Mapping(std::move(host), static_cast<char*>(*moved), new_length);
  }

  const size_t offset = static_cast<size_t>(address - range->begin());
  if (!fixed) {
    if (new_length <= old_length) {
      Errno error = range->vacate(offset + new_length, old_length - new_length);
      if (error.failed()) return error;
      return Mapping(range, address, new_length);
    }
    // What lies behind a range of the runtime is not ours to take: the engine would not
    // unmap it with the buffer.
    if (offset + old_length == range->length() && range->owner() == Owner::kMemmap) {
      Result<void*> grown = sys::mremap(address, old_length, new_length, 0);
      if (grown) {
        range->extend(new_length - old_length);
        return Mapping(range, address, new_length);
      }
      if (!may_move || grown.error().value != ENOMEM) return grown.error();
    } else if (!may_move) {
      return Errno{ENOMEM};  // what lies behind is taken, by the rest of the range
    }
    auto moved = move_out(*range, address, old_length, new_length, page_size());
    if (!moved) return moved.error();
    char* begin = (*moved)->begin();
    return Mapping(std::move(*moved), begin, new_length);
  }

  auto host = destination(new_address, new_length);
  if (!host) return host.error();
  Result<void*> lifted = lift(address, old_length, new_length);
  if (!lifted) return lifted.error();
  Result<void*> landed = sys::mremap(*lifted, new_length, new_length,
                                     MREMAP_MAYMOVE | MREMAP_FIXED, new_address);
  if (!landed) {
    put_back(*lifted, address, old_length, new_length);
    return landed.error();
  }
  Errno error = range->vacate(offset, old_length);
  if (error.failed()) return error;
  return Mapping(std::move(*host), static_cast<char*>(*landed), new_length);
}

}  // namespace memmap::core
