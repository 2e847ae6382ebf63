#include "core/mapping/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "core/guard/guard.h"
#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

// Retries a call that a signal interrupted. Only calls that may block are wrapped.
template <typename Call>
auto retry(Call call) {
  for (;;) {
    auto result = call();
    if constexpr (requires { result.value; }) {
      if (result.value != EINTR) return result;
    } else {
      if (result || result.error().value != EINTR) return result;
    }
  }
}

// For file systems without fallocate: allocates blocks by writing zeros past the end.
Errno write_zeros(int fd, int64_t from, int64_t to) {
  static constexpr size_t kChunk = size_t{1} << 16;
  static const char zeros[kChunk] = {};
  while (from < to) {
    size_t left = static_cast<size_t>(to - from);
    size_t chunk = left < kChunk ? left : kChunk;
    auto written = retry([&] { return sys::pwrite(fd, zeros, chunk, from); });
    if (!written) return written.error();
    from += *written;
  }
  return {};
}

// A memfd, or a tmpfs without a limit, allocates until the kernel kills a process. Shared
// anonymous memory is charged in one step, so mapping as much of that for a moment asks
// the kernel, by the machine's own overcommit policy, whether there is so much: ENOMEM.
Errno affordable(int fd, int64_t length) {
  struct statfs system = {};
  if (Errno error = sys::fstatfs(fd, &system); error.failed()) return error;
  if (system.f_type != TMPFS_MAGIC || system.f_blocks != 0) return {};
  constexpr int kFlags = MAP_SHARED | MAP_ANONYMOUS;
  const auto bytes = static_cast<size_t>(length);
  return ScratchPages(bytes, PROT_NONE, kFlags).error();
}

}  // namespace

Errno grow_file(int fd, int64_t old_size, int64_t size) {
  if (old_size < 0) return {EINVAL};
  if (size <= old_size) return {};
  if (Errno error = affordable(fd, size - old_size); error.failed()) return error;
  Errno error = retry([&] { return sys::fallocate(fd, 0, old_size, size - old_size); });
  if (error.value == EOPNOTSUPP) error = write_zeros(fd, old_size, size);
  if (error.failed()) static_cast<void>(sys::ftruncate(fd, old_size));
  return error;
}

namespace {

Result<sys::UniqueFd> open_file(const char* path, int flags) {
  constexpr mode_t kMode = 0666;  // less the umask
  // O_NONBLOCK: a FIFO without a peer must not hang the process. It changes nothing
  // for what can be mapped.
  return retry([&] { return sys::open(path, flags | O_CLOEXEC | O_NONBLOCK, kMode); });
}

// What fstat(2) and fstatfs(2) say of a file.
struct OpenFile {
  struct stat status;
  uint64_t filesystem;  // f_type
  int64_t block;        // f_bsize, bytes
};

// The file system of a mount never changes, and Linux 6.8 gives each mount a number that
// no other ever has: then it is asked once for each.
class Mounts {
 public:
  // False if it has not been asked yet.
  bool find(uint64_t mount, OpenFile& file) {
    std::lock_guard lock(mutex_);
    for (const Mount& known : known_) {
      if (known.number != mount) continue;
      file.filesystem = known.filesystem;
      file.block = known.block;
      return true;
    }
    return false;
  }
  void note(uint64_t mount, const OpenFile& file) {
    constexpr size_t kMost = 64;
    std::lock_guard lock(mutex_);
    if (known_.size() == kMost) known_.clear();
    known_.push_back({mount, file.filesystem, file.block});
  }

