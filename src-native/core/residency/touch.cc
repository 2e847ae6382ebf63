#include "core/residency/touch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "core/page.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;

// Files whose reads the disk has before the first is waited for.
constexpr size_t kAtOnce = 8;
// Bytes asked for in one call: Linux cuts readahead that is longer than the device likes.
constexpr int64_t kAhead = int64_t{1} << 17;
// Bytes of memory to read into; what they are nobody looks at.
constexpr int64_t kScratch = int64_t{1} << 16;

// A file of which something is missing.
struct Missing {
  UniqueFd fd;
  std::vector<FilePart> parts;  // of the data: ascending
  int64_t length = 0;           // of all parts
  size_t index = 0;
};

// The owner only may leave the time of the last access as it is.
Result<UniqueFd> open_quietly(const char* path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  for (int flags = kFlags | O_NOATIME;;) {
    Result<UniqueFd> fd = sys::open(path, flags, 0);
    if (fd) return fd;
    if (fd.error().value == EPERM && flags != kFlags) {
      flags = kFlags;
    } else if (fd.error().value != EINTR) {
      return fd.error();
    }
  }
}

// Persistent memory is told apart: cachestat(2) of it crashes kernels (page_cache.h), and
// there is nothing to bring in. Where it cannot be known it may be.
struct Kind {
  mode_t mode = 0;
  int64_t size = 0;
  int64_t modified_seconds = 0;
  uint32_t modified_nanoseconds = 0;
  bool dax = false;
  bool may_be_dax = false;
};

Result<Kind> kind_of(int fd) {
  struct statx facts = {};
  if (!sys::statx(fd, STATX_TYPE | STATX_SIZE | STATX_MTIME, &facts).failed()) {
    const bool dax = (facts.stx_attributes & STATX_ATTR_DAX) != 0;
    return Kind{facts.stx_mode,
                static_cast<int64_t>(facts.stx_size),
                facts.stx_mtime.tv_sec,
                facts.stx_mtime.tv_nsec,
                dax,
                dax};
  }
  struct stat file = {};
  if (Errno error = sys::fstat(fd, &file); error.failed()) return error;
  return Kind{file.st_mode,
              file.st_size,
              file.st_mtim.tv_sec,
              static_cast<uint32_t>(file.st_mtim.tv_nsec),
              false,
              true};
}

Errno not_regular(mode_t mode) { return {S_ISDIR(mode) ? EISDIR : EINVAL}; }

// Bytes of the part that are in the page cache; -1: the kernel does not tell, or not us.
int64_t present(int fd, FilePart part) {
  const auto offset = static_cast<uint64_t>(part.offset);
  const auto length = static_cast<uint64_t>(part.length);
  const sys::CachestatRange range = {offset, length};
  sys::Cachestat counts = {};
  if (sys::cachestat(fd, &range, &counts, 0).failed()) return -1;
  const uint64_t page = page_size();
  const uint64_t pages = (offset % page + length + page - 1) / page;
  if (counts.cached >= pages) return part.length;
  return static_cast<int64_t>(std::min(counts.cached * page, length));
}

// The data of the part; the rest of it is holes. All of it where the file system does not
// know holes.
std::vector<FilePart> data_of(int fd, FilePart part, Touched& found) {
  std::vector<FilePart> data;
  const int64_t end = part.offset + part.length;  // within the file
  for (int64_t at = part.offset; at < end;) {
    Result<int64_t> start = sys::lseek(fd, at, SEEK_DATA);
    const bool none = !start && start.error().value == ENXIO;
    if (!start && !none) return {part};
    const int64_t from = none ? found.size : *start;
    found.holes += std::min(from, end) - at;
    if (from >= end) {
      found.next_data = from;
      break;
    }
    Result<int64_t> stop = sys::lseek(fd, from, SEEK_HOLE);
    if (!stop) return {part};
    at = std::min(std::max(*stop, from + 1), end);
    data.push_back({from, at - from});
  }
  return data;
}

// As present(), of several parts.
int64_t present(int fd, const std::vector<FilePart>& parts) {
  int64_t sum = 0;
  for (const FilePart& part : parts) {
    const int64_t found = present(fd, part);
    if (found < 0) return -1;
    sum += found;
  }
  return sum;
}

// Opens a regular file. What failed is in `found`.
UniqueFd open_regular(const char* path, Touched& found, Kind& kind) {
  using Step = Touched::Step;
  struct stat named = {};
  found.error = sys::stat(path, &named);
  if (found.error.failed()) return {};
  if (!S_ISREG(named.st_mode)) {
    found.step = Step::kRead;
    found.error = not_regular(named.st_mode);
    return {};
  }
  if (named.st_nlink > 1) {
    found.device = named.st_dev;
    found.inode = named.st_ino;
  }
  found.step = Step::kOpen;
  Result<UniqueFd> fd = open_quietly(path);
  if (!fd) {
    found.error = fd.error();
    return {};
  }
  Result<Kind> asked = kind_of(fd->get());
  if (!asked) {
    found.error = asked.error();
    return {};
  }
  kind = *asked;
  found.step = Step::kRead;
  if (!S_ISREG(kind.mode)) {  // another one since
    found.error = not_regular(kind.mode);
    return {};
  }
  found.size = kind.size;
  found.modified_seconds = kind.modified_seconds;
  found.modified_nanoseconds = kind.modified_nanoseconds;
  return std::move(*fd);
}

// What the file has of a part. Subtracts, never adds: offset + length can wrap.
FilePart clipped(FilePart part, int64_t size) {
  return {part.offset, std::min(part.length, size - std::min(size, part.offset))};
}

