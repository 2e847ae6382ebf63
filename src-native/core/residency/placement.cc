#include "core/residency/placement.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <vector>

#include "sys/abi.h"
#include "sys/numa.h"

namespace memmap::core {
namespace {

constexpr size_t kBatch = size_t{1} << 14;

// Calls `act(first, addresses)` for each batch of pages, until it fails.
template <typename Act>
sys::Errno in_batches(const PageRange& pages, Act act) {
  const size_t count = pages.count();
  std::vector<void*> addresses(std::min(count, kBatch));
  for (size_t first = 0; first < count; first += addresses.size()) {
    addresses.resize(std::min(count - first, kBatch));
    for (size_t i = 0; i < addresses.size(); i++) {
      addresses[i] = pages.address + (first + i) * pages.unit;
    }
    sys::Errno error = act(first, addresses);
    if (error.failed()) return error;
  }
  return {};
}

sys::Errno locate(const std::vector<void*>& addresses, int32_t* nodes) {
  auto left = sys::move_pages(0, addresses.size(), addresses.data(), nullptr, nodes, 0);
  return left ? sys::Errno{} : left.error();
}

// The kernel gives up at a page it cannot move now, and leaves those after it; which one
// it was it does not say. Halving finds it: blocks of powers of two, at multiples of
// their size, so that what follows such a page moves in large blocks again.
sys::Errno move(const std::vector<void*>& addresses, const int* nodes, int* status) {
  const size_t count = addresses.size();
  size_t block = kBatch;
  for (size_t done = 0; done < count;) {
    const size_t pages = std::min(block, count - done);
    auto left =
        sys::move_pages(0, pages, addresses.data() + done, nodes, status, MPOL_MF_MOVE);
    // Before Linux 4.17: there was nothing to move.
    if (!left && left.error().value != ENOENT) return left.error();
    if (left && *left != 0 && pages > 1) {
      block = std::bit_floor(pages - 1);
      continue;
    }
    done += pages;
    block = done & (~done + 1);  // the lowest bit
  }
  return {};
}

}  // namespace

sys::Errno nodes_of(const PageRange& pages, int32_t* nodes) {
  return in_batches(pages, [&](size_t first, const std::vector<void*>& addresses) {
    return locate(addresses, nodes + first);
  });
}

sys::Result<Migration> migrate(const PageRange& pages, int node) {
  const std::vector<int> nodes(std::min(pages.count(), kBatch), node);
  std::vector<int> where(nodes.size());
  Migration migration;
  sys::Errno error = in_batches(pages, [&](size_t, const std::vector<void*>& addresses) {
    sys::Errno failed = move(addresses, nodes.data(), where.data());
    // Each part of a transparent huge page has a status of its own, which may say that it
    // is busy moving: only a second look tells.
    if (!failed.failed()) failed = locate(addresses, where.data());
    if (failed.failed()) return failed;
    for (size_t i = 0; i < addresses.size(); i++) {
      if (where[i] == node) {
        migration.moved++;
      } else if (where[i] < 0) {
        migration.absent++;
      } else {
        migration.failed++;
      }
    }
    return sys::Errno{};
  });
  if (error.failed()) return error;
  return migration;
}

}  // namespace memmap::core
