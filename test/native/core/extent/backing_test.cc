// What stands behind pages, and what is taken for it.
#include "core/extent/backing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include <string>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::Backing;
using memmap::core::backing_of;
using memmap::core::FaultKind;
using memmap::core::is_file;
using memmap::core::page_size;
using memmap::core::stands_behind;
using memmap::core::unit_of_flags;
using memmap::core::Vma;
using memmap::sys::UniqueFd;
using memmap::test::all_bytes;
using memmap::test::Asked;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::note;
using memmap::test::Owner;
using memmap::test::SmallDisk;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using Kind = Backing::Kind;

constexpr int kSharedAnonymous = MAP_SHARED | MAP_ANONYMOUS;

struct stat status_of(int fd) {
  struct stat status = {};
  ::fstat(fd, &status);
  return status;
}

TEST("memory without a file is told from what the kernel keeps in files of its own") {
  auto anonymous = backing_of(-1, kAnonymous, 0);
  CHECK(anonymous && anonymous->kind == Kind::kAnonymous && !anonymous->shared);
  auto shared = backing_of(-1, kSharedAnonymous, 0);
  CHECK(shared && shared->kind == Kind::kKernel && shared->shared);
  auto huge = backing_of(-1, kAnonymous | MAP_HUGETLB, 0);
  CHECK(huge && huge->kind == Kind::kKernel && !huge->shared);
  // A descriptor means nothing beside MAP_ANONYMOUS.
  auto ignored = backing_of(0, kAnonymous, 0);
  CHECK(ignored && ignored->kind == Kind::kAnonymous);
}

TEST("the page size follows the huge page flags") {
  CHECK(unit_of_flags(MAP_PRIVATE) == page_size());
  CHECK(unit_of_flags(MAP_HUGETLB | MAP_HUGE_2MB) == size_t{2} << 20);
  CHECK(unit_of_flags(MAP_HUGETLB | static_cast<int>(MAP_HUGE_1GB)) == size_t{1} << 30);
  CHECK(unit_of_flags(MAP_HUGETLB) >= page_size());
}

TEST("a file is known by its device, its inode and the offset of the first byte") {
  TemporaryFile file(page_size(), 'f');
  const struct stat status = status_of(file.fd());
  auto backing = backing_of(file.fd(), MAP_SHARED, 8192);
  CHECK(backing && backing->kind == Kind::kFile && backing->shared);
  CHECK(backing->device == status.st_dev && backing->inode == status.st_ino);
  CHECK(backing->offset == 8192 && backing->regular && !backing->shown());
  CHECK(is_file(*backing, status));
  auto validated = backing_of(file.fd(), MAP_SHARED_VALIDATE, 0);
  CHECK(validated && validated->shared);
  auto kept_back = backing_of(file.fd(), MAP_PRIVATE, 0);
  CHECK(kept_back && !kept_back->shared);
  CHECK(backing_of(1 << 20, MAP_SHARED, 0).error().value == EBADF);
}

TEST("files in memory are known as such, and what no path leads to a file of") {
  const UniqueFd memfd(::memfd_create("m", MFD_CLOEXEC));
  auto in_memory = backing_of(memfd.get(), MAP_SHARED, 0);
  CHECK(in_memory && in_memory->in_memory && in_memory->regular);
  const UniqueFd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  auto device = backing_of(zero.get(), MAP_PRIVATE, 0);
  CHECK(device && !device->regular);
}

TEST("another file, another device and a file without a descriptor are not the file") {
  TemporaryFile file(page_size(), 'f');
  auto backing = backing_of(file.fd(), MAP_SHARED, 0);
  struct stat status = status_of(file.fd());
  CHECK(is_file(*backing, status));
  status.st_ino += 1;
  CHECK(!is_file(*backing, status));
  status = status_of(file.fd());
  status.st_dev += 1;
  CHECK(!is_file(*backing, status));
  status = {};
  CHECK(!is_file(Backing{}, status));
}

TEST("what /proc shows is compared with what it showed before, to the byte") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  auto backing = backing_of(file.fd(), MAP_SHARED, static_cast<int64_t>(page));
  Vma vma = {};
  vma.inode = 7;
  vma.device_major = 8;
  vma.device_minor = 9;
  vma.offset = page;
  vma.path = "/a/file";
  // The first answer is taken for the truth.
  CHECK(stands_behind(*backing, vma, 0) && backing->shown());
  CHECK(stands_behind(*backing, vma, 0));
  CHECK(!stands_behind(*backing, vma, page));
  vma.offset = 3 * page;
  CHECK(stands_behind(*backing, vma, 2 * page) && !stands_behind(*backing, vma, 0));
  // The kernel's mapping begins before ours.
  vma.offset = 0;
  CHECK(stands_behind(*backing, vma, 0 - page));
  vma.offset = page;
  for (uint64_t Vma::*number : {&Vma::inode}) {
    Vma other = vma;
    other.*number += 1;
    CHECK(!stands_behind(*backing, other, 0));
  }
  for (uint32_t Vma::*number : {&Vma::device_major, &Vma::device_minor}) {
    Vma other = vma;
    other.*number += 1;
    CHECK(!stands_behind(*backing, other, 0));
  }
  vma.inode = 0;
  CHECK(!stands_behind(*backing, vma, 0));
}

