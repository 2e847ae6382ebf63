#include "core/mapping/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "temporary.h"

namespace {

using memmap::core::create_shared_memory;
using memmap::core::examine_shared_memory;
using memmap::core::page_size;
using memmap::core::SharedMemoryFacts;
using memmap::core::SharedMemoryRequest;
using memmap::sys::Result;
using memmap::sys::UniqueFd;
using memmap::test::Call;
using memmap::test::open_descriptors;
using memmap::test::Refuse;
using Step = memmap::core::SharedMemoryStep;

constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

SharedMemoryRequest request(const char* name = nullptr) {
  SharedMemoryRequest result;
  result.name = name;
  result.memfd_flags = kFlags;
  result.length = 10000;
  return result;
}

std::string name_of_this_run() { return "memmap-native-" + std::to_string(::getpid()); }

bool has_name(const std::string& name) {
  struct stat status = {};
  return ::stat(("/dev/shm/" + name).c_str(), &status) == 0;
}

// Whether creation fails so, with nothing left open.
bool fails(const SharedMemoryRequest& wanted, Step step, int error) {
  const int before = open_descriptors();
  Step failed = Step::kOpen;
  Result<UniqueFd> fd = create_shared_memory(wanted, failed);
  return !fd && failed == step && fd.error().value == error &&
         open_descriptors() == before;
}

}  // namespace

TEST("shared memory: has its length, its pages and the mode of its user") {
  Step step = Step::kOpen;
  Result<UniqueFd> fd = create_shared_memory(request(), step);
  CHECK(fd);
  struct stat status = {};
  CHECK(::fstat(fd->get(), &status) == 0);
  CHECK(status.st_size == 10000 && status.st_blocks * 512 >= 10000);
  CHECK((status.st_mode & 0777) == 0600);
  SharedMemoryFacts facts;
  CHECK(!examine_shared_memory(fd->get(), facts).failed());
  CHECK(facts.memory && facts.writable && !facts.secret && facts.length == 10000);
  CHECK(facts.page_size == static_cast<int64_t>(page_size()));
}

TEST(
    "shared memory: on a kernel before 6.3 it may become executable, and is made all the "
    "same") {
  const Refuse old(Call::kMemfdCreate, MFD_NOEXEC_SEAL, EINVAL);
  Step step = Step::kOpen;
  Result<UniqueFd> fd = create_shared_memory(request(), step);
  CHECK(fd && old.refused() == 1);
  Result<int> seals = memmap::sys::fcntl_get_seals(fd->get());
  CHECK(seals && *seals == 0);
}

TEST("shared memory: an EINVAL of its own is not tried again for ever") {
  const Refuse broken(Call::kMemfdCreate, 0, EINVAL);
  CHECK(fails(request(), Step::kOpen, EINVAL));
  CHECK(broken.refused() == 2);
}

TEST("shared memory: no room is ENOSPC, and nothing is left") {
  const std::string name = name_of_this_run();
  const Refuse full(Call::kFallocate, 0, ENOSPC);
  CHECK(fails(request(), Step::kGrow, ENOSPC));
  CHECK(fails(request(name.c_str()), Step::kGrow, ENOSPC));
  CHECK(!has_name(name));
}

TEST("shared memory: a name where /dev/shm has no files without one") {
  const std::string name = name_of_this_run();
  const Refuse old(Call::kOpen, O_TMPFILE, EOPNOTSUPP);
  Step step = Step::kOpen;
  Result<UniqueFd> fd = create_shared_memory(request(name.c_str()), step);
  CHECK(fd && old.refused() == 1 && has_name(name));
  CHECK(fails(request(name.c_str()), Step::kOpen, EEXIST));
  CHECK(!memmap::sys::shm_unlink(name.c_str()).failed());
  {
    // The name goes with the failure.
    const std::string other = name + "-full";
    SharedMemoryRequest huge = request(other.c_str());
    huge.length = int64_t{1} << 60;
    CHECK(!create_shared_memory(huge, step) && step == Step::kGrow);
    CHECK(!has_name(other));
  }
}

TEST("shared memory: a name that is taken is EEXIST, and stays as it is") {
  const std::string name = name_of_this_run();
  Step step = Step::kOpen;
  Result<UniqueFd> first = create_shared_memory(request(name.c_str()), step);
  CHECK(first);
  CHECK(fails(request(name.c_str()), Step::kName, EEXIST));
  CHECK(has_name(name));
  CHECK(!memmap::sys::shm_unlink(name.c_str()).failed());
}

TEST("shared memory: secret memory on a kernel without it is ENOSYS") {
  const Refuse old(Call::kMemfdSecret, 0, ENOSYS);
  SharedMemoryRequest secret = request();
  secret.secret = true;
  CHECK(fails(secret, Step::kOpen, ENOSYS));
}

TEST("shared memory: what is none is told from what is") {
  const auto is_memory = [](int fd) {
    SharedMemoryFacts facts;
    return !examine_shared_memory(fd, facts).failed() && facts.memory;
  };
  int pipe[2] = {-1, -1};
  CHECK(::pipe2(pipe, O_CLOEXEC) == 0);
  const UniqueFd ends[] = {UniqueFd(pipe[0]), UniqueFd(pipe[1])};
  CHECK(!is_memory(pipe[0]) && !is_memory(pipe[1]));
  for (const char* path : {"/dev/zero", "/proc/self/maps", "/dev/shm", "/"}) {
    Result<UniqueFd> fd = memmap::sys::open(path, O_RDONLY | O_CLOEXEC, 0);
    CHECK(fd && !is_memory(fd->get()));
  }
  SharedMemoryFacts facts;
  CHECK(examine_shared_memory(-1, facts).value == EBADF);
  Step step = Step::kOpen;
  Result<UniqueFd> memory = create_shared_memory(request(), step);
  CHECK(memory && is_memory(memory->get()));
  const std::string path = "/proc/self/fd/" + std::to_string(memory->get());
  Result<UniqueFd> writer = memmap::sys::open(path.c_str(), O_WRONLY | O_CLOEXEC, 0);
  CHECK(writer && !is_memory(writer->get()));
  Result<UniqueFd> handle = memmap::sys::open(path.c_str(), O_PATH | O_CLOEXEC, 0);
  CHECK(handle && !is_memory(handle->get()));
}

TEST("shm_open: names are one component, with a slash before it or without") {
  for (const char* name : {"", "/", ".", "/..", "a/b", "/a/"}) {
    Result<UniqueFd> fd = memmap::sys::shm_open(name, O_RDWR, 0);
    CHECK(!fd && fd.error().value == EINVAL);
    CHECK(memmap::sys::shm_unlink(name).value == EINVAL);
  }
  const std::string longest(255, 'x');
  CHECK(memmap::sys::shm_unlink(longest.c_str()).value == ENOENT);
  CHECK(memmap::sys::shm_unlink((longest + "x").c_str()).value == ENAMETOOLONG);
}
