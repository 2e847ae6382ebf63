#include "core/replacement/stash.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/page.h"
#include "core/replacement/spare_mappings.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"
#include "sys/signal.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

// Records, in chunks of as many as a process can have mappings at the kernel's default
// limit. Address space only: memory comes with the records that are used.
constexpr size_t kRecords = size_t{1} << 16;
constexpr size_t kChunks = size_t{1} << 10;
Stash* chunks[kChunks] = {};
size_t used = 0;  // records that have been taken once
Stash* free_records = nullptr;

Errno make_chunk(size_t chunk) {
  if (chunk == kChunks) return {ENOMEM};
  if (chunks[chunk] != nullptr) return {};
  Result<void*> pages = with_spares([] {
    return sys::mmap(nullptr, kRecords * sizeof(Stash), kReadWrite, kAnonymous, -1, 0);
  });
  if (!pages) return pages.error();
  chunks[chunk] = static_cast<Stash*>(*pages);
  return {};
}

Stash* take_record() {
  if (free_records != nullptr) {
    Stash* record = free_records;
    free_records = record->next;
    return record;
  }
  const size_t chunk = used / kRecords;
  if (make_chunk(chunk).failed()) return nullptr;
  return &chunks[chunk][used++ % kRecords];
}

void give_record(Stash* record) {
  record->length = 0;
  record->next = free_records;
  free_records = record;
}

// A new record in front of the list, or null.
bool keep(Stash*& list, uintptr_t origin, void* pages, size_t length, bool copied) {
  Stash* record = take_record();
  if (record == nullptr) return false;
  *record = {list, origin, static_cast<char*>(pages), length, copied};
  list = record;
  return true;
}

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

Result<void*> new_pages(size_t length) {
  return with_spares(
      [&] { return sys::mmap(nullptr, length, kReadWrite, kAnonymous, -1, 0); });
}

// Where the system forbids process_vm_readv(2): by way of a file, which the kernel writes
// as far as it can read the memory.
bool copy_page(int file, char* to, const void* from, size_t unit) {
  Result<ssize_t> written = sys::pwrite(file, from, unit, 0);
  if (!written || *written != static_cast<ssize_t>(unit)) return false;
  Result<ssize_t> got = sys::pread(file, to, unit, 0);
  return bool{got};
}

// Writes to memory whatever its protection is: pages that cannot be had, a file may have
// shrunk, are left out. False if there is no way to.
bool write_forced(const Stash& stash) {
  Result<sys::UniqueFd> memory = sys::open("/proc/self/mem", O_WRONLY | O_CLOEXEC, 0);
  if (!memory) return false;
  const size_t page = page_size();
  bool any = false;
  for (size_t done = 0; done < stash.length;) {
    Result<ssize_t> written =
        sys::pwrite(memory->get(), stash.pages + done, stash.length - done,
                    static_cast<int64_t>(stash.origin + done));
    any = any || bool{written};
    done += written ? static_cast<size_t>(*written) : 0;
    if (done < stash.length) done = round_down(done, page) + page;
  }
  return any;
}

// Copies the pages back as far as there are any: a file may have shrunk, and then they
// are lost as in any other mapping of it. False if the system lets nobody copy.
bool copy_back(const Stash& stash) {
  if (write_forced(stash)) return true;
  const pid_t self = ::getpid();
  const size_t page = page_size();
  // Only a page that is not there is in the way then.
  static_cast<void>(sys::mprotect(at(stash.origin), stash.length, kReadWrite));
  for (size_t done = 0; done < stash.length;) {
    const size_t left = stash.length - done;
    Result<ssize_t> copied = sys::process_vm_writev(self, {stash.pages + done, left},
                                                    {at(stash.origin + done), left});
    if (copied) {
      done += static_cast<size_t>(*copied);
      if (done < stash.length) done = round_down(done, page) + page;
      continue;
    }
    if (copied.error().value == EFAULT) {
      done += page;
      continue;
    }
    Result<sys::UniqueFd> file = sys::memfd_create("memmap-copy", MFD_CLOEXEC);
    if (!file) return false;
    for (; done < stash.length; done += page) {
      copy_page(file->get(), reinterpret_cast<char*>(stash.origin + done),
                stash.pages + done, page);
    }
  }
  return true;
}

