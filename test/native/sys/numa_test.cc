#include "sys/numa.h"

#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "check.h"
#include "sys/abi.h"

// Node 0 is there on every machine; one that has no memory policies at all skips.
namespace {

namespace sys = memmap::sys;

constexpr size_t kPage = 65536;  // a multiple of every page size
constexpr unsigned long kMaxNode = 1025;
using Mask = unsigned long[1024 / (sizeof(unsigned long) * CHAR_BIT)];

bool is_missing(sys::Errno error) {
  return error.value == ENOSYS || error.value == EPERM;
}

class Page {
 public:
  Page()
      : address(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Page() { ::munmap(address, kPage); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  void* const address;
};

TEST("mbind and get_mempolicy: a policy, and a mask that counts one bit less") {
  const Page page;
  const Mask node_0 = {1};
  const sys::Errno bound =
      sys::mbind(page.address, kPage, MPOL_BIND, node_0, kMaxNode, 0);
  if (is_missing(bound)) SKIP("memory policies are not there, or forbidden");
  CHECK(!bound.failed());
  // One bit, of which the kernel takes one away: no node is left.
  CHECK(sys::mbind(page.address, kPage, MPOL_BIND, node_0, 1, 0).value == EINVAL);
  CHECK(!sys::mbind(page.address, kPage, MPOL_BIND, node_0, 2, 0).failed());
  int mode = -1;
  Mask found = {};
  CHECK(!sys::get_mempolicy(&mode, found, kMaxNode, page.address, MPOL_F_ADDR).failed());
  CHECK(mode == MPOL_BIND && found[0] == 1);
  CHECK(!sys::get_mempolicy(&mode, nullptr, 0, page.address, MPOL_F_ADDR | MPOL_F_NODE)
             .failed());
  CHECK(mode == 0);
}

TEST("set_mempolicy is of the calling thread") {
  int mode = -1;
  Mask nodes = {1};
  const sys::Errno set = sys::set_mempolicy(MPOL_INTERLEAVE, nodes, kMaxNode);
  if (is_missing(set)) SKIP("memory policies are not there, or forbidden");
  CHECK(!set.failed());
  const sys::Errno got = sys::get_mempolicy(&mode, nodes, kMaxNode, nullptr, 0);
  const sys::Errno undone = sys::set_mempolicy(MPOL_DEFAULT, nullptr, 0);
  CHECK(!got.failed() && mode == MPOL_INTERLEAVE && nodes[0] == 1);
  CHECK(!undone.failed());
  CHECK(sys::set_mempolicy(1000, nullptr, 0).value == EINVAL);
}

TEST("move_pages tells where a page is, and moves none to a node that is not there") {
  const Page page;
  void* const pages[] = {page.address};
  int status = INT_MIN;
  auto left = sys::move_pages(0, 1, pages, nullptr, &status, 0);
  if (!left && is_missing(left.error())) SKIP("move_pages is not there, or forbidden");
  CHECK(left && *left == 0 && (status == -ENOENT || status == -EFAULT));
  static_cast<char*>(page.address)[0] = 1;
  left = sys::move_pages(0, 1, pages, nullptr, &status, 0);
  CHECK(left && *left == 0 && status >= 0);
  const int absent = 1023;
  CHECK(sys::move_pages(0, 1, pages, &absent, &status, MPOL_MF_MOVE).error().value ==
        ENODEV);
}

TEST("migrate_pages says how many pages stay") {
  const Mask node_0 = {1};
  auto left = sys::migrate_pages(0, kMaxNode, node_0, node_0);
  if (!left && is_missing(left.error())) SKIP("migrate_pages is not there, or forbidden");
  CHECK(left && *left == 0);
  CHECK(sys::migrate_pages(INT_MAX, kMaxNode, node_0, node_0).error().value == ESRCH);
}

TEST("set_mempolicy_home_node is for memory that is bound") {
  const Page page;
  sys::Errno home = sys::set_mempolicy_home_node(page.address, kPage, 0, 0);
  if (is_missing(home)) SKIP("set_mempolicy_home_node is Linux 5.17");
  CHECK(home.value == ENOENT);
  const Mask node_0 = {1};
  CHECK(!sys::mbind(page.address, kPage, MPOL_BIND, node_0, kMaxNode, 0).failed());
  CHECK(!sys::set_mempolicy_home_node(page.address, kPage, 0, 0).failed());
  CHECK(sys::set_mempolicy_home_node(page.address, kPage, 0, 1).value == EINVAL);
}

}  // namespace
