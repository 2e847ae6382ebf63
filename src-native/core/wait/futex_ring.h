// Waiting for words of shared memory in an event loop, without a thread: the kernel posts
// each wake-up to a ring, whose descriptor becomes readable (io_uring(7), Linux 6.7).
//
// Threads: the one that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/mapping/address_range.h"
#include "sys/fd.h"
#include "sys/result.h"

struct io_uring_sqe;

namespace memmap::core {

class FutexRing {
 public:
  // Numbers of watches start here: core/waiter.h comes to none of them.
  static constexpr uint64_t kFirst = uint64_t{1} << 48;

  // ENOSYS, EINVAL, EPERM: the kernel has none, or none for us.
  static sys::Result<std::unique_ptr<FutexRing>> create();
  FutexRing(const FutexRing&) = delete;
  FutexRing& operator=(const FutexRing&) = delete;
  ~FutexRing();

  // Readable while there is something for take().
  int fd() const { return fd_.get(); }

  // Watches until unwatch(): the number of the watch. The word, in `range`, must be
  // readable until then. EBUSY: there are as many as the ring can tell of.
  sys::Result<uint64_t> watch(std::shared_ptr<AddressRange> range, const uint32_t* word,
                              uint32_t expected);
  void unwatch(uint64_t id);

  // The watches whose words have changed since they were started or taken here. Those
  // that the kernel refuses are among them, and tell of nothing more.
  const std::vector<uint64_t>& take();

 private:
  struct Watch {
    std::shared_ptr<AddressRange> range;
    const uint32_t* word;
    uint32_t expected;
  };
  struct Memory {
    void* address = nullptr;
    size_t length = 0;
  };

  FutexRing() = default;
  sys::Errno open();
  sys::Errno map(Memory& memory, size_t length, off_t offset);
  // A new one to be filled in. Null: the kernel takes none of those that are written.
  io_uring_sqe* request();
  // False: there is no room for the request.
  bool arm(uint64_t id, const Watch& watch);
  // Hands over what is written, and what the kernel would not take before.
  sys::Errno submit();
  uint32_t unsubmitted() const;
  // One of those that we share with the kernel: whoever reads the entries writes the
  // head, the other one the tail.
  uint32_t& position(uint32_t offset) const;
  uint32_t untaken() const;

  sys::UniqueFd fd_;
  Memory rings_;
  Memory requests_;
  uint32_t requests_head_ = 0;  // offsets in rings_
  uint32_t requests_tail_ = 0;
  uint32_t requests_mask_ = 0;
  uint32_t completions_head_ = 0;
  uint32_t completions_tail_ = 0;
  uint32_t completions_mask_ = 0;
  uint32_t completions_ = 0;
  uint32_t written_ = 0;   // requests so far: where the next one goes
  uint32_t answered_ = 0;  // of the untaken completions: 0 or 1, see take()
  uint64_t next_id_ = kFirst;
  std::unordered_map<uint64_t, Watch> watches_;
  std::vector<uint64_t> changed_;
};

}  // namespace memmap::core