 private:
  struct Mount {
    uint64_t number;
    uint64_t filesystem;
    int64_t block;
  };
  std::mutex mutex_;
  std::vector<Mount> known_;
};

Errno ask_filesystem(int fd, OpenFile& file) {
  struct statfs system = {};
  if (Errno error = sys::fstatfs(fd, &system); error.failed()) return error;
  file.filesystem = static_cast<uint64_t>(system.f_type);
  file.block = system.f_bsize;
  return {};
}

Errno look_at(int fd, OpenFile& file) {
  static Mounts& mounts = *new Mounts;
  struct statx found = {};
  constexpr unsigned kMask = STATX_BASIC_STATS | sys::kStatxMntIdUnique;
  const bool unique = !sys::statx(fd, kMask, &found).failed() &&
                      (found.stx_mask & sys::kStatxMntIdUnique) != 0;
  if (!unique) {
    if (Errno error = sys::fstat(fd, &file.status); error.failed()) return error;
    return ask_filesystem(fd, file);
  }
  file.status = {};
  file.status.st_size = static_cast<off_t>(found.stx_size);
  file.status.st_mode = found.stx_mode;
  file.status.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor);
  file.status.st_ino = found.stx_ino;
  file.status.st_ctim = {found.stx_ctime.tv_sec,
                         static_cast<long>(found.stx_ctime.tv_nsec)};
  const uint64_t mount = sys::mount_of(found);
  if (mounts.find(mount, file)) return {};
  if (Errno error = ask_filesystem(fd, file); error.failed()) return error;
  mounts.note(mount, file);
  return {};
}

// A descriptor of a file of overlayfs that was opened for reading maps what the file was
// then, even after the file was copied to the upper layer and written there. One that is
// opened now maps what it is. Opening a file for writing copies it.
Result<sys::UniqueFd> open_present_layer(int fd) {
  Result<int> flags = sys::fcntl_getfl(fd);
  if (!flags) return flags.error();
  if ((*flags & O_ACCMODE) != O_RDONLY) return sys::UniqueFd();
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open_file(path, O_RDONLY);
}

// `opened`: the descriptor, if it is ours to keep; `fd` the same, or the caller's.
Result<Mapping> map_open_file(int fd, sys::UniqueFd& opened, const FileRequest& request,
                              FileFacts& facts) {
  using Step = FileFacts::Step;
  facts.step = Step::kStat;
  OpenFile file = {};
  if (Errno error = look_at(fd, file); error.failed()) return error;
  const struct stat& status = file.status;
  facts.size = status.st_size;
  facts.mode = status.st_mode;
  facts.filesystem = file.filesystem;
  facts.device = status.st_dev;
  facts.inode = status.st_ino;
  facts.changed_seconds = status.st_ctim.tv_sec;
  facts.changed_nanoseconds = status.st_ctim.tv_nsec;
  if (S_ISDIR(status.st_mode)) return Errno{EISDIR};
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) return Errno{ENODEV};
  // The files of /proc and /sys have no size and no pages; they can only be read.
  if (facts.filesystem == PROC_SUPER_MAGIC || facts.filesystem == SYSFS_MAGIC) {
    return Errno{ENODEV};
  }

  facts.step = Step::kRange;
  if (request.offset < 0) return Errno{EINVAL};
  const bool sized = S_ISREG(status.st_mode);
  int64_t end = request.grow_to > facts.size ? request.grow_to : facts.size;
  facts.length = request.length;
  if (sized) {
    if (request.offset > end) return Errno{ERANGE};
    if (request.length < 0) facts.length = end - request.offset;
    if (facts.length > end - request.offset) return Errno{ERANGE};
  } else if (request.length < 0) {
    return Errno{ERANGE};  // a device has no end to map up to
  }

  if (facts.filesystem == OVERLAYFS_SUPER_MAGIC && sized) {
    facts.step = Step::kOpen;
    Result<sys::UniqueFd> present = open_present_layer(fd);
    if (!present && !opened.valid()) return present.error();
    if (present && present->valid()) {
      opened = std::move(*present);
      fd = opened.get();
    }
  }
  const bool kept = request.keep_above == 0 ||
                    (request.keep_above > 0 && facts.length > request.keep_above);
  if (kept && !opened.valid()) {
    facts.step = Step::kKeep;
    Result<sys::UniqueFd> copy = sys::dup(fd);
    if (!copy) return copy.error();
    opened = std::move(*copy);
  }

  facts.step = Step::kGrow;
  const int64_t old_size = facts.size;
  const auto undo = [&](Errno error) {
    if (end > old_size) static_cast<void>(sys::ftruncate(fd, old_size));
    return error;
  };
  // A device has no size here, and zeros written from there on would destroy it.
  if (end > old_size && !sized) return Errno{EINVAL};
  if (end > old_size) {
    if (Errno error = grow_file(fd, old_size, end); error.failed()) return error;
    facts.size = end;
  }

  facts.step = Step::kMap;
  if (facts.length == 0) return Errno{ENODATA};
  Backing backing = backing_of(status, facts.filesystem, file.block, request.flags, 0);
  const size_t unit = backing.unit;
  const size_t start = round_down(static_cast<size_t>(request.offset), unit);
  backing.offset = start;
  Mapping::Request pages;
  pages.address = request.address;
  pages.length =
      static_cast<size_t>(request.offset) - start + static_cast<size_t>(facts.length);
  pages.prot = request.prot;
  pages.flags = request.flags;
  pages.fd = fd;
  pages.offset = static_cast<int64_t>(start);
  pages.backing = backing;
  // The caller of a fixed address knows of small pages only: the rest of a huge one may
  // hold somebody else's.
  const bool fixed = (request.flags & MAP_FIXED) != 0;
  if (fixed && round_up(pages.length, page_size()) % unit != 0) return undo({EINVAL});
  Result<Mapping> mapping = Mapping::create(pages);
  if (!mapping) return undo(mapping.error());
  if (kept) mapping->keep(std::move(opened));
  return mapping;
}

}  // namespace

