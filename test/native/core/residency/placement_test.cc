#include "core/residency/placement.h"

#include <sys/mman.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "sys/numa.h"

namespace {

using memmap::core::migrate;
using memmap::core::Migration;
using memmap::core::nodes_of;
using memmap::core::page_size;
using memmap::core::PageRange;
using memmap::sys::Result;
using memmap::test::Call;
using memmap::test::Pin;
using memmap::test::Refuse;

// Bound to node 0, where every page is then, on any machine.
class Pages {
 public:
  explicit Pages(size_t count) : length_(count * page_size()) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* mapped = ::mmap(nullptr, length_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    begin_ = static_cast<char*>(mapped);
    ::madvise(begin_, length_, MADV_NOHUGEPAGE);
    const unsigned long node_0 = 1;
    bound_ = !memmap::sys::mbind(begin_, length_, MPOL_BIND, &node_0,
                                 sizeof node_0 * CHAR_BIT, 0)
                  .failed();
  }
  ~Pages() { ::munmap(begin_, length_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  bool bound() const { return bound_; }
  char* at(size_t page) { return begin_ + page * page_size(); }
  void touch(size_t page) { *at(page) = 1; }
  PageRange range() const { return {begin_, length_, page_size()}; }

 private:
  size_t length_;
  char* begin_;
  bool bound_;
};

bool is(Result<Migration> found, size_t moved, size_t absent, size_t failed) {
  return found && found->moved == moved && found->absent == absent &&
         found->failed == failed;
}

TEST("pages are counted by their unit, the last one cut off or not") {
  CHECK((PageRange{nullptr, 0, 8}.count() == 0));
  CHECK((PageRange{nullptr, 1, 8}.count() == 1 && PageRange{nullptr, 8, 8}.count() == 1));
  CHECK((PageRange{nullptr, 9, 8}.count() == 2));
  CHECK(!nodes_of({nullptr, 0, 8}, nullptr).failed());
  CHECK(is(migrate({nullptr, 0, 8}, 0), 0, 0, 0));
}

TEST("the nodes of pages, over more of them than one call looks at") {
  constexpr size_t kBatch = size_t{1} << 14;
  constexpr size_t kCount = 2 * kBatch + 3;
  Pages pages(kCount);
  if (!pages.bound()) SKIP("memory policies are not there, or forbidden");
  for (size_t page : {size_t{0}, kBatch - 1, kBatch, kCount - 1}) pages.touch(page);
  std::vector<int32_t> nodes(kCount, INT_MIN);
  CHECK(!nodes_of(pages.range(), nodes.data()).failed());
  size_t present = 0;
  for (int32_t node : nodes) {
    CHECK(node == 0 || node == -ENOENT || node == -EFAULT);
    if (node == 0) present++;
  }
  CHECK(present == 4 && nodes[kBatch - 1] == 0 && nodes[kBatch] == 0);
  CHECK(nodes[0] == 0 && nodes[kCount - 1] == 0);
  CHECK(is(migrate(pages.range(), 0), 4, kCount - 4, 0));
}

TEST("a page that cannot be moved holds up no other") {
  Pages pages(64);
  if (!pages.bound()) SKIP("memory policies are not there, or forbidden");
  for (size_t page = 0; page < 64; page++) pages.touch(page);
  for (size_t page : {0U, 21U, 63U}) {
    const Pin pin(pages.at(page));
    CHECK(is(migrate(pages.range(), 0), 64, 0, 0));  // it lies there already
    CHECK(pin.moved() == 63);
    CHECK(pin.met() == 7);  // 64 pages, 32, 16, ... and the one
  }
}

TEST("what move_pages refuses is the errno, but for a kernel that had nothing to move") {
  Pages pages(2);
  if (!pages.bound()) SKIP("memory policies are not there, or forbidden");
  pages.touch(0);
  CHECK(migrate(pages.range(), 1023).error().value == ENODEV);
  {
    const Refuse forbidden(Call::kMovePages, MPOL_MF_MOVE, EACCES);
    CHECK(migrate(pages.range(), 0).error().value == EACCES);
  }
  {
    const Refuse old(Call::kMovePages, MPOL_MF_MOVE, ENOENT);
    CHECK(is(migrate(pages.range(), 0), 1, 1, 0));
  }
  const Refuse none(Call::kMovePages, 0, ENOSYS);
  int32_t nodes[2];
  CHECK(nodes_of(pages.range(), nodes).value == ENOSYS);
}

}  // namespace
