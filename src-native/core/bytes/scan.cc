#include "core/bytes/scan.h"

#include <cstring>

namespace memmap::core {
namespace {

// 32 bytes at a time: one AVX2 register, or two of SSE2 or NEON.
typedef unsigned char Lanes __attribute__((vector_size(32)));
constexpr size_t kLanes = sizeof(Lanes);

__attribute__((always_inline)) inline size_t count_lanes(const unsigned char* bytes,
                                                         size_t length,
                                                         unsigned char byte) {
  size_t total = 0;
  const unsigned char* end = bytes + length;
  const Lanes wanted = Lanes{} + byte;
  while (static_cast<size_t>(end - bytes) >= kLanes) {
    // A lane counts to 255, then it is added up.
    size_t rounds = static_cast<size_t>(end - bytes) / kLanes;
    if (rounds > 255) rounds = 255;
    Lanes hits = {};
    for (size_t round = 0; round < rounds; round++, bytes += kLanes) {
      Lanes lanes;
      std::memcpy(&lanes, bytes, kLanes);
      hits -= reinterpret_cast<Lanes>(lanes == wanted);  // a match is all ones: -1
    }
    for (size_t lane = 0; lane < kLanes; lane++) total += hits[lane];
  }
  for (; bytes < end; bytes++) total += *bytes == byte ? 1 : 0;
  return total;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) size_t count_avx2(const unsigned char* bytes,
                                                  size_t length, unsigned char byte) {
  return count_lanes(bytes, length, byte);
}
#endif

}  // namespace

size_t count(const unsigned char* bytes, size_t length, unsigned char byte) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return count_avx2(bytes, length, byte);
#endif
  return count_lanes(bytes, length, byte);
}

size_t find(const unsigned char* bytes, size_t length, const unsigned char* needle,
            size_t needle_length) {
  if (needle_length == 0) return 0;
  if (length < needle_length) return SIZE_MAX;  // perhaps no bytes at all, at null
  const void* found = needle_length == 1 ? std::memchr(bytes, needle[0], length)
                                         : ::memmem(bytes, length, needle, needle_length);
  if (found == nullptr) return SIZE_MAX;
  return static_cast<size_t>(static_cast<const unsigned char*>(found) - bytes);
}

size_t positions(const unsigned char* bytes, size_t length, unsigned char byte,
                 uint32_t* out, size_t capacity) {
  if (length > UINT32_MAX) length = UINT32_MAX;
  size_t found = 0;
  size_t at = 0;
  while (found < capacity && at < length) {
    const void* hit = std::memchr(bytes + at, byte, length - at);
    if (hit == nullptr) break;
    at = static_cast<size_t>(static_cast<const unsigned char*>(hit) - bytes);
    out[found++] = static_cast<uint32_t>(at);
    at += 1;
  }
  return found;
}

}  // namespace memmap::core