Errno put_back(const Stash& stash) {
  if (stash.copied && copy_back(stash)) {
    static_cast<void>(sys::munmap(stash.pages, stash.length));
    return {};
  }
  Result<void*> moved = with_spares([&] {
    return sys::mremap(stash.pages, stash.length, stash.length,
                       MREMAP_MAYMOVE | MREMAP_FIXED, at(stash.origin));
  });
  return moved ? Errno{} : moved.error();
}

}  // namespace

Errno prepare_stash() { return make_chunk(0); }

bool stash_pages(Stash*& list, uintptr_t start, size_t length) {
  // The record first: nothing can fail once the pages have moved. The kernel chooses
  // where they go: of a place of ours nobody would know, when it fails, whether the
  // kernel has given it to others since.
  if (!keep(list, start, nullptr, 0, false)) return false;
  constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  Result<void*> moved =
      with_spares([&] { return sys::mremap(at(start), length, length, kFlags); });
  Stash* record = list;
  if (moved) {
    record->pages = static_cast<char*>(*moved);
    record->length = length;
    return true;
  }
  list = record->next;
  give_record(record);
  return false;
}

bool stash_shared(Stash*& list, uintptr_t start, size_t length) {
  // An old length of 0 maps shared pages a second time.
  Result<void*> pages =
      with_spares([&] { return sys::mremap(at(start), 0, length, MREMAP_MAYMOVE); });
  if (!pages) return false;
  if (keep(list, start, *pages, length, false)) return true;
  static_cast<void>(sys::munmap(*pages, length));
  return false;
}

bool stash_copy(Stash*& list, uintptr_t start, size_t length, size_t unit) {
  Result<void*> pages = new_pages(length);
  if (!pages) return false;
  if (keep(list, start, *pages, length, true)) {
    copy_readable(static_cast<char*>(*pages), start, length, unit);
    return true;
  }
  static_cast<void>(sys::munmap(*pages, length));
  return false;
}

Errno unstash(Stash*& list) {
  while (list != nullptr) {
    if (Errno error = put_back(*list); error.failed()) return error;
    Stash* record = list;
    list = record->next;
    give_record(record);
  }
  return {};
}

void drop_stash(Stash*& list) {
  while (list != nullptr) {
    static_cast<void>(sys::munmap(list->pages, list->length));
    Stash* record = list;
    list = record->next;
    give_record(record);
  }
}

const Stash* find_stash(uintptr_t address) {
  for (size_t i = 0; i < used; i++) {
    const Stash& stash = chunks[i / kRecords][i % kRecords];
    if (address - reinterpret_cast<uintptr_t>(stash.pages) < stash.length) return &stash;
  }
  return nullptr;
}

void copy_readable(char* to, uintptr_t from, size_t length, size_t unit) {
  const uintptr_t end = from + length;
  const pid_t self = ::getpid();
  for (uintptr_t next = from; next < end;) {
    char* target = to + (next - from);
    Result<ssize_t> copied =
        sys::process_vm_readv(self, {target, end - next}, {at(next), end - next});
    if (copied) {
      next += static_cast<size_t>(*copied);
      if (next < end) next = round_down(next, unit) + unit;
      continue;
    }
    if (copied.error().value == EFAULT) {
      next += unit;
      continue;
    }
    // Forbidden by a sandbox.
    Result<sys::UniqueFd> file = sys::memfd_create("memmap-copy", MFD_CLOEXEC);
    for (; file && next < end; next += unit) {
      copy_page(file->get(), to + (next - from), at(next), unit);
    }
    return;
  }
}

}  // namespace memmap::core
