#include "core/mapping/placed_part.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/mapping/address_range.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "sys/memory.h"

namespace memmap::core {

PlacedPart::PlacedPart(std::shared_ptr<AddressRange> range, uintptr_t start,
                       uintptr_t end)
    : range_(std::move(range)), start_(start), end_(end) {
  const PageReplacementLock lock;
  range_->parts_.push_back(this);
}

PlacedPart::~PlacedPart() {
  const PageReplacementLock lock;
  std::erase(range_->parts_, this);
  range_->clear(*this);
}

void AddressRange::clear(const PlacedPart& part) {
  std::vector<Extent> closed;
  const auto length = static_cast<size_t>(part.end() - part.start());
  for (const Extent& extent : extents_in(reinterpret_cast<void*>(part.start()), length)) {
    const auto reaches = [&](const PlacedPart* other) {
      return other->start() < extent.end && extent.start < other->end();
    };
    const bool reached = std::any_of(parts_.begin(), parts_.end(), reaches);
    if (extent.closed && !reached) closed.push_back(extent);
  }
  for (const Extent& extent : closed) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    const auto cleared = with_spares([&] {
      return sys::mmap(reinterpret_cast<void*>(extent.start), extent.length(), PROT_NONE,
                       kFlags, -1, 0);
    });
    // At the limit of mappings they stay closed.
    if (cleared) remove_extents(extent.start, extent.end, this);
  }
}

}  // namespace memmap::core
