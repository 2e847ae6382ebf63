#include "napi/environment.h"

#include <cmath>
#include <utility>

namespace memmap::napi {

namespace {

// The number that JavaScript means, or 0, which is nobody's.
uint64_t number_of(double handle) {
  constexpr double kMost = 0x1p53;
  return handle >= 1 && handle < kMost && handle == std::floor(handle)
             ? static_cast<uint64_t>(handle)
             : 0;
}

}  // namespace

double Environment::add(core::Mapping mapping) {
  last_ += 1;
  mappings_.emplace(last_, std::move(mapping));
  return static_cast<double>(last_);
}

core::Mapping* Environment::find(double handle) {
  const auto found = mappings_.find(number_of(handle));
  return found != mappings_.end() ? &found->second : nullptr;
}

void Environment::remove(double handle) { mappings_.erase(number_of(handle)); }

double Environment::hold_counts(std::shared_ptr<core::FaultCounts> counts) {
  last_ += 1;
  counts_.emplace(last_, std::move(counts));
  return static_cast<double>(last_);
}

core::FaultCounts* Environment::counts(double number) {
  auto found = counts_.find(number_of(number));
  return found != counts_.end() ? found->second.get() : nullptr;
}

void Environment::drop_counts(double number) { counts_.erase(number_of(number)); }

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
