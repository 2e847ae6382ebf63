#include "core/extent/backing.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "core/page.h"
#include "sys/abi.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

bool is_shared(int flags) {
  const int type = flags & MAP_TYPE;
  return type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
}

size_t default_huge_page_size() {
  std::unique_ptr<FILE, int (*)(FILE*)> meminfo(std::fopen("/proc/meminfo", "re"),
                                                std::fclose);
  char line[128];
  size_t kilobytes = 0;
  while (meminfo != nullptr && std::fgets(line, sizeof line, meminfo.get()) != nullptr) {
    if (std::sscanf(line, "Hugepagesize: %zu kB", &kilobytes) == 1) break;
  }
  return kilobytes != 0 ? kilobytes * 1024 : page_size();
}

dev_t device_of(const Vma& vma) { return makedev(vma.device_major, vma.device_minor); }

// The names of what is in Backing::Kind::kKernel.
bool is_of_kernel(const Vma& vma) {
  return std::strcmp(vma.path, "/dev/zero (deleted)") == 0 ||
         std::strcmp(vma.path, "/anon_hugepage (deleted)") == 0;
}

// Devices of which /proc shows what fstat(2) says. The others are asked about each time:
// they may show the file of another layer. Under the page replacement lock.
struct Device {
  dev_t number;
  bool shows_itself;
};

std::vector<Device>& devices() {
  static std::vector<Device>& instance = *new std::vector<Device>;
  return instance;
}

const Device* known(dev_t number) {
  for (const Device& device : devices()) {
    if (device.number == number) return &device;
  }
  return nullptr;
}

}  // namespace

size_t unit_of_flags(int flags) {
  if ((flags & MAP_HUGETLB) == 0) return page_size();
  unsigned shift =
      (static_cast<unsigned>(flags) >> MAP_HUGE_SHIFT) & unsigned{MAP_HUGE_MASK};
  return shift != 0 ? size_t{1} << shift : default_huge_page_size();
}

Backing backing_of(const struct stat& status, uint64_t filesystem, int64_t block,
                   int flags, int64_t offset) {
  Backing backing;
  backing.kind = Backing::Kind::kFile;
  backing.shared = is_shared(flags);
  backing.in_memory = filesystem == TMPFS_MAGIC || filesystem == HUGETLBFS_MAGIC;
  const bool huge = filesystem == HUGETLBFS_MAGIC;
  backing.unit = huge ? static_cast<size_t>(block) : page_size();
  backing.regular = S_ISREG(status.st_mode);
  backing.layered = filesystem == OVERLAYFS_SUPER_MAGIC || filesystem == FUSE_SUPER_MAGIC;
  backing.device = status.st_dev;
  backing.inode = status.st_ino;
  backing.offset = static_cast<uint64_t>(offset);
  return backing;
}

sys::Result<Backing> backing_of(int fd, int flags, int64_t offset) {
  if (fd < 0 || (flags & MAP_ANONYMOUS) != 0) {
    Backing backing;
    backing.shared = is_shared(flags);
    backing.unit = unit_of_flags(flags);
    const bool kernel = backing.shared || (flags & MAP_HUGETLB) != 0;
    if (kernel) backing.kind = Backing::Kind::kKernel;
    return backing;
  }
  struct stat status = {};
  struct statfs system = {};
  if (sys::Errno error = sys::fstat(fd, &status); error.failed()) return error;
  if (sys::Errno error = sys::fstatfs(fd, &system); error.failed()) return error;
  return backing_of(status, static_cast<uint64_t>(system.f_type), system.f_bsize, flags,
                    offset);
}

void learn_shown(Backing& backing, uintptr_t address) {
  if (backing.kind != Backing::Kind::kFile) return;
  const bool plain = backing.regular && !backing.layered;
  const Device* device = plain ? known(backing.device) : nullptr;
  if (device != nullptr && device->shows_itself) {
    backing.shown_device = backing.device;
    backing.shown_inode = backing.inode;
    return;
  }
  // Without PROCMAP_QUERY an answer costs as much as ten maps: a device is asked about
  // once, and what /proc shows at the first fault counts for the others.
  if ((device != nullptr || !plain) && !has_procmap_query()) return;
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  Vma vma = {};
  if (text == nullptr || !find_vma(address, vma, *text)) return;
  backing.shown_device = device_of(vma);
  backing.shown_inode = vma.inode;
  if (device != nullptr || !plain) return;
  const bool itself =
      backing.shown_device == backing.device && backing.shown_inode == backing.inode;
  devices().push_back({backing.device, itself});
}

bool stands_behind(Backing& backing, const Vma& vma, uint64_t into) {
  if (backing.kind == Backing::Kind::kAnonymous) {
    return vma.inode == 0 && (vma.path[0] == '\0' || vma.path[0] == '[');
  }
  if (vma.inode == 0) return false;
  if (backing.kind == Backing::Kind::kKernel && !is_of_kernel(vma)) return false;
  if (vma.offset - backing.offset != into) return false;
  if (!backing.shown()) {
    backing.shown_device = device_of(vma);
    backing.shown_inode = vma.inode;
  }
  return device_of(vma) == backing.shown_device && vma.inode == backing.shown_inode;
}

bool alike(const Backing& backing, const Backing& now) {
  const bool same = backing.device == now.device && backing.inode == now.inode;
  return backing.kind == now.kind && backing.shared == now.shared &&
         backing.unit == now.unit && (same || backing.layered);
}

bool is_file(const Backing& backing, const struct stat& status) {
  return backing.kind == Backing::Kind::kFile && status.st_dev == backing.device &&
         status.st_ino == backing.inode;
}

}  // namespace memmap::core
