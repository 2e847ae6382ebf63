#include "core/bytes/checksum.h"

#include <bit>
#include <cstring>

namespace memmap::core {
namespace {

constexpr uint32_t kPrime1 = 0x9E3779B1U;
constexpr uint32_t kPrime2 = 0x85EBCA77U;
constexpr uint32_t kPrime3 = 0xC2B2AE3DU;
constexpr uint32_t kPrime4 = 0x27D4EB2FU;
constexpr uint32_t kPrime5 = 0x165667B1U;
constexpr size_t kStripe = 16;

static_assert(std::endian::native == std::endian::little);

uint32_t word(const unsigned char* bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint32_t round(uint32_t lane, uint32_t value) {
  return std::rotl(lane + value * kPrime2, 13) * kPrime1;
}

}  // namespace

uint32_t xxh32(const unsigned char* bytes, size_t length, uint32_t seed) {
  size_t done = 0;
  uint32_t hash = seed + kPrime5;
  if (length >= kStripe) {
    uint32_t a = seed + kPrime1 + kPrime2;
    uint32_t b = seed + kPrime2;
    uint32_t c = seed;
    uint32_t d = seed - kPrime1;
    for (; length - done >= kStripe; done += kStripe) {
      a = round(a, word(bytes + done));
      b = round(b, word(bytes + done + 4));
      c = round(c, word(bytes + done + 8));
      d = round(d, word(bytes + done + 12));
    }
    hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
  }
  hash += static_cast<uint32_t>(length);
  for (; length - done >= 4; done += 4) {
    hash = std::rotl(hash + word(bytes + done) * kPrime3, 17) * kPrime4;
  }
  for (; done < length; done++)
    hash = std::rotl(hash + bytes[done] * kPrime5, 11) * kPrime1;
  hash = (hash ^ (hash >> 15)) * kPrime2;
  hash = (hash ^ (hash >> 13)) * kPrime3;
  return hash ^ (hash >> 16);
}

}  // namespace memmap::core
