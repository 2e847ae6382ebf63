#include "core/wait/futex_ring.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "sys/abi.h"
#include "sys/io_uring.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

// Requests that can be written before they are handed over.
constexpr unsigned kRequests = 64;
// Watches, and completions not taken yet when a watch is started: each of them may add
// two more before the next look.
constexpr unsigned kMost = 128;
constexpr unsigned kCompletions = 4 * kMost;

// Of a request to cancel: nobody waits for its completion.
constexpr uint64_t kNobody = 0;

bool waits_for_futexes(int fd) {
  constexpr unsigned kOperations = sys::kRingFutexWait + 1;
  alignas(io_uring_probe) char
      memory[sizeof(io_uring_probe) + kOperations * sizeof(io_uring_probe_op)] = {};
  auto* probe = reinterpret_cast<io_uring_probe*>(memory);
  if (sys::io_uring_probe(fd, probe, kOperations).failed()) return false;
  if (probe->last_op < sys::kRingFutexWait) return false;
  return (probe->ops[sys::kRingFutexWait].flags & IO_URING_OP_SUPPORTED) != 0;
}

}  // namespace

Result<std::unique_ptr<FutexRing>> FutexRing::create() {
  std::unique_ptr<FutexRing> ring(new FutexRing);
  const Errno error = ring->open();
  if (error.failed()) return error;
  return ring;
}

Errno FutexRing::open() {
  io_uring_params params = {};
  // One thread uses it, and it is not interrupted: a completion is posted when it enters
  // the kernel next, or sleeps there. A request that is refused holds up no other.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
                 IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | sys::kRingNoArray;
  params.cq_entries = kCompletions;
  auto fd = sys::io_uring_setup(kRequests, params);
  if (!fd) return fd.error();
  if (!waits_for_futexes(fd->get())) return Errno{ENOSYS};
  fd_ = std::move(*fd);
  requests_head_ = params.sq_off.head;
  requests_tail_ = params.sq_off.tail;
  requests_mask_ = params.sq_entries - 1;
  completions_head_ = params.cq_off.head;
  completions_tail_ = params.cq_off.tail;
  completions_mask_ = params.cq_entries - 1;
  completions_ = params.cq_off.cqes;
  // Both rings are in one mapping since Linux 5.4.
  const Errno error =
      map(rings_, params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe),
          IORING_OFF_SQ_RING);
  if (error.failed()) return error;
  return map(requests_, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
}

Errno FutexRing::map(Memory& memory, size_t length, off_t offset) {
  auto address = sys::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_POPULATE, fd_.get(), offset);
  if (!address) return address.error();
  memory = {*address, length};
  return {};
}

FutexRing::~FutexRing() {
  for (const Memory& memory : {rings_, requests_}) {
    if (memory.length != 0) static_cast<void>(sys::munmap(memory.address, memory.length));
  }
}

uint32_t& FutexRing::position(uint32_t offset) const {
  return *reinterpret_cast<uint32_t*>(static_cast<char*>(rings_.address) + offset);
}

uint32_t FutexRing::untaken() const {
  return __atomic_load_n(&position(completions_tail_), __ATOMIC_ACQUIRE) -
         position(completions_head_);
}

Result<uint64_t> FutexRing::watch(std::shared_ptr<AddressRange> range,
                                  const uint32_t* word, uint32_t expected) {
  if (watches_.size() == kMost || untaken() >= kMost) return Errno{EBUSY};
  const uint64_t id = next_id_++;
  const auto& [at, added] = watches_.emplace(id, Watch{std::move(range), word, expected});
  const Errno error = arm(id, at->second) ? submit() : Errno{EAGAIN};
  if (!error.failed()) return id;
  // Should the kernel take the request yet, its completion finds nobody.
  watches_.erase(id);
  return error;
}

uint32_t FutexRing::unsubmitted() const {
  return written_ - __atomic_load_n(&position(requests_head_), __ATOMIC_ACQUIRE);
}

io_uring_sqe* FutexRing::request() {
  if (unsubmitted() > requests_mask_) static_cast<void>(submit());
  if (unsubmitted() > requests_mask_) return nullptr;
  auto* all = static_cast<io_uring_sqe*>(requests_.address);
  io_uring_sqe& request = all[written_ & requests_mask_];
  written_ += 1;
  request = {};
  return &request;
}

bool FutexRing::arm(uint64_t id, const Watch& watch) {
  io_uring_sqe* request = this->request();
  if (request == nullptr) return false;
  request->opcode = sys::kRingFutexWait;
  request->fd = static_cast<int>(sys::kFutex32);
  request->addr = reinterpret_cast<uintptr_t>(watch.word);
  request->off = watch.expected;
  constexpr uint64_t kAnyBit = UINT32_MAX;
  request->addr3 = kAnyBit;
  request->user_data = id;
  return true;
}

void FutexRing::unwatch(uint64_t id) {
  if (watches_.erase(id) == 0) return;
  // Without it the kernel goes on waiting, for nobody, until the ring is closed.
  io_uring_sqe* request = this->request();
  if (request == nullptr) return;
  request->opcode = IORING_OP_ASYNC_CANCEL;
  request->addr = id;
  request->user_data = kNobody;
  static_cast<void>(submit());
}

Errno FutexRing::submit() {
  // The requests come before the position that shows them to the kernel.
  __atomic_store_n(&position(requests_tail_), written_, __ATOMIC_RELEASE);
  // It moves the head past each that it takes, and may stop at any: without memory.
  while (unsubmitted() > 0) {
    auto taken = sys::io_uring_enter(fd_.get(), unsubmitted());
    if (!taken && taken.error().value != EINTR) return taken.error();
    if (taken && *taken == 0) return Errno{EAGAIN};
  }
  return {};
}

const std::vector<uint64_t>& FutexRing::take() {
  changed_.clear();
  auto* completions =
      reinterpret_cast<io_uring_cqe*>(static_cast<char*>(rings_.address) + completions_);
  uint32_t& head = position(completions_head_);
  const uint32_t tail = head + untaken();
  uint32_t at = head + answered_;
  for (; at != tail; ++at) {
    const io_uring_cqe& completion = completions[at & completions_mask_];
    const auto found = watches_.find(completion.user_data);
    if (found == watches_.end()) continue;
    auto& [id, watch] = *found;
    const uint32_t value = __atomic_load_n(watch.word, __ATOMIC_SEQ_CST);
    const bool refused = completion.res < 0 && completion.res != -EAGAIN;
    if (value != watch.expected || refused) changed_.push_back(id);
    watch.expected = value;
    if (!refused && !arm(id, watch)) break;
  }
  // While the kernel will not take the requests, a completion stays: then the descriptor
  // stays readable, and this is called again.
  const bool again = submit().failed() && at == tail && at != head;
  answered_ = again ? 1 : 0;
  __atomic_store_n(&head, at - answered_, __ATOMIC_RELEASE);
  return changed_;
}

}  // namespace memmap::core
