#include "core/bytes/persist.h"

#include <cstdint>

#include "core/page.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace memmap::core {
namespace {

struct Instruction {
  const char* name = nullptr;
  void (*lines)(const char* begin, const char* end, size_t line) = nullptr;
  void (*wait)() = nullptr;
  size_t line = 0;  // bytes
};

#if defined(__x86_64__)

// Keeps the line in the cache. [begin, end) in steps of a line.
__attribute__((target("clwb"))) void clwb(const char* begin, const char* end,
                                          size_t line) {
  for (; begin < end; begin += line) _mm_clwb(const_cast<char*>(begin));
}

__attribute__((target("clflushopt"))) void clflushopt(const char* begin, const char* end,
                                                      size_t line) {
  for (; begin < end; begin += line) _mm_clflushopt(const_cast<char*>(begin));
}

void clflush(const char* begin, const char* end, size_t line) {
  for (; begin < end; begin += line) _mm_clflush(begin);
}

// Orders the write-backs before every later store.
void fence() { _mm_sfence(); }

Instruction find() {
  constexpr unsigned kClflushopt = 1U << 23;
  constexpr unsigned kClwb = 1U << 24;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return {};
  const size_t line = size_t{(b >> 8) & 0xff} * 8;
  if (line == 0) return {};
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) b = 0;
  if ((b & kClwb) != 0) return {"clwb", clwb, fence, line};
  if ((b & kClflushopt) != 0) return {"clflushopt", clflushopt, fence, line};
  return {"clflush", clflush, fence, line};
}

#elif defined(__aarch64__)

// Clean to the point of persistence, ARMv8.2.
void dc_cvap(const char* begin, const char* end, size_t line) {
  for (; begin < end; begin += line) {
    asm volatile("sys #3, c7, c12, #1, %0" : : "r"(begin) : "memory");
  }
}

void barrier() { asm volatile("dsb osh" : : : "memory"); }

Instruction find() {
  constexpr unsigned long kDcpop = 1UL << 16;
  if ((getauxval(AT_HWCAP) & kDcpop) == 0) return {};
  uint64_t types = 0;
  asm("mrs %0, ctr_el0" : "=r"(types));
  return {"dc cvap", dc_cvap, barrier, size_t{4} << ((types >> 16) & 0xf)};
}

#else

Instruction find() { return {}; }

#endif

const Instruction& instruction() {
  static const Instruction found = find();
  return found;
}

}  // namespace

const char* write_back_instruction() { return instruction().name; }

void write_back(const char* address, size_t length) {
  if (length == 0) return;  // the line around it may not be there
  const auto& [name, lines, wait, line] = instruction();
  const size_t before = reinterpret_cast<uintptr_t>(address) % line;
  lines(address - before, address + length, line);
  wait();
}

}  // namespace memmap::core
