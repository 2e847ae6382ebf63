// Mapping::restore: the right pages, in place of what the guard has put there; and
// Mapping::renew: in place of those of a file that has been copied up since.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/guard/guard.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/replacement.h"
#include "core/replacement/spare_mappings.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

Errno read_page(uintptr_t from, std::vector<char>& bytes) {
  Result<ssize_t> got =
      sys::process_vm_readv(::getpid(), {bytes.data(), bytes.size()},
                            {reinterpret_cast<void*>(from), bytes.size()});
  return got ? Errno{} : got.error();
}

Errno write_page(char* to, std::vector<char>& bytes) {
  Result<ssize_t> put = sys::process_vm_writev(::getpid(), {bytes.data(), bytes.size()},
                                               {to, bytes.size()});
  return put ? Errno{} : put.error();
}

// Of mmap(2), without an address.
int elsewhere(int flags) { return flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE); }

// The file's pages, in place of what is at [start, start + length). `keep(made)` copies
// what shall stay into them, before they are there.
template <typename Keep>
Errno replace_keeping(uintptr_t start, size_t length, int prot, int flags, int file,
                      int64_t offset, Keep keep) {
  Result<void*> made = with_spares([&] {
    return sys::mmap(nullptr, length, PROT_READ | PROT_WRITE, elsewhere(flags), file,
                     offset);
  });
  if (!made) return made.error();
  Errno error = keep(static_cast<char*>(*made));
  if (!error.failed()) error = sys::mprotect(*made, length, prot);
  if (!error.failed()) return replace_by_pages({start, start + length}, *made);
  static_cast<void>(sys::munmap(*made, length));
  return error;
}

// What a block of a private mapping holds that could not be had for a while, over the
// file's pages: bytes that are its own stay, and what it lacked is the file's again.
Errno restore_block(uintptr_t start, size_t length, int prot, int flags, int file,
                    int64_t offset) {
  return replace_keeping(start, length, prot, flags, file, offset, [&](char* made) {
    const size_t page = page_size();
    const std::vector<char> zeros(page);
    std::vector<char> bytes(page);
    Errno error = {};
    for (size_t done = 0; done < length && !error.failed(); done += page) {
      error = read_page(start + done, bytes);
      if (!error.failed() && bytes != zeros) error = write_page(made + done, bytes);
    }
    return error;
  });
}

// Whether a page of a private mapping is a copy of its own, in memory or in swap.
bool is_own(uint64_t entry) {
  const bool there = (entry & (sys::kPagemapPresent | sys::kPagemapSwapped)) != 0;
  return there && (entry & sys::kPagemapFile) == 0;
}

// Copies the pages of a private mapping that are no longer the file's.
Errno copy_own_pages(uintptr_t start, size_t length, char* to) {
  Result<sys::UniqueFd> table = sys::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  if (!table) return table.error();
  const size_t page = page_size();
  std::vector<char> bytes(page);
  std::vector<uint64_t> entries(512);
  for (size_t done = 0; done < length;) {
    const size_t count = std::min(entries.size(), (length - done) / page);
    const size_t wanted = count * sizeof(uint64_t);
    Result<ssize_t> got =
        sys::pread(table->get(), entries.data(), wanted,
                   static_cast<int64_t>((start + done) / page * sizeof(uint64_t)));
    if (!got) return got.error();
    if (static_cast<size_t>(*got) != wanted) return {EIO};
    for (size_t i = 0; i < count; ++i, done += page) {
      if (!is_own(entries[i])) continue;
      Errno error = read_page(start + done, bytes);
      if (!error.failed()) error = write_page(to + done, bytes);
      if (error.failed()) return error;
    }
  }
  return {};
}

}  // namespace

// What the guard knows of the pages must hold for those that come in their place, too.
Errno Mapping::refuse_another(const Source& source) const {
  Result<Backing> backing = backing_of(source.file, source.flags, source.offset);
  if (!backing) return backing.error();
  const auto start = reinterpret_cast<uintptr_t>(address_);
  return each_extent(start, start + length_, [&](const Extent& extent) {
    if (extent.closed || extent.counts != counts_) return Errno{};
    const uint64_t first = extent.backing.offset + (start - extent.origin);
    const bool same = alike(extent.backing, *backing) && first == backing->offset;
    return same ? Errno{} : Errno{EINVAL};
  });
}

