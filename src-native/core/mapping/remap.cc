#include "core/mapping/remap.h"

#include <algorithm>
#include <utility>

#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
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
  const auto start = reinterpret_cast<uintptr_t>(address);
  if (auto host = AddressRange::find(start, length, false); host != nullptr) return host;
  constexpr int kFlags =
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  Result<void*> claimed = sys::mmap(address, length, PROT_NONE, kFlags, -1, 0);
  if (!claimed) return claimed.error();
  auto range = AddressRange::take(*claimed, length, Owner::kMemmap);
  if (*claimed != address) return Errno{EEXIST};  // before Linux 4.17 a mere hint
  return range;
}

struct Piece {
  char* address;
  size_t length;
};

// The kernel's mappings of [address, address + length): none if there is a hole.
std::vector<Piece> pieces_of(char* address, size_t length) {
  std::vector<Piece> pieces;
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  if (text == nullptr || prepare_find_vma().failed()) return {};
  char* const end = address + length;
  Vma vma = {};
  for (char* at = address; at < end;) {
    if (!find_vma(reinterpret_cast<uintptr_t>(at), vma, *text)) return {};
    char* const stop = std::min(end, reinterpret_cast<char*>(vma.end));
    pieces.push_back({at, static_cast<size_t>(stop - at)});
    at = stop;
  }
  return pieces;
}

