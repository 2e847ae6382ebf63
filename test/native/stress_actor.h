// A thread of the stress test: it does all that can be done to mappings, at random, and
// expects the bytes that must be there.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/mapping/mapping.h"
#include "core/mapping/remap.h"
#include "core/page.h"
#include "mappings.h"
#include "stress_arena.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace memmap::test {

class Actor {
 public:
  Actor(Arena& arena, size_t thread, uint64_t seed)
      : arena_(arena),
        thread_(thread),
        letter_(static_cast<char>('A' + thread)),
        random_(seed * 1000 + thread + 1) {
    for (size_t i = 0; i < kSlots; i++) {
      slots_[i].file = std::make_unique<TemporaryFile>(
          kPages * core::page_size(), letter_, i % 2 == 0 ? "/tmp" : "/dev/shm");
      place(i);
      close(i);
    }
  }

  void work(const std::atomic<bool>& over) {
    while (!over && wrong_.empty()) {
      act();
      acts_ += 1;
    }
  }
  uint64_t acts() const { return acts_; }
  const std::string& wrong() const { return wrong_; }

 private:
  struct Slot {
    std::unique_ptr<TemporaryFile> file;
    core::Mapping mapping;
    std::shared_ptr<core::AddressRange>
        view;  // whoever reaches the slot, from the first on
    bool open = false;
    Kind kind = Kind::kFile;
    int prot = 0;
  };

