#include "core/bytes/scan.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "check.h"
#include "core/page.h"

namespace {

using memmap::core::page_size;

// Bytes that end right before a page that cannot be read: a read too far crashes.
class FencedBytes {
 public:
  explicit FencedBytes(size_t length) : length_(length) {
    const size_t page = page_size();
    whole_ = memmap::core::round_up(length, page) + page;
    void* mapped = ::mmap(nullptr, whole_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    base_ = static_cast<unsigned char*>(mapped);
    ::mprotect(base_ + whole_ - page, page, PROT_NONE);
  }
  ~FencedBytes() { ::munmap(base_, whole_); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;

  unsigned char* begin() { return end() - length_; }
  unsigned char* end() { return base_ + whole_ - page_size(); }

 private:
  size_t length_;
  size_t whole_;
  unsigned char* base_;
};

// Few different bytes, so that matches are frequent and near-matches too.
void fill(unsigned char* bytes, size_t length, unsigned seed) {
  for (size_t i = 0; i < length; i++) {
    seed = seed * 1664525U + 1013904223U;
    bytes[i] = static_cast<unsigned char>(seed >> 30);
  }
}

size_t naive_count(const unsigned char* bytes, size_t length, unsigned char byte) {
  size_t total = 0;
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == byte) total++;
  }
  return total;
}

size_t naive_find(const unsigned char* bytes, size_t length, const unsigned char* needle,
                  size_t needle_length) {
  for (size_t at = 0; at + needle_length <= length; at++) {
    size_t same = 0;
    while (same < needle_length && bytes[at + same] == needle[same]) same++;
    if (same == needle_length) return at;
  }
  return SIZE_MAX;
}

std::vector<uint32_t> naive_positions(const unsigned char* bytes, size_t length,
                                      unsigned char byte) {
  std::vector<uint32_t> all;
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == byte) all.push_back(static_cast<uint32_t>(i));
  }
  return all;
}

TEST("count equals a loop at every length up to the unreadable page") {
  FencedBytes fenced(400);
  fill(fenced.begin(), 400, 1);
  for (size_t length = 0; length <= 200; length++) {
    const unsigned char* bytes = fenced.end() - length;
    CHECK(memmap::core::count(bytes, length, 3) == naive_count(bytes, length, 3));
  }
}

TEST("count equals a loop at every alignment and length") {
  FencedBytes fenced(400);
  fill(fenced.begin(), 400, 2);
  for (size_t shift = 0; shift < 64; shift++) {
    const unsigned char* bytes = fenced.begin() + shift;
    for (size_t length = 0; length <= 200; length++) {
      CHECK(memmap::core::count(bytes, length, 1) == naive_count(bytes, length, 1));
    }
  }
}

TEST("count does not overflow its lanes where every byte matches") {
  for (size_t length : {8159U, 8160U, 8192U, 8255U, 100000U}) {
    FencedBytes fenced(length);
    std::memset(fenced.begin(), 0xff, length);
    CHECK(memmap::core::count(fenced.begin(), length, 0xff) == length);
    CHECK(memmap::core::count(fenced.begin(), length, 0x7f) == 0);
  }
}

TEST("find equals a loop at every alignment, length and needle length") {
  FencedBytes fenced(400);
  fill(fenced.begin(), 400, 3);
  unsigned char needle[8];
  for (unsigned seed = 0; seed < 20; seed++) {
    fill(needle, sizeof needle, seed);
    for (size_t needle_length = 0; needle_length <= sizeof needle; needle_length++) {
      for (size_t length = 0; length <= 200; length += 1 + seed % 3) {
        const unsigned char* tail = fenced.end() - length;
        CHECK(memmap::core::find(tail, length, needle, needle_length) ==
              naive_find(tail, length, needle, needle_length));
        const unsigned char* head = fenced.begin() + seed;
        CHECK(memmap::core::find(head, length, needle, needle_length) ==
              naive_find(head, length, needle, needle_length));
      }
    }
  }
}

TEST("find finds a needle that ends at the last byte, and none that would end after") {
  FencedBytes fenced(200);
  std::memset(fenced.begin(), 'a', 200);
  std::memcpy(fenced.end() - 6, "needle", 6);
  const auto* needle = reinterpret_cast<const unsigned char*>("needle");
  CHECK(memmap::core::find(fenced.begin(), 200, needle, 6) == 194);
  CHECK(memmap::core::find(fenced.begin(), 199, needle, 6) == SIZE_MAX);
  CHECK(memmap::core::find(fenced.end() - 5, 5, needle, 6) == SIZE_MAX);
}

TEST("positions equals a loop at every alignment and length") {
  FencedBytes fenced(400);
  fill(fenced.begin(), 400, 4);
  uint32_t out[256];
  for (size_t shift = 0; shift < 64; shift++) {
    for (size_t length = 0; length <= 200; length += 1 + shift % 3) {
      for (const unsigned char* bytes : {fenced.begin() + shift, fenced.end() - length}) {
        const std::vector<uint32_t> wanted = naive_positions(bytes, length, 2);
        CHECK(memmap::core::positions(bytes, length, 2, out, 256) == wanted.size());
        CHECK(std::equal(wanted.begin(), wanted.end(), out));
      }
    }
  }
}

TEST("positions stops at its capacity and writes nothing behind") {
  FencedBytes fenced(100);
  std::memset(fenced.begin(), 'a', 100);
  uint32_t out[5] = {9, 9, 9, 9, 9};
  CHECK(memmap::core::positions(fenced.begin(), 100, 'a', out, 4) == 4);
  CHECK(out[0] == 0 && out[3] == 3 && out[4] == 9);
  CHECK(memmap::core::positions(fenced.begin(), 100, 'a', out, 0) == 0);
  CHECK(out[0] == 0);
}

TEST("no bytes at no address hold nothing") {
  const auto* needle = reinterpret_cast<const unsigned char*>("ab");
  uint32_t out[1];
  CHECK(memmap::core::count(nullptr, 0, 'a') == 0);
  CHECK(memmap::core::find(nullptr, 0, needle, 2) == SIZE_MAX);
  CHECK(memmap::core::find(nullptr, 0, needle, 1) == SIZE_MAX);
  CHECK(memmap::core::positions(nullptr, 0, 'a', out, 1) == 0);
}

}  // namespace