Result<void*> move_to(char* from, size_t old_length, size_t new_length, void* to) {
  return with_spares([&] {
    return sys::mremap(from, old_length, new_length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  });
}

// Moves a piece, which then has `more` bytes. Where the old addresses are kept it has
// grown before anything is replaced.
Result<void*> move_piece(const Piece& piece, size_t more, bool keeps, char* to) {
  const size_t length = piece.length + more;
  if (!keeps) return move_to(piece.address, piece.length, length, to);
  constexpr int kKeeps = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  Result<void*> away = with_spares(
      [&] { return sys::mremap(piece.address, piece.length, piece.length, kKeeps); });
  if (!away) return away;
  Result<void*> landed = away;
  size_t has = piece.length;
  if (more > 0) landed = sys::mremap(*away, has, length, MREMAP_MAYMOVE);
  if (landed) {
    away = landed;
    has = length;
    landed = move_to(static_cast<char*>(*away), length, length, to);
  }
  if (!landed) {
    char* const from = static_cast<char*>(*away);
    if (has > piece.length) {
      static_cast<void>(sys::munmap(from + piece.length, has - piece.length));
    }
    static_cast<void>(move_to(from, piece.length, piece.length, piece.address));
  }
  return landed;
}

Result<void*> move_pieces(char* from, size_t old_length, size_t new_length, bool keeps,
                          char* to) {
  const size_t kept = std::min(old_length, new_length);
  const std::vector<Piece> pieces = pieces_of(from, kept);
  for (size_t i = 0; i < pieces.size(); i++) {
    const Piece& piece = pieces[i];
    const bool last = i + 1 == pieces.size();
    char* const place = to + (piece.address - from);
    Result<void*> moved = move_piece(piece, last ? new_length - kept : 0, keeps, place);
    if (moved) continue;
    while (i-- > 0) {
      char* const back = pieces[i].address;
      static_cast<void>(
          move_to(to + (back - from), pieces[i].length, pieces[i].length, back));
    }
    return moved.error();
  }
  if (pieces.empty()) return Errno{EFAULT};
  if (!keeps && old_length > kept) {
    static_cast<void>(sys::munmap(from + kept, old_length - kept));
  }
  return to;
}

// Undoes detach_pages: they return to their old addresses, which are still ours.
void reattach_pages(void* detached, char* address, size_t old_length, size_t new_length) {
  const size_t kept = std::min(old_length, new_length);
  char* const from = static_cast<char*>(detached);
  if (new_length > kept) {
    static_cast<void>(sys::munmap(from + kept, new_length - kept));
  }
  static_cast<void>(move_pages(from, kept, kept, false, address));
}

// Moves the pages to where nobody can see them, `new_length` long; the old addresses stay
// mapped. Without a buffer over the new place, the kernel may move them again at will.
Result<void*> detach_pages(char* address, size_t old_length, size_t new_length) {
  const size_t kept = std::min(old_length, new_length);
  Result<void*> detached =
      sys::mremap(address, kept, kept, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  if (!detached && detached.error().value == EFAULT) {
    return move_pages(address, old_length, new_length, true);
  }
  if (!detached || new_length == kept) return detached;
  Result<void*> grown = sys::mremap(*detached, kept, new_length, MREMAP_MAYMOVE);
  if (!grown) reattach_pages(*detached, address, kept, kept);
  return grown;
}

// What mremap(2) does without MREMAP_FIXED.
Result<Mapping> remap_anywhere(const std::shared_ptr<AddressRange>& range, char* address,
                               size_t old_length, size_t new_length, bool may_move) {
  const size_t offset = static_cast<size_t>(address - range->begin());
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
  auto moved = move_out(*range, address, old_length, new_length);
  if (!moved) return moved.error();
  char* begin = (*moved)->begin();
  return Mapping(std::move(*moved), begin, new_length);
}

// With MREMAP_DONTUNMAP alone: the old pages stay as the kernel leaves them.
Result<Mapping> remap_copying(char* address, size_t length, int flags) {
  const std::vector<Extent> extents = extents_in(address, length);
  Result<void*> moved = sys::mremap(address, length, length, flags);
  if (!moved) return moved.error();
  auto range = AddressRange::take(*moved, length, Owner::kMemmap);
  range->fill_as(extents, address, range->begin(), length);
  return Mapping(range, range->begin(), length);
}

// Moves detached pages onto [to, to + length) of `host`, in place of what is there.
Errno land(AddressRange& host, void* detached, size_t length, void* to) {
  const auto start = reinterpret_cast<uintptr_t>(to);
  if (Errno error = cut_extents(start, start + length); error.failed()) return error;
  Result<void*> landed =
      move_pages(static_cast<char*>(detached), length, length, false, to);
  if (landed) return {};
  // The kernel may have unmapped what was there, and nothing guards what it left.
  const auto offset = static_cast<size_t>(static_cast<char*>(to) - host.begin());
  static_cast<void>(host.vacate(offset, length));
  return landed.error();
}

// What mremap(2) does with MREMAP_FIXED.
Result<Mapping> remap_onto(AddressRange& range, char* address, size_t old_length,
                           size_t new_length, bool keeps, void* to) {
  auto host = destination(to, new_length);
  if (!host) return host.error();
  const std::vector<Extent> extents = extents_in(address, old_length);
  bool joined = false;
  if (!keeps) {
    Errno error = join_for_move(address, old_length, joined);
    if (error.failed()) return error;
  }
  Result<void*> detached = detach_pages(address, old_length, new_length);
  Errno error = detached ? land(**host, *detached, new_length, to) : detached.error();
  if (error.failed()) {
    if (detached) reattach_pages(*detached, address, old_length, new_length);
    if (joined) protect_again(address, old_length);
    return error;
  }
  char* const landed = static_cast<char*>(to);
  (*host)->fill_as(extents, address, landed, new_length);
  if (joined) protect_again(landed, new_length);
  // Where it fails, empty pages of the same kind stay there, under the guard.
  if (!keeps) {
    static_cast<void>(
        range.vacate(static_cast<size_t>(address - range.begin()), old_length));
  }
  return Mapping(std::move(*host), landed, new_length);
}

}  // namespace

Result<void*> move_pages(char* from, size_t old_length, size_t new_length, bool keeps,
                         void* to) {
  if (!keeps && (to == nullptr || is_one_mapping(from, old_length))) {
    const int flags = MREMAP_MAYMOVE | (to != nullptr ? MREMAP_FIXED : 0);
    Result<void*> moved = sys::mremap(from, old_length, new_length, flags, to);
    if (moved || moved.error().value != EFAULT) return moved;
  }
  if (to != nullptr) {
    return move_pieces(from, old_length, new_length, keeps, static_cast<char*>(to));
  }
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  Result<void*> claimed = sys::mmap(nullptr, new_length, PROT_NONE, kFlags, -1, 0);
  if (!claimed) return claimed;
  Result<void*> moved =
      move_pieces(from, old_length, new_length, keeps, static_cast<char*>(*claimed));
  if (!moved) static_cast<void>(sys::munmap(*claimed, new_length));
  return moved;
}

Errno move_onto_engine(char* address, size_t length, bool keeps, void* to) {
  // With MREMAP_DONTUNMAP the kernel may find that it lacks address space only after it
  // has unmapped what was there: not from a third place.
  Result<void*> from = keeps ? detach_pages(address, length, length) : address;
  if (!from) return from.error();
  char* const source = static_cast<char*>(*from);
  const bool whole = is_one_mapping(source, length);
  constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
  Result<void*> moved = whole ? sys::mremap(source, length, length, kFlags, to)
                              : move_pages(source, length, length, true, to);
  if (moved) {
    if (!whole) static_cast<void>(sys::munmap(source, length));
    return {};
  }
  // The engine would unmap its addresses later, which could be another's by then.
  constexpr int kHold = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  static_cast<void>(sys::mmap(to, length, PROT_READ | PROT_WRITE, kHold, -1, 0));
  if (keeps) reattach_pages(source, address, length, length);
  return moved.error();
}

Errno join_for_move(char* address, size_t length, bool& joined) {
  const std::vector<Extent> extents = extents_in(address, length);
  joined = std::any_of(extents.begin(), extents.end(), [&](const Extent& extent) {
    return extent.prot != extents.front().prot;
  });
  if (!joined) return {};
  // What the guard has put at addresses of the engine may lack the mark. Where marks are
  // different all the same they are moved one by one.
  const bool marked = std::none_of(extents.begin(), extents.end(),
                                   [](const Extent& one) { return one.kept_on_fork; });
  if (marked && extents.front().engine_owned) {
    static_cast<void>(sys::madvise(address, length, MADV_WIPEONFORK));
  }
  const Errno error =
      with_spares([&] { return sys::mprotect(address, length, PROT_NONE); });
  if (error.failed()) protect_again(address, length);
  return error;
}

void protect_again(char* address, size_t length) {
  for (const Extent& extent : extents_in(address, length)) {
    void* start = reinterpret_cast<void*>(extent.start);
    const int prot = extent.prot == -1 ? PROT_READ : extent.prot;
    static_cast<void>(
        with_spares([&] { return sys::mprotect(start, extent.length(), prot); }));
  }
}

Result<std::shared_ptr<AddressRange>> move_out(AddressRange& range, char* address,
                                               size_t old_length, size_t new_length) {
  if (Errno error = undo_strays_in(address, old_length); error.failed()) {
    return error;
  }
  const std::vector<Extent> extents = extents_in(address, old_length);
  bool joined = false;
  if (Errno error = join_for_move(address, old_length, joined); error.failed()) {
    return error;
  }
  Result<void*> detached = detach_pages(address, old_length, new_length);
  Errno error = detached ? Errno{} : detached.error();
  if (detached) {
    error = range.vacate(static_cast<size_t>(address - range.begin()), old_length);
    if (error.failed()) reattach_pages(*detached, address, old_length, new_length);
  }
  if (error.failed()) {
    if (joined) protect_again(address, old_length);
    return error;
  }
  auto moved = AddressRange::take(*detached, new_length, Owner::kMemmap);
  moved->fill_as(extents, address, moved->begin(), new_length);
  if (joined) protect_again(moved->begin(), new_length);
  return moved;
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
  const PageReplacementLock lock;
  // Empty addresses of a reservation trap, which they may not where a mapping is. Closed
  // pages stay where they are.
  const auto start = reinterpret_cast<uintptr_t>(address);
  if (!all_open(start, start + old_length)) return Errno{EFAULT};
  if (Errno error = undo_strays_in(address, old_length); error.failed()) {
    return error;
  }
  const bool keeps = (flags & MREMAP_DONTUNMAP) != 0;
  if (keeps && old_length != new_length) return Errno{EINVAL};
  if (fixed) {
    return remap_onto(*range, address, old_length, new_length, keeps, new_address);
  }
  if (keeps) return remap_copying(address, old_length, flags);
  return remap_anywhere(range, address, old_length, new_length, may_move);
}

}  // namespace memmap::core
