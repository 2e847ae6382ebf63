#include "core/replacement/headroom.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>

namespace memmap::core {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

// vm.max_map_count; INT64_MAX if /proc does not say.
int64_t mapping_limit() {
  File file(std::fopen("/proc/sys/vm/max_map_count", "re"), std::fclose);
  long long limit = 0;
  const bool read = file != nullptr && std::fscanf(file.get(), "%lld", &limit) == 1;
  return read ? int64_t{limit} : INT64_MAX;
}

// The mappings of the process: neighbours of one kind are one, so ours cannot be summed
// up.
int64_t count_mappings() {
  File file(std::fopen("/proc/self/maps", "re"), std::fclose);
  if (file == nullptr) return 0;
  int64_t lines = 0;
  char text[4096];
  while (size_t length = std::fread(text, 1, sizeof text, file.get())) {
    lines += std::count(text, text + length, '\n');
  }
  return lines;
}

// Mappings that may be made before /proc is asked again.
std::atomic<int64_t>& unasked() {
  static std::atomic<int64_t> count = 0;
  return count;
}

}  // namespace

bool claim_mappings(int64_t count) {
  if (unasked().fetch_sub(count, std::memory_order_relaxed) >= count) return true;
  const int64_t limit = mapping_limit();
  const int64_t left = limit - limit / kShareOfRuntime - count_mappings();
  // Half of what is left: others map too, and what we unmap is not given back here.
  unasked().store(std::max<int64_t>(left / 2 - count, 0), std::memory_order_relaxed);
  return left >= count;
}

}  // namespace memmap::core
