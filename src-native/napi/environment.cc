#include "napi/environment.h"

#include <utility>

namespace memmap::napi {

double Environment::add(core::Mapping mapping) {
  uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.mapping = std::move(mapping);
  slot.open = true;
  return static_cast<double>(slot.generation * kIndices + index);
}

Environment::Slot* Environment::slot(double handle) {
  const uint64_t number = static_cast<uint64_t>(handle);
  const uint64_t index = number % kIndices;
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.open && slot.generation == number / kIndices ? &slot : nullptr;
}

core::Mapping* Environment::find(double handle) {
  Slot* found = slot(handle);
  return found != nullptr ? &found->mapping : nullptr;
}

void Environment::remove(double handle) {
  Slot* found = slot(handle);
  if (found == nullptr) return;
  found->mapping = core::Mapping();
  found->generation += 1;
  found->open = false;
  free_.push_back(static_cast<uint32_t>(found - slots_.data()));
}

double Environment::hold_counts(std::shared_ptr<core::FaultCounts> counts) {
  last_counts_ += 1;
  counts_.emplace(last_counts_, std::move(counts));
  return static_cast<double>(last_counts_);
}

core::FaultCounts* Environment::counts(double number) {
  auto found = counts_.find(static_cast<uint64_t>(number));
  return found != counts_.end() ? found->second.get() : nullptr;
}

void Environment::drop_counts(double number) {
  counts_.erase(static_cast<uint64_t>(number));
}

int Environment::hold_fd(sys::UniqueFd fd) {
  const int number = fd.get();
  // Closed behind our back, or the number would not be new.
  give_fd(number);
  descriptors_.emplace(number, std::move(fd));
  return number;
}

void Environment::close_fd(int fd) { descriptors_.erase(fd); }

void Environment::give_fd(int fd) {
  auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return;
  static_cast<void>(found->second.release());
  descriptors_.erase(found);
}

}  // namespace memmap::napi