Result<Mapping> map_file(const FileRequest& request, FileFacts& facts) {
  // Before anything happens to the file.
  facts.step = FileFacts::Step::kMap;
  if ((request.flags & MAP_ANONYMOUS) != 0) return Errno{EINVAL};
  if (Errno error = prepare_guard(); error.failed()) return error;
  sys::UniqueFd none;
  if (request.path == nullptr) return map_open_file(request.fd, none, request, facts);

  facts.step = FileFacts::Step::kOpen;
  bool created = (request.open_flags & O_CREAT) != 0;
  Result<sys::UniqueFd> fd = Errno{EEXIST};
  if (created) fd = open_file(request.path, request.open_flags | O_EXCL);
  if (!fd && fd.error().value == EEXIST) {
    created = false;
    fd = open_file(request.path, request.open_flags);
  }
  if (!fd) return fd.error();
  Result<Mapping> mapping = map_open_file(fd->get(), *fd, request, facts);
  // ENODATA: there is nothing to map in an empty file, but it was to be made.
  const bool failed = !mapping && mapping.error().value != ENODATA;
  if (failed && created) static_cast<void>(sys::unlink(request.path));
  return mapping;
}

Result<Mapping> map_memfd(const char* name, unsigned memfd_flags, Mapping::Request pages,
                          FileFacts::Step& step) {
  using Step = FileFacts::Step;
  step = Step::kMap;
  if ((pages.flags & MAP_ANONYMOUS) != 0) return Errno{EINVAL};
  if (Errno error = prepare_guard(); error.failed()) return error;
  step = Step::kOpen;
  Result<sys::UniqueFd> fd = sys::memfd_create(name, memfd_flags);
  if (!fd) return fd.error();
  step = Step::kStat;
  Result<Backing> backing = backing_of(fd->get(), pages.flags, 0);
  if (!backing) return backing.error();
  pages.backing = *backing;
  const size_t whole = round_up(pages.length, backing->unit);
  if (whole == 0) return Errno{pages.length == 0 ? EINVAL : ENOMEM};

  step = Step::kGrow;
  // Whole pages, so that every byte of the mapping is inside the file.
  if (Errno error = grow_file(fd->get(), 0, static_cast<int64_t>(whole));
      error.failed()) {
    return error;
  }
  step = Step::kMap;
  pages.fd = fd->get();
  pages.offset = 0;
  Result<Mapping> mapping = Mapping::create(pages);
  if (mapping) mapping->keep(std::move(*fd));
  return mapping;
}

}  // namespace memmap::core
