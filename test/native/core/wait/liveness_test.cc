#include "core/wait/liveness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "check.h"
#include "child.h"
#include "temporary.h"

namespace {

using memmap::core::claim_id;
using memmap::core::is_alive;
using memmap::core::kMaxOwnerId;
using memmap::core::local_liveness_file;
using memmap::core::open_liveness_file;
using memmap::sys::Result;
using memmap::sys::UniqueFd;
using memmap::test::open_descriptors;
using memmap::test::TemporaryFile;

// A description of its own of the file.
UniqueFd witness(const TemporaryFile& file) {
  Result<UniqueFd> fd = open_liveness_file(file.path(), file.inode());
  return fd ? std::move(*fd) : UniqueFd();
}

bool alive(const UniqueFd& fd, uint32_t id) {
  Result<bool> answer = is_alive(fd.get(), id);
  return answer && *answer;
}

// A process that takes a life, says so by a byte, and waits to be killed.
class Other {
 public:
  // `use` runs in the process, in front of the wait.
  template <typename F>
  Other(const TemporaryFile& file, uint32_t id, F use) {
    int fds[2] = {-1, -1};
    if (::pipe(fds) != 0) return;
    process_ = ::fork();
    if (process_ == 0) {
      const UniqueFd own = witness(file);
      if (claim_id(own.get(), id).failed()) ::_exit(1);
      use();
      static_cast<void>(!::write(fds[1], "x", 1));
      for (;;) ::pause();
    }
    ::close(fds[1]);
    char byte = 0;
    ready_ = ::read(fds[0], &byte, 1) == 1;
    ::close(fds[0]);
  }
  ~Other() { kill(); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  bool ready() const { return ready_; }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

 private:
  pid_t process_ = -1;
  bool ready_ = false;
};

}  // namespace

TEST("liveness: an id is its owner's until the description closes") {
  const TemporaryFile file;
  const UniqueFd other = witness(file);
  for (const uint32_t id : {1U, 77U, kMaxOwnerId}) {
    UniqueFd owner = witness(file);
    CHECK(!alive(other, id));
    CHECK(!claim_id(owner.get(), id).failed());
    CHECK(alive(other, id));
    CHECK(!alive(other, id - 1) && !alive(other, id + 1));
    CHECK(claim_id(other.get(), id).value == EAGAIN);
    owner = UniqueFd();
    CHECK(!alive(other, id));
  }
  CHECK(file.size() == 0);
}

TEST("liveness: a process that is killed is dead, one that lives is not") {
  const TemporaryFile file;
  const UniqueFd here = witness(file);
  Other first(file, 5, [] {});
  Other second(file, 6, [] {});
  CHECK(first.ready() && second.ready());
  CHECK(alive(here, 5) && alive(here, 6));
  first.kill();
  CHECK(!alive(here, 5) && alive(here, 6));
  CHECK(!claim_id(here.get(), 5).failed());
}

TEST("liveness: what the owner opens and closes of the same file does not end it") {
  const TemporaryFile file;
  const UniqueFd here = witness(file);
  const Other other(file, 5, [&file] {
    // A lock of the process (F_SETLK) would end here.
    for (int i = 0; i < 3; ++i) ::close(::open(file.path(), O_RDWR | O_CLOEXEC));
  });
  CHECK(other.ready() && alive(here, 5));
}

TEST("liveness: a child has its parent's life until it runs another program") {
  const TemporaryFile file;
  const UniqueFd here = witness(file);
  int started[2] = {-1, -1};
  int held[2] = {-1, -1};
  CHECK(::pipe2(started, O_CLOEXEC) == 0 && ::pipe(held) == 0);
  pid_t child = -1;
  {
    const UniqueFd owner = witness(file);
    CHECK(!claim_id(owner.get(), 9).failed());
    child = ::fork();
    if (child == 0) {
      // Waits for its first byte, then is a program that waits for the end of its input.
      char byte = 0;
      ::dup2(held[0], STDIN_FILENO);
      ::close(held[1]);
      if (::read(STDIN_FILENO, &byte, 1) == 1) ::execlp("cat", "cat", nullptr);
      ::_exit(1);
    }
  }
  ::close(started[1]);
  CHECK(alive(here, 9));
  CHECK(::write(held[1], "x", 1) == 1);
  // The pipe ends with the exec.
  char byte = 0;
  CHECK(::read(started[0], &byte, 1) == 0);
  CHECK(!alive(here, 9));
  for (const int fd : {started[0], held[0], held[1]}) ::close(fd);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && status == 0);
}

TEST("liveness: opens the file that is meant, or none") {
  const TemporaryFile file;
  const int before = open_descriptors();
  CHECK(open_liveness_file(file.path(), file.inode() + 1).error().value == ENOENT);
  CHECK(open_liveness_file("/dev/null", 1).error().value == ENOENT);
  CHECK(open_liveness_file("/tmp", 1).error().value == EISDIR);
  CHECK(open_liveness_file("/no/such/file", 1).error().value == ENOENT);
  CHECK(open_descriptors() == before);
  const UniqueFd own = witness(file);
  CHECK((::fcntl(own.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST("liveness: memory that no other process can have goes by one memfd") {
  Result<int> first = local_liveness_file();
  Result<int> second = local_liveness_file();
  CHECK(first && second && *first == *second);
  CHECK((::fcntl(*first, F_GETFD) & FD_CLOEXEC) != 0);
  const std::string path = "/proc/self/fd/" + std::to_string(*first);
  struct stat status = {};
  CHECK(::fstat(*first, &status) == 0);
  auto one = open_liveness_file(path.c_str(), status.st_ino);
  auto other = open_liveness_file(path.c_str(), status.st_ino);
  CHECK(one && other);
  CHECK(!claim_id(one->get(), 3).failed());
  CHECK(alive(*other, 3));
}
