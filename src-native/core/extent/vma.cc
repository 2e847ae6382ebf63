#include "core/extent/vma.h"

#include <fcntl.h>
#include <sys/auxv.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <new>

#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;

constexpr const char* kMaps = "/proc/self/maps";
// For where there is no descriptor left to open it with.
std::atomic<int> maps_fd = -1;
constexpr int kMostLooks = 20;

Errno query(int fd, uintptr_t address, Vma& vma, VmaText& text) {
  sys::ProcmapQuery query = {};
  query.size = sizeof query;
  query.query_addr = address;
  query.vma_name_addr = reinterpret_cast<uintptr_t>(text.path);
  query.vma_name_size = sizeof text.path;
  if (Errno error = sys::procmap_query(fd, query); error.failed()) return error;
  vma.start = query.vma_start;
  vma.end = query.vma_end;
  vma.readable = (query.vma_flags & sys::kProcmapReadable) != 0;
  vma.writable = (query.vma_flags & sys::kProcmapWritable) != 0;
  vma.executable = (query.vma_flags & sys::kProcmapExecutable) != 0;
  vma.shared = (query.vma_flags & sys::kProcmapShared) != 0;
  vma.device_major = query.dev_major;
  vma.device_minor = query.dev_minor;
  vma.inode = query.inode;
  vma.offset = query.vma_offset;
  vma.page_size = query.vma_page_size;
  if (query.vma_name_size == 0) text.path[0] = '\0';
  vma.path = text.path;
  return {};
}

// Reads the text of /proc/self/maps byte by byte: no allocation, no stdio.
//
// Who reads a descriptor of its own from end to end sees each line whole: the kernel goes
// on by address. One that others read too is found again by bytes, which may be inside a
// line once mappings have come and gone.
class MapsText {
 public:
  MapsText(int fd, VmaText& room) : fd_(fd), room_(room) {}

  VmaText& room() { return room_; }

  // The next byte, or -1 at the end.
  int next() {
    if (at_ == filled_) {
      Result<ssize_t> got = sys::pread(fd_, room_.read, sizeof room_.read, offset_);
      if (!got || *got <= 0) return -1;
      offset_ += *got;
      filled_ = static_cast<size_t>(*got);
      at_ = 0;
    }
    return static_cast<unsigned char>(room_.read[at_++]);
  }

  // A number, and the byte that ends it in `end`.
  uint64_t number(unsigned base, int& end) {
    uint64_t value = 0;
    for (;;) {
      end = next();
      unsigned digit = 99;
      if (end >= '0' && end <= '9') digit = static_cast<unsigned>(end - '0');
      if (end >= 'a' && end <= 'f') digit = static_cast<unsigned>(end - 'a') + 10;
      if (digit >= base) return value;
      value = value * base + digit;
    }
  }

 private:
  const int fd_;
  VmaText& room_;
  int64_t offset_ = 0;
  size_t at_ = 0;
  size_t filled_ = 0;
};

// One line: "start-end rwxp offset major:minor inode    path".
bool parse_line(MapsText& text, Vma& vma) {
  auto& path = text.room().path;
  int byte = 0;
  vma.start = text.number(16, byte);
  if (byte != '-') return false;
  vma.end = text.number(16, byte);
  vma.readable = text.next() == 'r';
  vma.writable = text.next() == 'w';
  vma.executable = text.next() == 'x';
  vma.shared = text.next() == 's';
  text.next();
  vma.offset = text.number(16, byte);
  vma.device_major = static_cast<uint32_t>(text.number(16, byte));
  vma.device_minor = static_cast<uint32_t>(text.number(16, byte));
  vma.inode = text.number(10, byte);
  vma.page_size = 0;
  while (byte == ' ') byte = text.next();
  size_t length = 0;
  for (; byte != '\n' && byte != -1; byte = text.next()) {
    if (length < sizeof path - 1) path[length++] = static_cast<char>(byte);
  }
  path[length] = '\0';
  vma.path = path;
  return true;
}

