// The seam between sys/ and the kernel: while an object of these lives, calls of the one
// kind are answered as a kernel would that is older, full or out of descriptors. Linked
// in by --wrap, so that the code under test is what ships. One object, one thread.
#pragma once

#include <climits>
#include <functional>

namespace memmap::test {

enum class Call {
  kMmap,
  kMremap,
  kMprotect,
  kMincore,
  kMadvise,
  kFallocate,
  kFcntl,
  kIoctl,
  kOpen,
  kProcessVmReadv,
  kMemfdCreate,
  kMemfdSecret,
  kFutexWaitv,
  kIoUringEnter,
  kCachestat,
  kMovePages,
  kSigprocmask,
};

// Fails the calls whose flags (of fallocate: mode; of fcntl and ioctl: command; of
// madvise: advice) contain `flags`, but lets the first `after` of them pass, and no more
// than `times`. A mmap(2) or mremap(2) that replaces what is at an address has unmapped
// it before it fails with EFAULT, as on Linux 6.1 and 6.12.
class Refuse {
 public:
  Refuse(Call call, unsigned flags, int error, int after = 0, int times = INT_MAX);
  ~Refuse();
  Refuse(const Refuse&) = delete;
  Refuse& operator=(const Refuse&) = delete;
  // How many calls it has failed.
  int refused() const;
};

// Lets something happen in the midst of what the code under test does: runs `act` once,
// after the kernel has answered a call of the kind, as for Refuse, and before the caller
// knows. In a handler, too: `act` does what a handler may.
class Meanwhile {
 public:
  Meanwhile(Call call, unsigned flags, std::function<void()> act, int after = 0);
  ~Meanwhile();
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  bool happened() const;
};

// Makes mremap(2) move one mapping at a time, as Linux before 6.17 does: where there are
// several it fails with EFAULT, once it has unmapped what they would have replaced. Runs
// `act` the first time, before the caller knows.
class MoveOne {
 public:
  explicit MoveOne(std::function<void()> act);
  ~MoveOne();
  MoveOne(const MoveOne&) = delete;
  MoveOne& operator=(const MoveOne&) = delete;
  bool happened() const;
};

// Makes move_pages(2) give up at a page, as the kernel does at one that is in use: that
// page and those after it stay as they are, and have no status.
class Pin {
 public:
  explicit Pin(const void* page);
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  // How many calls met the page, and how many pages other calls moved.
  int met() const;
  unsigned long moved() const;
};

// Makes mincore(2) call every page resident, as the kernel does for files of others.
class Claim {
 public:
  Claim();
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
};

// Makes mmap(2) forget `flags`, as a kernel does that does not know them.
class Ignore {
 public:
  explicit Ignore(unsigned flags);
  ~Ignore();
  Ignore(const Ignore&) = delete;
  Ignore& operator=(const Ignore&) = delete;
};

}  // namespace memmap::test
