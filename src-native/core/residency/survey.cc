#include "core/residency/survey.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "core/residency/page_cache.h"
#include "core/residency/residency_of.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;

constexpr int64_t kMostBytes = int64_t{1} << 30;

// Without access the kernel brings nothing in, even where a process has locked all that
// it will map.
constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE;

// Small files are mapped side by side, so that mincore(2) is asked about many at once.
constexpr size_t kSmall = size_t{1} << 20;  // bytes
constexpr size_t kTogether = 32;            // files: so many descriptors are open

// A file that is open, and mapped beside others.
struct Small {
  UniqueFd fd;
  int64_t offset;
  size_t at;  // in the common pages, bytes
  size_t length;
  FileTraits traits;
  size_t index;
};

class Surveyor {
 public:
  explicit Surveyor(FilePart part) : part_(part) {}

  std::vector<Surveyed> look(const std::string& paths) {
    const char* const end = paths.c_str() + paths.size();
    for (const char* path = paths.c_str();
         path < end && (found_.empty() || done_ < kMostBytes);
         path += std::strlen(path) + 1) {
      found_.emplace_back();
      Errno error = look_at(path);
      if (error.value == EMFILE && !small_.empty()) {
        ask();
        error = look_at(path);
      }
      found_.back().error = error;
      if (small_.size() == kTogether) ask();
    }
    ask();
    return std::move(found_);
  }

 private:
  // The last of the files found.
  Errno look_at(const char* path) {
    Surveyed& found = found_.back();
    struct stat named = {};
    if (Errno error = sys::stat(path, &named); error.failed()) return error;
    if (!S_ISREG(named.st_mode)) return {EINVAL};
    if (named.st_size == 0) {  // it has no pages, whoever may read it
      found.modified_seconds = named.st_mtim.tv_sec;
      found.modified_nanoseconds = static_cast<uint32_t>(named.st_mtim.tv_nsec);
      if (named.st_nlink > 1) {
        found.device = named.st_dev;
        found.inode = named.st_ino;
      }
      return {};
    }
    Result<UniqueFd> fd =
        sys::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (!fd) return fd.error();
    struct statx facts = {};
    if (Errno error = sys::statx(fd->get(), STATX_BASIC_STATS, &facts); error.failed()) {
      return error;
    }
    if (!S_ISREG(facts.stx_mode)) return {EINVAL};  // another one since
    found.size = static_cast<int64_t>(facts.stx_size);
    found.modified_seconds = facts.stx_mtime.tv_sec;
    found.modified_nanoseconds = facts.stx_mtime.tv_nsec;
    const uint64_t device = makedev(facts.stx_dev_major, facts.stx_dev_minor);
    if (facts.stx_nlink > 1) {
      found.device = device;
      found.inode = facts.stx_ino;
    }
    // Subtract, never add: offset + length can wrap.
    const int64_t length =
        std::min(part_.length, found.size - std::min(found.size, part_.offset));
    if (length == 0) return {};
    if (device != device_ || file_system_ == 0) {
      file_system_ = traits_of(fd->get()).file_system;
      device_ = device;
    }
    if (!has_small_pages(file_system_)) return {EINVAL};
    const bool dax = (facts.stx_attributes & STATX_ATTR_DAX) != 0;
    return look_at(std::move(*fd), length, {.dax = dax, .file_system = file_system_});
  }

  Errno look_at(UniqueFd fd, int64_t length, FileTraits traits) {
    const auto offset =
        static_cast<int64_t>(round_down(static_cast<size_t>(part_.offset), page_size()));
    const auto bytes = static_cast<size_t>(part_.offset - offset + length);
    done_ += static_cast<int64_t>(bytes);
    if (bytes > kSmall || common_.error().failed()) {
      const ScratchPages pages(bytes, PROT_NONE, kFlags, fd.get(), offset);
      if (pages.error().failed()) return pages.error();
      return describe(
          pages.address(), bytes,
          {.fd = fd.get(), .offset = offset, .fresh = true, .traits = &traits},
          found_.back());
    }
    Errno error = common_.show(used_, bytes, PROT_NONE, kFlags, fd.get(), offset);
    if (error.failed()) return error;
    small_.push_back({std::move(fd), offset, used_, bytes, traits, found_.size() - 1});
    used_ += round_up(bytes, page_size());
    return {};
  }

  // What of the small files is in memory.
  void ask() {
    if (small_.empty()) return;
    vec_.resize(used_ / page_size());
    const Errno error = residents(common_.address(), used_, vec_.data());
    for (const Small& file : small_) {
      Surveyed& found = found_[file.index];
      found.error = error;
      if (error.failed()) continue;
      found.error = describe(common_.address() + file.at, file.length,
                             {.fd = file.fd.get(),
                              .offset = file.offset,
                              .fresh = true,
                              .traits = &file.traits,
                              .seen = vec_.data() + file.at / page_size()},
                             found);
    }
    small_.clear();
    used_ = 0;
  }

  Errno describe(char* address, size_t bytes, const FileBehind& file, Surveyed& found) {
    auto looked = residency(address, bytes, file, false, scratch_);
    if (!looked) return looked.error();
    found.residency = std::move(*looked);
    return {};
  }

  const FilePart part_;
  std::vector<Surveyed> found_;
  ResidencyScratch scratch_;
  int64_t done_ = 0;  // bytes of all files looked at
  // The file system of the last file.
  uint64_t device_ = 0;
  long file_system_ = 0;  // 0: not known
  ScratchPages common_ =
      ScratchPages(kTogether * kSmall, PROT_NONE, kFlags | MAP_ANONYMOUS);
  size_t used_ = 0;  // bytes of the common pages
  std::vector<Small> small_;
  std::vector<unsigned char> vec_;
};

}  // namespace

std::vector<Surveyed> survey(const std::string& paths, FilePart part) {
  return Surveyor(part).look(paths);
}

}  // namespace memmap::core