bool find_in_text(int fd, uintptr_t address, Vma& vma, VmaText& room) {
  MapsText text(fd, room);
  while (parse_line(text, vma)) {
    if (address < vma.start) break;
    if (address < vma.end) return true;
  }
  return false;
}

// Of the descriptor that others read too: something once it was read twice, nothing only
// if no look finds anything.
bool find_in_shared_text(int fd, uintptr_t address, Vma& vma, VmaText& room) {
  uintptr_t start = 0;
  uintptr_t end = 0;
  for (int looks = 0; looks < kMostLooks; looks++) {
    if (!find_in_text(fd, address, vma, room)) continue;
    if (vma.start == start && vma.end == end) return true;
    start = vma.start;
    end = vma.end;
  }
  return false;
}

Result<UniqueFd> open_maps() { return sys::open(kMaps, O_RDONLY | O_CLOEXEC, 0); }

}  // namespace

Errno prepare_find_vma() {
  if (maps_fd.load(std::memory_order_relaxed) >= 0) return {};
  Result<UniqueFd> maps = open_maps();
  if (!maps) return maps.error();
  int none = -1;
  // Another thread may have been faster: one descriptor is enough.
  if (maps_fd.compare_exchange_strong(none, maps->get(), std::memory_order_release)) {
    static_cast<void>(maps->release());
  }
  return {};
}

bool find_vma(uintptr_t address, Vma& vma, VmaText& text) {
  const int fd = maps_fd.load(std::memory_order_acquire);
  if (fd < 0) return false;
  const Errno error = query(fd, address, vma, text);
  if (!error.failed()) return true;
  if (error.value == ENOENT) return false;
  // Opened by whoever asks, while there are descriptors.
  Result<UniqueFd> own = open_maps();
  return own ? find_in_text(own->get(), address, vma, text)
             : find_in_shared_text(fd, address, vma, text);
}

Errno query_vma(uintptr_t address, Vma& vma, VmaText& text) {
  const int fd = maps_fd.load(std::memory_order_acquire);
  return fd < 0 ? Errno{EBADF} : query(fd, address, vma, text);
}

bool has_procmap_query() {
  static const bool has = [] {
    Vma vma = {};
    VmaText text;
    const auto here = reinterpret_cast<uintptr_t>(&vma);
    return !query_vma(here, vma, text).failed();
  }();
  return has;
}

// Asked to make the mapping grow beyond the first thread's stack, the kernel looks at the
// mapping first, and only then finds the stack in the way, or too much to be locked.
bool is_one_mapping(char* address, size_t length) {
  const auto start = reinterpret_cast<uintptr_t>(address);
  const size_t beyond = ::getauxval(AT_RANDOM) - start;
  const Result<void*> grown = length < beyond ? sys::mremap(address, length, beyond, 0)
                                              : Result<void*>(Errno{EINVAL});
  const int error = grown ? 0 : grown.error().value;
  if (error == ENOMEM || error == EAGAIN) return true;
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  Vma vma = {};
  return text != nullptr && !prepare_find_vma().failed() && find_vma(start, vma, *text) &&
         vma.end - start >= length;
}

bool for_each_vma(VmaText& room, bool (*each)(void* context, const Vma& vma),
                  void* context) {
  Result<UniqueFd> own = open_maps();
  if (!own) return false;
  MapsText text(own->get(), room);
  Vma vma = {};
  while (parse_line(text, vma) && each(context, vma)) {
  }
  return true;
}

Result<UniqueFd> open_file_of(const Vma& vma, int flags) {
  if (vma.inode == 0 || vma.path[0] != '/') return Errno{ENOENT};
  Result<UniqueFd> file =
      sys::open(vma.path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (!file) return file;
  struct stat status = {};
  if (Errno error = sys::fstat(file->get(), &status); error.failed()) return error;
  if (!S_ISREG(status.st_mode)) return Errno{ENOENT};
  return file;
}

}  // namespace memmap::core