Errno Mapping::restore(const Source& source, int prot) {
  const PageReplacementLock lock;
  if (Errno error = undo_strays_in(address_, length_); error.failed()) return error;
  size_t from = SIZE_MAX;
  if (source.file < 0 || !fixed_up(from)) return {};
  if (Errno error = refuse_another(source); error.failed()) return error;
  const auto start = reinterpret_cast<uintptr_t>(address_);
  if (!source.lost_end_only) return restore_from(source, prot, start, start + length_);
  from = std::min(from, length_);
  restore_blocks(source, start + from);
  return restore_from(source, prot, start + from, start + length_);
}

Errno Mapping::renew(const Source& source, int prot, bool keep_own) {
  const PageReplacementLock lock;
  size_t lost_from = 0;
  if (fixed_up(lost_from)) return {EBUSY};
  if (Errno error = refuse_another(source); error.failed()) return error;
  const auto start = reinterpret_cast<uintptr_t>(address_);
  return restore_from(source, prot, start, start + length_, keep_own);
}

// Extent by extent, with the protection each has: no part of it can be written meanwhile
// that may not be.
Errno Mapping::restore_from(const Source& source, int prot, uintptr_t start,
                            uintptr_t end, bool keep_own) {
  const auto origin = reinterpret_cast<uintptr_t>(address_);
  for (Extent extent : extents_in(reinterpret_cast<void*>(start), end - start)) {
    // What was unmapped, or is another mapping's by now, stays what it is.
    if (extent.closed || extent.counts != counts_) continue;
    if (extent.prot == -1) extent.prot = prot;
    const size_t length = extent.length();
    const auto offset = source.offset + static_cast<int64_t>(extent.start - origin);
    Errno error =
        keep_own
            ? replace_keeping(
                  extent.start, length, extent.prot, source.flags, source.file, offset,
                  [&](char* made) { return copy_own_pages(extent.start, length, made); })
            : replace_by_file({extent.start, extent.end}, extent.prot,
                              elsewhere(source.flags), source.file, offset);
    if (error.failed()) return error;
    extent.fixed_up = extent.broken = extent.opened = false;
    extent.lost_from = extent.suspect = 0;
    if (!keep_own) {
      extent.pristine = !extent.backing.shared && (extent.prot & PROT_WRITE) == 0;
    }
    // The same file, but overlayfs may have taken it to another layer meanwhile.
    extent.backing.shown_device = extent.backing.shown_inode = 0;
    if (guard_enabled()) learn_shown(extent.backing, extent.start);
    add_extent(std::move(extent));
  }
  return each_extent(origin, start, [](Extent& left) {
    left.lost_from = 0;
    left.fixed_up = left.broken;
    return Errno{};
  });
}

// Blocks of memory in place of the file's pages, up to `end`. Where it fails they stay as
// they are, and the extent is still broken.
void Mapping::restore_blocks(const Source& source, uintptr_t end) {
  const auto origin = reinterpret_cast<uintptr_t>(address_);
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  if (text == nullptr || prepare_find_vma().failed()) return;
  static_cast<void>(each_extent(origin, end, [&](Extent& extent) {
    if (!extent.broken || extent.counts != counts_) return Errno{};
    const int prot = extent.prot == -1 ? PROT_READ : extent.prot;
    const uintptr_t stop = std::min(extent.end, end);
    bool all = true;
    Vma vma = {};
    for (uintptr_t at = extent.start; at < stop && find_vma(at, vma, *text);
         at = vma.end) {
      if (vma.inode != 0 || vma.shared) continue;
      const size_t length = std::min(vma.end, stop) - at;
      const auto offset = source.offset + static_cast<int64_t>(at - origin);
      all =
          !restore_block(at, length, prot, source.flags, source.file, offset).failed() &&
          all;
    }
    if (!all) return Errno{};
    extent.broken = false;
    extent.fixed_up = extent.lost_from != 0;
    forget_blocks(extent);
    return Errno{};
  }));
}

bool Mapping::fixed_up(size_t& lost_from) const {
  const PageReplacementLock lock;
  bool fixed = false;
  lost_from = SIZE_MAX;
  const auto start = reinterpret_cast<uintptr_t>(address_);
  static_cast<void>(each_extent(start, start + length_, [&](const Extent& extent) {
    fixed = fixed || extent.fixed_up;
    if (extent.lost_from != 0 && extent.lost_from - start < lost_from) {
      lost_from = extent.lost_from - start;
    }
    return Errno{};
  }));
  return fixed;
}

}  // namespace memmap::core
