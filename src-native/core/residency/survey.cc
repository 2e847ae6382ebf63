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

class Surveyor {
 public:
  explicit Surveyor(FilePart part) : part_(part) {}

  Surveyed look(const char* path) {
    Surveyed found;
    found.error = look(path, found);
    return found;
  }

  // Bytes of all files looked at.
  int64_t done() const { return done_; }

 private:
  Errno look(const char* path, Surveyed& found) {
    struct stat named = {};
    if (Errno error = sys::stat(path, &named); error.failed()) return error;
    if (!S_ISREG(named.st_mode)) return {EINVAL};
    Result<UniqueFd> fd = sys::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
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
    const bool dax = (facts.stx_attributes & STATX_ATTR_DAX) != 0;
    return look(fd->get(), length, {.dax = dax, .file_system = file_system_}, found);
  }

  Errno look(int fd, int64_t length, FileTraits traits, Surveyed& found) {
    if (!has_small_pages(traits.file_system)) return {EINVAL};
    const auto first =
        static_cast<int64_t>(round_down(static_cast<size_t>(part_.offset), page_size()));
    const auto bytes = static_cast<size_t>(part_.offset - first + length);
    done_ += static_cast<int64_t>(bytes);
    const ScratchPages pages(bytes, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE, fd, first);
    if (pages.error().failed()) return pages.error();
    auto looked =
        residency(pages.address(), bytes,
                  {.fd = fd, .offset = first, .fresh = true, .traits = &traits}, false,
                  scratch_);
    if (!looked) return looked.error();
    found.residency = std::move(*looked);
    return {};
  }

  const FilePart part_;
  ResidencyScratch scratch_;
  int64_t done_ = 0;
  // The file system of the last file.
  uint64_t device_ = 0;
  long file_system_ = 0;  // 0: not known
};

}  // namespace

std::vector<Surveyed> survey(const std::string& paths, FilePart part) {
  std::vector<Surveyed> found;
  Surveyor surveyor(part);
  const char* const end = paths.c_str() + paths.size();
  for (const char* path = paths.c_str();
       path < end && (found.empty() || surveyor.done() < kMostBytes);
       path += std::strlen(path) + 1) {
    found.push_back(surveyor.look(path));
  }
  return found;
}

}  // namespace memmap::core
