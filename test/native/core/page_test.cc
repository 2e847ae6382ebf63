#include "core/page.h"

#include "check.h"

namespace {

using memmap::core::overlap;
using memmap::core::page_size;
using memmap::core::round_down;
using memmap::core::round_up;
using memmap::core::within;

TEST("a range that ends at the last byte lies within") {
  CHECK(within(0, 0, 0));
  CHECK(within(0, 10, 10));
  CHECK(within(10, 0, 10));
  CHECK(within(3, 7, 10));
}

TEST("a range that leaves by one byte does not lie within") {
  CHECK(!within(0, 11, 10));
  CHECK(!within(11, 0, 10));
  CHECK(!within(4, 7, 10));
  CHECK(!within(1, 0, 0));
}

TEST("a range whose end wraps around does not lie within") {
  CHECK(!within(1, SIZE_MAX, 10));
  CHECK(!within(SIZE_MAX, 1, 10));
  CHECK(!within(SIZE_MAX, 2, SIZE_MAX));
  CHECK(!within(10, SIZE_MAX - 9, 20));
  CHECK(within(0, SIZE_MAX, SIZE_MAX));
  CHECK(within(SIZE_MAX, 0, SIZE_MAX));
}

TEST("ranges overlap if they share a byte, wherever they end") {
  CHECK(overlap(0, 2, 1, 2) && overlap(1, 2, 0, 2));
  CHECK(overlap(5, 1, 0, 10) && overlap(0, 10, 5, 1) && overlap(3, 4, 3, 4));
  CHECK(!overlap(0, 2, 2, 2) && !overlap(2, 2, 0, 2));
  CHECK(!overlap(1, 0, 0, 2) && !overlap(0, 2, 1, 0) && !overlap(1, 0, 1, 1));
  CHECK(overlap(10, SIZE_MAX, SIZE_MAX, 1));
  CHECK(!overlap(SIZE_MAX, SIZE_MAX, 0, 10));
}

TEST("rounding up gives the next multiple, or 0 where there is none") {
  CHECK(round_up(0, 4096) == 0);
  CHECK(round_up(1, 4096) == 4096);
  CHECK(round_up(4096, 4096) == 4096);
  CHECK(round_up(4097, 4096) == 8192);
  CHECK(round_up(SIZE_MAX - 4095, 4096) == SIZE_MAX - 4095);
  CHECK(round_up(SIZE_MAX - 4094, 4096) == 0);
  CHECK(round_up(SIZE_MAX, 4096) == 0);
  CHECK(round_up(SIZE_MAX, 1) == SIZE_MAX);
}

TEST("rounding down gives the multiple before") {
  CHECK(round_down(0, 4096) == 0);
  CHECK(round_down(4095, 4096) == 0);
  CHECK(round_down(8191, 4096) == 4096);
  CHECK(round_down(SIZE_MAX, 4096) == SIZE_MAX - 4095);
}

TEST("a page is a power of two of at least 4 KiB") {
  CHECK(page_size() >= 4096);
  CHECK((page_size() & (page_size() - 1)) == 0);
}

}  // namespace
