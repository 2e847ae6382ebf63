// PlacedPart: addresses of a reservation, held by whoever can reach the mapping that was
// placed there.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>

namespace memmap::core {

class AddressRange;

// A part of a reservation in which a mapping was placed: it lives as long as anybody can
// reach the mapping's addresses, which are nobody's again after it.
class PlacedPart {
 public:
  PlacedPart(std::shared_ptr<AddressRange> range, uintptr_t start, uintptr_t end);
  PlacedPart(const PlacedPart&) = delete;
  PlacedPart& operator=(const PlacedPart&) = delete;
  ~PlacedPart();

  uintptr_t start() const { return start_; }
  uintptr_t end() const { return end_; }

 private:
  const std::shared_ptr<AddressRange> range_;
  const uintptr_t start_;
  const uintptr_t end_;
};

}  // namespace memmap::core