TEST("a file is not taken for memory without one, nor the other way round") {
  auto memory = backing_of(-1, kAnonymous, 0);
  Vma vma = {};
  for (const char* path : {"", "[heap]", "[anon:a name]"}) {
    vma.path = path;
    CHECK(stands_behind(*memory, vma, 0));
  }
  vma.path = "anon_inode:[perf_event]";
  CHECK(!stands_behind(*memory, vma, 0));
  vma.path = "/a/file";
  vma.inode = 1;
  CHECK(!stands_behind(*memory, vma, 0));
  auto shared = backing_of(-1, kSharedAnonymous, 0);
  // The first answer would be taken for the truth, but not a file of others.
  CHECK(!stands_behind(*shared, vma, 0));
  vma.path = "/dev/zero (deleted)";
  CHECK(stands_behind(*shared, vma, 0));
  vma.inode = 2;
  CHECK(!stands_behind(*shared, vma, 0));
}

TEST("memory of the kernel's own files is known again by what /proc showed") {
  Subject one(2, kReadWrite, kSharedAnonymous);
  Subject other(2, kReadWrite, kSharedAnonymous);
  auto backing = backing_of(-1, kSharedAnonymous, 0);
  const Asked mine(one.at(0));
  const Asked theirs(other.at(0));
  CHECK(stands_behind(*backing, mine.vma, 0));
  CHECK(!stands_behind(*backing, theirs.vma, 0));
}

// The guard, a mapping of the one file, and at its address one of the other, which is
// cut.
void meet_at_the_address(const TemporaryFile& mapped, const TemporaryFile& met,
                         Owner owner) {
  const size_t length = 2 * page_size();
  CHECK(!arm_guard().failed());
  void* address = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, mapped.fd(), 0);
  auto range = note(address, 2, PROT_READ, MAP_SHARED, mapped.fd(), owner);
  CHECK(::mmap(address, length, PROT_READ, MAP_SHARED | MAP_FIXED, met.fd(), 0) ==
        address);
  CHECK(::ftruncate(met.fd(), 0) == 0);
  CHECK(*const_cast<const volatile char*>(range->begin() + page_size()) == 0);
}

TEST_ALONE("a file of the same inode number on another file system is not ours") {
  const size_t page = page_size();
  for (Owner owner : {Owner::kMemmap, Owner::kRuntime}) {
    SmallDisk disk;
    SmallDisk other;
    if (!disk.mounted() || !other.mounted()) SKIP("mounting a file system needs root");
    TemporaryFile file(2 * page, 'f', disk.path());
    TemporaryFile twin(2 * page, 't', other.path());
    CHECK(file.inode() == twin.inode());
    CHECK(in_child([&] { meet_at_the_address(file, twin, owner); }).signal == SIGBUS);
    CHECK(in_child([&] { meet_at_the_address(file, file, owner); }).well());
  }
}

TEST("the size of a file of the same inode number on another device does not count") {
  const size_t page = page_size();
  SmallDisk disk;
  SmallDisk other;
  if (!disk.mounted() || !other.mounted()) SKIP("mounting a file system needs root");
  TemporaryFile file(8 * page, 'f', disk.path());
  TemporaryFile twin(8 * page, 't', other.path());
  CHECK(file.inode() == twin.inode());
  Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
  // As a number that has been given to another file since.
  subject.mapping().keep(UniqueFd(::dup(twin.fd())));
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(3 * page)) == 0);
  CHECK(subject.at(4)[0] == 0);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
}

// An overlay of two directories, on a tmpfs.
class Overlay {
 public:
  Overlay() {
    if (!disk_.mounted()) return;
    for (const char* name : {"/lower", "/upper", "/work", "/merged"}) {
      if (::mkdir((disk_.path() + name).c_str(), 0700) != 0) return;
    }
    const std::string options = "lowerdir=" + disk_.path() +
                                "/lower,upperdir=" + disk_.path() +
                                "/upper,workdir=" + disk_.path() + "/work";
    mounted_ = ::mount("overlay", merged().c_str(), "overlay", 0, options.c_str()) == 0;
  }
  ~Overlay() {
    if (mounted_) ::umount2(merged().c_str(), MNT_DETACH);
  }
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;
  bool mounted() const { return mounted_; }
  std::string lower() const { return disk_.path() + "/lower"; }
  std::string merged() const { return disk_.path() + "/merged"; }

 private:
  SmallDisk disk_;
  bool mounted_ = false;
};

TEST("a file of an overlay is ours, whatever /proc shows of it, in either layer") {
  const size_t page = page_size();
  Overlay overlay;
  if (!overlay.mounted()) SKIP("mounting an overlay needs root");
  for (const bool in_lower : {true, false}) {
    TemporaryFile below(4 * page, 'f', in_lower ? overlay.lower() : overlay.merged());
    std::string path = overlay.merged();
    path += std::string(below.path()).substr(std::string(below.path()).rfind('/'));
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(file.get() >= 0);
    auto backing = backing_of(file.get(), MAP_SHARED, 0);
    CHECK(backing && backing->layered);
    Subject subject(4, PROT_READ, MAP_SHARED, file.get());
    Subject written(4, PROT_READ, MAP_SHARED, file.get());
    CHECK(all_bytes(subject.at(0), 4 * page, 'f'));
    written.at(1)[3] = 'w';
    CHECK(written.counted(FaultKind::kReadOnly, 1, 0, 4));
    CHECK(!written.protect(PROT_READ).failed());
    CHECK(all_bytes(written.at(0), 4 * page, 'f') && below.all('f'));
    CHECK(::ftruncate(below.fd(), static_cast<off_t>(page)) == 0);
    CHECK(subject.at(2)[0] == 0);
    CHECK(subject.counted(FaultKind::kTruncated, 1, 1, 3));
    CHECK(all_bytes(subject.at(0), page, 'f'));
  }
}

}  // namespace