  size_t choose(size_t most) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<size_t>(random_ >> 11) % most;
  }
  void expect(bool so, const char* what) {
    if (!so && wrong_.empty()) wrong_ = what;
  }
  char* at(size_t index, size_t page) const {
    return arena_.slot(thread_, index) + page * core::page_size();
  }
  void act() {
    const size_t index = choose(kSlots);
    Slot& slot = slots_[index];
    switch (choose(10)) {
      case 0:
      case 1:
        return slot.open ? close(index) : place(index);
      case 2:
        return slot.open ? protect(index) : place(index);
      case 3:
        return slot.open ? lose(index) : place(index);
      case 4:
        return slot.open ? place(index) : move_in(index);
      case 5:
        return resize();
      case 6:
        return overlay();
      case 7:
        return move_out();
      default:
        return touch_others();
    }
  }

  void place(size_t index) {
    Slot& slot = slots_[index];
    slot.kind = static_cast<Kind>(choose(kKinds));
    slot.prot = slot.kind == Kind::kReadOnlyFile ? PROT_READ : kReadWrite;
    core::Mapping::Request request;
    request.address = at(index, 0);
    request.length = kPages * core::page_size();
    request.prot = slot.prot;
    request.flags = MAP_FIXED | (slot.kind == Kind::kMemory        ? kAnonymous
                                 : slot.kind == Kind::kPrivateFile ? MAP_PRIVATE
                                                                   : MAP_SHARED);
    if (slot.kind != Kind::kMemory) request.fd = slot.file->fd();
    sys::Result<core::Mapping> made = core::Mapping::create(request);
    expect(bool{made}, "place");
    if (!made) return;
    slot.mapping = std::move(*made);
    if (slot.view == nullptr) slot.view = slot.mapping.range();
    slot.open = true;
    if (slot.kind == Kind::kMemory) fill(at(index, 0), kPages, letter_);
    expect(all(at(index, 0), 0, kPages, letter_), "a new mapping shows its pages");
    if (choose(4) == 0) slot.mapping.keep(sys::UniqueFd(::dup(slot.file->fd())));
  }

  void close(size_t index) {
    Slot& slot = slots_[index];
    slot.open = false;
    expect(!slot.mapping.close().failed(), "close");
    expect(all(at(index, 0), 0, kPages, 0), "closed pages read zeros");
    expect(intact(slot), "the file is what it was");
  }

  // Nothing but the byte that others write has changed; that neither, if nobody might.
  bool intact(const Slot& slot) const {
    char page[4096];
    for (size_t i = 0; i < kPages; i++) {
      const auto offset = static_cast<off_t>(i * core::page_size());
      if (::pread(slot.file->fd(), page, sizeof page, offset) != sizeof page)
        return false;
      for (size_t at = 0; at < sizeof page; at++) {
        if (page[at] != letter_ && at != kTouched) return false;
      }
    }
    return true;
  }

  bool give(size_t index, size_t first, size_t count, int prot) {
    Slot& slot = slots_[index];
    const auto offset =
        static_cast<size_t>(at(index, first) - slot.mapping.range()->begin());
    return !slot.mapping.range()
                ->protect(offset, count * core::page_size(), prot)
                .failed();
  }

  void protect(size_t index) {
    const size_t first = choose(kPages);
    const size_t count = 1 + choose(kPages - first);
    const bool forbid = choose(2) == 0;
    expect(give(index, first, count, forbid ? PROT_NONE : PROT_READ), "protect");
    if (forbid) {
      expect(load(at(index, first)) == 0, "without access there are zeros");
    } else {
      store(at(index, first) + kTouched, 's');
      expect(load(at(index, first)) == letter_, "a stray write keeps what is beside it");
    }
    expect(give(index, 0, kPages, slots_[index].prot), "protect all");
    expect(all(at(index, 0), 0, kPages, letter_), "the bytes come back with access");
  }

  // The file shrinks and grows back.
  void lose(size_t index) {
    Slot& slot = slots_[index];
    if (slot.kind == Kind::kMemory) return;
    const size_t kept = choose(kPages);
    const auto counts = slot.mapping.counts();
    const uint32_t before = counts->all;
    expect(
        ::ftruncate(slot.file->fd(), static_cast<off_t>(kept * core::page_size())) == 0,
        "ftruncate");
    // What a private mapping has written stays its own.
    const char last = load(at(index, kPages - 1));
    expect(last == 0 || (slot.kind == Kind::kPrivateFile && last == letter_),
           "lost pages read zeros");
    expect(last != 0 || counts->all != before, "zeros are counted");
    const std::string bytes(kPages * core::page_size(), letter_);
    expect(::pwrite(slot.file->fd(), bytes.data(), bytes.size(), 0) > 0, "pwrite");
    const int flags = slot.kind == Kind::kPrivateFile ? MAP_PRIVATE : MAP_SHARED;
    const core::Mapping::Source source = {slot.file->fd(), 0, flags, choose(2) == 0};
    expect(!slot.mapping.restore(source, slot.prot).failed(), "restore");
    expect(all(at(index, 0), 0, kPages, letter_), "the file comes back");
  }

  void move_in(size_t index) {
    sys::Result<core::Mapping> from = core::Mapping::create(pages(kPages));
    expect(bool{from}, "create");
    if (!from) return;
    fill(from->address(), kPages, letter_);
    const size_t length = kPages * core::page_size();
    sys::Result<core::Mapping> moved =
        core::remap(from->range(), from->address(), length, length,
                    MREMAP_MAYMOVE | MREMAP_FIXED, at(index, 0));
    expect(bool{moved}, "remap");
    if (!moved) return;
    Slot& slot = slots_[index];
    slot.mapping = std::move(*moved);
    if (slot.view == nullptr) slot.view = slot.mapping.range();
    slot.open = true;
    slot.kind = Kind::kMemory;
    slot.prot = kReadWrite;
    expect(all(at(index, 0), 0, kPages, letter_), "moved pages keep their bytes");
  }

  void move_out() {
    const size_t index = choose(kSlots);
    Slot& slot = slots_[index];
    if (!slot.open) return;
    const size_t count = 1 + choose(2 * kPages);
    sys::Result<core::Mapping> moved =
        core::remap(slot.mapping.range(), at(index, 0), kPages * core::page_size(),
                    count * core::page_size(), MREMAP_MAYMOVE, nullptr);
    // Pages that a stray access has split cannot be moved by mremap(2) in one.
    if (!moved) return expect(moved.error().value == EFAULT, "remap away");
    const size_t kept = count < kPages ? count : kPages;
    expect(all(moved->address(), 0, kept, letter_), "pages keep their bytes elsewhere");
    slot.open = false;
    if (moved->address() == at(index, 0)) {
      // Shrunk: the rest has been closed already.
      expect(!moved->close().failed(), "close what was shrunk");
    }
    slot.mapping = core::Mapping();
    expect(all(at(index, 0), 0, kPages, 0), "left pages read zeros");
  }

  // Of its own, with or without a view that is held over the old addresses.
  void resize() {
    const bool of_file = choose(2) == 0;
    TemporaryFile& file = *slots_[0].file;
    core::Mapping::Request request = pages(kPages);
    if (of_file) {
      request.fd = file.fd();
      request.flags = MAP_SHARED;
    }
    sys::Result<core::Mapping> made = core::Mapping::create(request);
    expect(bool{made}, "create");
    if (!made) return;
    if (!of_file) fill(made->address(), kPages, letter_);
    const auto holder = choose(2) == 0 ? made->range() : nullptr;
    char* old = made->address();
    expect(!made->range()->protect(0, kPages * core::page_size(), PROT_READ).failed(),
           "protect");
    store(old + kTouched, 's');
    const size_t count = 1 + choose(2 * kPages);
    expect(!made->resize(count * core::page_size()).failed(), "resize");
    const size_t kept = count < kPages ? count : kPages;
    expect(all(made->address(), 0, kept, letter_), "bytes after resize");
    if (holder != nullptr && made->address() != old) {
      expect(all(old, 0, kPages, 0), "zeros before resize");
      store(old + kTouched, 's');
    }
    expect(!made->close().failed(), "close");
    if (holder != nullptr) expect(all(holder->begin(), 0, 1, 0), "zeros after close");
  }

  // Memory of the engine, which it takes back without a word.
  void overlay() {
    char* reserved = map_foreign(kPages);
    sys::Result<core::Mapping> made = core::Mapping::create(pages(kPages));
    expect(bool{made}, "create");
    if (!made) return;
    fill(made->address(), kPages, letter_);
    expect(!made->overlay(reserved).failed(), "overlay");
    const size_t length = kPages * core::page_size();
    expect(!made->range()->protect(0, length, PROT_NONE).failed(), "protect");
    expect(all(reserved, 0, kPages, 0), "zeros without access");
    expect(!made->range()->protect(0, length, PROT_READ).failed(), "protect");
    expect(all(reserved, 0, kPages, letter_), "bytes of an overlay");
    if (choose(2) == 0) expect(!made->close().failed(), "close");
    *made = core::Mapping();
    ::munmap(reserved, length);
    if (choose(16) == 0) core::AddressRange::sweep();
  }

  void touch_others() {
    for (int i = 0; i < 20; i++) {
      const size_t thread = choose(kThreads);
      char* page =
          arena_.slot(thread, choose(kSlots)) + choose(kPages) * core::page_size();
      const char byte = load(page);
      expect(byte == 0 || byte == static_cast<char>('A' + thread), "a byte of its own");
      if (i % 4 == 0) store(page + kTouched, 't');
    }
  }

  Arena& arena_;
  const size_t thread_;
  const char letter_;
  uint64_t random_;
  std::array<Slot, kSlots> slots_;
  uint64_t acts_ = 0;
  std::string wrong_;
};

}  // namespace memmap::test
