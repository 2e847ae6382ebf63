#include "core/bytes/checksum.h"

#include <cstdint>
#include <cstring>

#include "check.h"

namespace {

uint32_t of(const char* text, uint32_t seed) {
  return memmap::core::xxh32(reinterpret_cast<const unsigned char*>(text),
                             std::strlen(text), seed);
}

}  // namespace

// Values that xxhash.com publishes, or its program computes.
TEST("a checksum is the XXH32 that others compute") {
  CHECK(of("", 0) == 0x02CC5D05U);
  CHECK(of("abc", 0) == 0x32D153FFU);
  CHECK(of("Nobody inspects the spammish repetition", 0) == 0xE2293B2FU);
}

TEST("a checksum depends on each bit, and on the seed") {
  unsigned char bytes[67] = {};
  const uint32_t zeros = memmap::core::xxh32(bytes, sizeof bytes, 7);
  for (size_t i = 0; i < sizeof bytes * 8; i++) {
    bytes[i / 8] = static_cast<unsigned char>(bytes[i / 8] ^ (1U << (i % 8)));
    CHECK(memmap::core::xxh32(bytes, sizeof bytes, 7) != zeros);
    bytes[i / 8] = 0;
  }
  CHECK(memmap::core::xxh32(bytes, sizeof bytes, 8) != zeros);
}
