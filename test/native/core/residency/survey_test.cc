#include "core/residency/survey.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "temporary.h"

namespace {

using memmap::core::kResident;
using memmap::core::page_size;
using memmap::core::PageRun;
using memmap::core::survey;
using memmap::core::Surveyed;
using memmap::core::touch_parts;
using memmap::test::Call;
using memmap::test::open_descriptors;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;

constexpr memmap::core::FilePart kWhole = {0, INT64_MAX};

size_t pages_of(const Surveyed& file, unsigned state) {
  size_t bytes = 0;
  for (const PageRun& run : file.residency.runs) {
    if ((run.state & state) == state) bytes += run.length;
  }
  return bytes / page_size();
}

// Files of 1, 2, 3 ... pages, the last of each cut off, and all in memory.
struct Files {
  explicit Files(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      all.emplace_back((i + 1) * page_size() - 7, 'f');
      paths += std::string(all.back().path()) + '\0';
    }
  }
  std::deque<TemporaryFile> all;
  std::string paths;
};

TEST("many files are looked at side by side, and large ones alone") {
  Files files(70);
  const TemporaryFile large(300 * page_size(), 'l');
  files.paths += std::string(large.path()) + '\0';
  const size_t before = open_descriptors();
  const std::vector<Surveyed> found = survey(files.paths, kWhole);
  CHECK(open_descriptors() == before);
  CHECK(found.size() == 71);
  for (size_t i = 0; i < 70; ++i) {
    CHECK(!found[i].error.failed());
    CHECK(found[i].size == static_cast<int64_t>(files.all[i].size()));
    CHECK(pages_of(found[i], 0) == i + 1 && pages_of(found[i], kResident) == i + 1);
    CHECK(found[i].inode == 0 && found[i].modified_seconds > 0);
  }
  CHECK(pages_of(found[70], kResident) == 300);
}

TEST("a part of each file, as far as it has it") {
  const Files files(3);
  const auto page = static_cast<int64_t>(page_size());
  const std::vector<Surveyed> found = survey(files.paths, {2 * page - 1, 2});
  CHECK(found.size() == 3);
  CHECK(pages_of(found[0], 0) == 0 && !found[0].error.failed());
  CHECK(pages_of(found[1], 0) == 0 || found[1].size > 2 * page - 1);
  CHECK(pages_of(found[2], 0) == 2);
  CHECK(pages_of(survey(files.paths, {INT64_MAX, INT64_MAX})[2], 0) == 0);
}

TEST("what cannot be looked at is an error of that file alone") {
  const TemporaryFile file(page_size(), 'f');
  const TemporaryFile empty;
  const std::string missing = std::string(file.path()) + "-missing";
  const std::string paths = missing + '\0' + "/tmp" + '\0' + file.path() + '\0' +
                            "/dev/zero" + '\0' + empty.path() + '\0' +
                            "/proc/self/status";
  const std::vector<Surveyed> found = survey(paths, kWhole);
  CHECK(found.size() == 6);
  CHECK(found[0].error.value == ENOENT);
  CHECK(found[1].error.value == EINVAL && found[3].error.value == EINVAL);
  CHECK(!found[2].error.failed() && pages_of(found[2], kResident) == 1);
  CHECK(!found[4].error.failed() && found[4].residency.runs.empty());
  CHECK(!found[5].error.failed() && found[5].size == 0);
}

TEST("with no descriptor left the files that are open are finished first") {
  const Files files(5);
  const Refuse full(Call::kOpen, 0, EMFILE, 2, 1);
  const std::vector<Surveyed> found = survey(files.paths, kWhole);
  CHECK(full.refused() == 1 && found.size() == 5);
  for (const Surveyed& file : found) CHECK(!file.error.failed());
}

TEST("where mincore(2) fails, so do the files it was asked about") {
  const Files files(3);
  const Refuse refuse(Call::kMincore, 0, ENOMEM);
  for (const Surveyed& file : survey(files.paths, kWhole)) {
    CHECK(file.error.value == ENOMEM);
  }
}

TEST("after 1 GiB no further file is begun") {
  TemporaryFile huge;
  CHECK(::ftruncate(huge.fd(), (off_t{1} << 30) + 1) == 0);
  const TemporaryFile file(page_size(), 'f');
  const std::string paths = std::string(huge.path()) + '\0' + file.path() + '\0';
  const std::vector<Surveyed> found = survey(paths, kWhole);
  CHECK(found.size() == 1 && !found[0].error.failed());
  CHECK(pages_of(found[0], kResident) == 0);
}

TEST("parts of files are read, as far as the files have them, and no others") {
  const Files files(2);
  for (const TemporaryFile& file : files.all) {
    ::fsync(file.fd());
    ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
  const auto page = static_cast<int64_t>(page_size());
  const auto found =
      touch_parts(files.paths, {{}, {{page, page}, {INT64_MAX, INT64_MAX}}}, INT64_MAX);
  CHECK(found.size() == 2);
  CHECK(!found[0].error.failed() && found[0].read == 0 && found[0].present == 0);
  // Where the kernel does not say what is present, nothing is read.
  if (found[1].error.value == EOPNOTSUPP) SKIP("cachestat(2) is not there");
  CHECK(!found[1].error.failed() && found[1].read + found[1].present == page - 7);
  CHECK(found[1].modified_seconds > 0);
}

}  // namespace