int64_t length_of(const std::vector<FilePart>& parts) {
  int64_t length = 0;
  for (const FilePart& part : parts) length += part.length;
  return length;
}

// Opens the file and asks what is missing; leaves it open in `missing` if anything is.
Touched look(const char* path, FilePart part, bool holes, Missing& missing) {
  Touched found;
  Kind kind;
  UniqueFd fd = open_regular(path, found, kind);
  if (!fd.valid()) return found;
  part = clipped(part, found.size);
  if (part.length <= 0 || kind.dax) {
    found.present = std::max(part.length, int64_t{0});
    return found;
  }
  if (!kind.may_be_dax) found.present = present(fd.get(), part);
  if (found.present >= part.length) return found;
  std::vector<FilePart> parts = {part};
  if (!holes) {
    Touched sparse = found;
    parts = data_of(fd.get(), part, sparse);
    if (parts.size() != 1 || parts[0].length != part.length) {
      found.holes = sparse.holes;
      found.next_data = sparse.next_data;
      found.present = kind.may_be_dax ? -1 : present(fd.get(), parts);
    }
  }
  const int64_t length = length_of(parts);
  if (found.present < length) missing = {std::move(fd), std::move(parts), length, 0};
  return found;
}

// The same for several parts, holes too.
Touched look(const char* path, const std::vector<FilePart>& wanted, Missing& missing) {
  Touched found;
  Kind kind;
  UniqueFd fd = open_regular(path, found, kind);
  if (!fd.valid()) return found;
  std::vector<FilePart> parts;
  parts.reserve(wanted.size());
  for (FilePart part : wanted) {
    part = clipped(part, found.size);
    if (part.length > 0) parts.push_back(part);
  }
  found.present = kind.may_be_dax ? -1 : present(fd.get(), parts);
  if (found.present < 0) {
    found.error = {EOPNOTSUPP};
    return found;
  }
  const int64_t length = length_of(parts);
  if (found.present < length) missing = {std::move(fd), std::move(parts), length, 0};
  return found;
}

// Gives the disk all there is to do. No failure matters: the reads that follow tell.
void ask_for(const Missing& missing) {
  const int fd = missing.fd.get();
  // Nothing beside the parts.
  static_cast<void>(sys::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
  for (const FilePart& part : missing.parts) {
    for (int64_t done = 0; done < part.length; done += kAhead) {
      const int64_t length = std::min(kAhead, part.length - done);
      static_cast<void>(
          sys::posix_fadvise(fd, part.offset + done, length, POSIX_FADV_WILLNEED));
    }
  }
}

// Bytes read: fewer if the file has become shorter, or at an error.
int64_t read_part(int fd, FilePart part, char* scratch, Errno& error) {
  int64_t done = 0;
  while (done < part.length) {
    const auto length = static_cast<size_t>(std::min(kScratch, part.length - done));
    Result<ssize_t> got = sys::pread(fd, scratch, length, part.offset + done);
    if (!got && got.error().value == EINTR) continue;
    if (!got) error = got.error();
    if (!got || *got == 0) break;
    done += *got;
  }
  return done;
}

void wait_for(const Missing& missing, char* scratch, Touched& found) {
  int64_t done = 0;
  for (const FilePart& part : missing.parts) {
    const int64_t read = read_part(missing.fd.get(), part, scratch, found.error);
    done += read;
    if (read < part.length) break;
  }
  found.read = std::max(done - std::max(found.present, int64_t{0}), int64_t{0});
}

// Looks at each path with `look_at(path, index, missing)`, and reads what is missing.
template <typename Look>
std::vector<Touched> touch_all(const std::string& paths, int64_t budget,
                               const Look& look_at) {
  std::vector<Touched> found;
  std::unique_ptr<char[]> scratch;
  const char* const end = paths.c_str() + paths.size();
  int64_t asked = 0;
  for (const char* path = paths.c_str();
       path < end && (found.empty() || asked < budget);) {
    std::array<Missing, kAtOnce> missing;
    size_t open = 0;
    while (path < end && open < kAtOnce && (found.empty() || asked < budget)) {
      Touched file = look_at(path, found.size(), missing[open]);
      // Too many are open: those that are here will be closed.
      if (file.error.value == EMFILE && open > 0) break;
      path += std::strlen(path) + 1;
      if (missing[open].fd.valid()) {
        asked += missing[open].length - std::max(file.present, int64_t{0});
        missing[open].index = found.size();
        ask_for(missing[open++]);
      }
      found.push_back(file);
    }
    if (open > 0 && scratch == nullptr) {
      scratch = std::make_unique_for_overwrite<char[]>(kScratch);
    }
    for (size_t next = 0; next < open; ++next) {
      wait_for(missing[next], scratch.get(), found[missing[next].index]);
      missing[next].fd = UniqueFd();
    }
  }
  return found;
}

}  // namespace

std::vector<Touched> touch(const std::string& paths, FilePart part, int64_t budget,
                           bool holes) {
  return touch_all(paths, budget, [&](const char* path, size_t, Missing& missing) {
    return look(path, part, holes, missing);
  });
}

std::vector<Touched> touch_parts(const std::string& paths,
                                 const std::vector<std::vector<FilePart>>& parts,
                                 int64_t budget) {
  return touch_all(paths, budget, [&](const char* path, size_t index, Missing& missing) {
    return look(path, parts[index], missing);
  });
}

}  // namespace memmap::core
