#include "core/residency/touch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "temporary.h"

namespace {

using memmap::core::page_size;
using memmap::core::Touched;
using memmap::test::Call;
using memmap::test::open_descriptors;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;

constexpr int64_t kMuch = INT64_MAX;
constexpr size_t kPages = 10;

// Of ten pages, none in memory.
struct ColdFile : TemporaryFile {
  ColdFile() : TemporaryFile(kPages * page_size(), 'x') {
    ::fsync(fd());
    ::posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
  std::string name() const { return std::string(path()) + '\0'; }
  uint64_t cached() const {
    const memmap::sys::CachestatRange all = {0, 0};
    memmap::sys::Cachestat counts = {};
    static_cast<void>(memmap::sys::cachestat(fd(), &all, &counts, 0));
    return counts.cached;
  }
};

int64_t bytes(size_t pages) { return static_cast<int64_t>(pages * page_size()); }

bool tells(const ColdFile& file) {
  const memmap::sys::CachestatRange all = {0, 0};
  memmap::sys::Cachestat counts = {};
  return !memmap::sys::cachestat(file.fd(), &all, &counts, 0).failed();
}

}  // namespace

// Holes, too.
std::vector<Touched> touch(const std::string& paths, memmap::core::FilePart part,
                           int64_t budget) {
  return memmap::core::touch(paths, part, budget, true);
}

TEST("touch: reads a part and nothing beside it") {
  const ColdFile file;
  const std::vector<Touched> found = touch(file.name(), {bytes(2), bytes(3)}, kMuch);
  CHECK(found.size() == 1);
  CHECK(found[0].size == bytes(kPages));
  CHECK(found[0].read == bytes(3));
  if (tells(file)) CHECK(file.cached() == 3);
}

TEST("touch: of ranges that would wrap") {
  const ColdFile file;
  const std::string twice = file.name() + file.name();
  for (int64_t offset : {kMuch, bytes(kPages), kMuch - 1}) {
    const std::vector<Touched> found = touch(twice, {offset, kMuch}, kMuch);
    CHECK(found.size() == 2);
    CHECK(!found[0].error.failed() && found[0].read == 0 && found[0].present == 0);
  }
  CHECK(touch(file.name(), {bytes(9) + 1, kMuch}, kMuch)[0].read == bytes(1) - 1);
}

TEST("touch: tells which file it is, of one that has several names") {
  const ColdFile file;
  CHECK(touch(file.name(), {0, 0}, kMuch)[0].inode == 0);
  const std::string other = std::string(file.path()) + ".too";
  CHECK(::link(std::string(file.path()).c_str(), other.c_str()) == 0);
  const std::vector<Touched> found = touch(file.name() + other + '\0', {0, 0}, kMuch);
  ::unlink(other.c_str());
  struct stat facts = {};
  CHECK(::fstat(file.fd(), &facts) == 0);
  for (const Touched& one : found) {
    CHECK(one.device == facts.st_dev && one.inode == facts.st_ino);
  }
}

TEST("touch: reads all where the kernel does not tell") {
  const ColdFile file;
  const Refuse refuse(Call::kCachestat, 0, ENOSYS);
  for (int round = 0; round < 2; ++round) {
    const Touched found = touch(file.name(), {0, kMuch}, kMuch)[0];
    CHECK(found.present == -1 && found.read == bytes(kPages));
  }
}

TEST("touch: opens files of others without O_NOATIME") {
  const ColdFile file;
  const Refuse refuse(Call::kOpen, O_NOATIME, EPERM);
  CHECK(touch(file.name(), {0, kMuch}, kMuch)[0].read == bytes(kPages));
  CHECK(refuse.refused() == 1);
}

TEST("touch: stops at its budget but does something") {
  const ColdFile one;
  const ColdFile two;
  const ColdFile three;
  const std::string names = one.name() + two.name() + three.name();
  CHECK(touch(names, {0, kMuch}, 0).size() == 1);
  if (!tells(one)) return;
  // What is there already costs nothing.
  CHECK(touch(names, {0, kMuch}, 1).size() == 2);
  CHECK(touch(names, {0, kMuch}, 1).size() == 3);
}

TEST("touch: with few descriptors closes before it opens") {
  std::string names;
  const ColdFile files[5];
  for (const ColdFile& file : files) names += file.name();
  const int before = open_descriptors();
  {
    const Refuse refuse(Call::kOpen, 0, EMFILE, 2, 1);
    const std::vector<Touched> found = touch(names, {0, kMuch}, kMuch);
    CHECK(refuse.refused() == 1);
    CHECK(found.size() == 5);
    for (const Touched& file : found) CHECK(file.read == bytes(kPages));
  }
  // None at all is an error of each file.
  const Refuse refuse(Call::kOpen, 0, EMFILE);
  const std::vector<Touched> found = touch(names, {0, kMuch}, kMuch);
  CHECK(found.size() == 5);
  for (const Touched& file : found) {
    CHECK(file.error.value == EMFILE && file.step == Touched::Step::kOpen);
  }
  CHECK(open_descriptors() == before);
}
