// Two threads that replace the same pages: each act is stopped in its midst while another
// begins. Who holds the page replacement lock comes first; without it the later of two
// answers to the kernel's state of before would win.
#pragma once

#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/mapping/mapping.h"
#include "core/page.h"
#include "mappings.h"
#include "temporary.h"
#include "witness.h"

namespace memmap::test {

// Another thread, which begins in the midst of this one's act.
class Other {
 public:
  explicit Other(std::function<void()> act)
      : thread_([this, act = std::move(act)] {
          while (!begins_) std::this_thread::yield();
          act();
          done_ = true;
        }) {}
  ~Other() { join(); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  // Lets it go, and waits as long as it would take if nothing held it up.
  void begin() {
    begins_ = true;
    for (int i = 0; i < 100 && !done_; i++) {
      const timespec millisecond = {0, 1'000'000};
      ::nanosleep(&millisecond, nullptr);
    }
  }
  // Lets it go, and waits until it is done.
  void finish() {
    begins_ = true;
    while (!done_) std::this_thread::yield();
  }
  void join() {
    begins_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> begins_ = false;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// A part of a reservation that has been mapped and closed, where a view may still be.
class Slot {
 public:
  Slot() : file_(2 * core::page_size(), 'f') {
    auto space = core::Mapping::reserve(4 * core::page_size());
    if (!space) return;
    space_ = std::move(*space);
    static_cast<void>(place()->close());
  }

  char* at() const { return space_.address() + core::page_size(); }
  const TemporaryFile& file() const { return file_; }
  sys::Result<core::Mapping> place(int prot = kReadWrite) const {
    core::Mapping::Request request = pages_of(file_);
    request.address = at();
    request.flags |= MAP_FIXED;
    request.prot = prot;
    sys::Result<core::Mapping> placed = core::Mapping::create(request);
    if (placed) views_.push_back(placed->range());
    return placed;
  }
  // Pages of the file are there, and nothing else.
  bool shows_file() const {
    return vma_at(at()).inode == file_.inode() &&
           vma_at(at() + core::page_size()).inode == file_.inode() &&
           all_bytes(at(), 2 * core::page_size(), 'f');
  }

 private:
  TemporaryFile file_;
  core::Mapping space_;
  // Whoever reaches what was placed there once.
  mutable std::vector<std::shared_ptr<core::AddressRange>> views_;
};

}  // namespace memmap::test
