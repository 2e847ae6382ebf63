// A process that has reached vm.max_map_count: what must work all the same. Each test has
// a process of its own.
#include "core/replacement/spare_mappings.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "mappings.h"
#include "subject.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::FaultKind;
using memmap::core::fill_spares;
using memmap::core::give_up_spares;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::core::with_spares;
using memmap::sys::Errno;
using memmap::test::all_bytes;
using memmap::test::closed_at;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::load;
using memmap::test::mapped;
using memmap::test::pages;
using memmap::test::store;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr size_t kTooMany = size_t{1} << 18;

// One more mapping, which merges with no other. False at the limit.
bool another() {
  return ::mmap(nullptr, page_size(), PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
         MAP_FAILED;
}

// Fills the process with mappings of somebody else's, a page each. Null if the limit is
// too high for a test to meet it.
char* fill_limit() {
  long limit = 0;
  std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "re");
  const bool read = file != nullptr && std::fscanf(file, "%ld", &limit) == 1;
  if (file != nullptr) std::fclose(file);
  if (!read || limit > long{kTooMany}) return nullptr;
  const size_t count = static_cast<size_t>(limit) + 2;
  void* made =
      ::mmap(nullptr, count * page_size(), PROT_NONE, kAnonymous | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) return nullptr;
  auto* bytes = static_cast<char*>(made);
  // Pages of alternate access do not merge.
  for (size_t i = 1; i < count; i += 2) {
    if (::mprotect(bytes + i * page_size(), page_size(), PROT_READ) == 0) continue;
    if (errno != ENOMEM) return nullptr;
    // One more can be mapped than others can be split.
    while (another()) {
    }
    return bytes;
  }
  return nullptr;
}

#define FILL_LIMIT()                 \
  char* const filled = fill_limit(); \
  if (filled == nullptr) SKIP("vm.max_map_count cannot be reached")

TEST_ALONE("at the limit of mappings a lost end of a file becomes zeros") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  CHECK(!arm_guard().failed());
  Subject subject(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(3 * page)) == 0);
  FILL_LIMIT();
  CHECK(subject.at(7)[0] == 0);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
  CHECK(all_bytes(subject.at(0), 3 * page, 'f'));
}

TEST_ALONE("at the limit of mappings stray writes stay out of the file") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  CHECK(!arm_guard().failed());
  Subject shared(8, PROT_READ, MAP_SHARED, file.fd());
  Subject secret(8, kReadWrite, MAP_SHARED, file.fd());
  Subject memory(64, kReadWrite, kAnonymous);
  std::memset(memory.at(0), 'a', memory.length());
  CHECK(!secret.protect(PROT_NONE).failed() && !memory.protect(PROT_READ).failed());
  FILL_LIMIT();
  shared.at(3)[0] = 'w';
  CHECK(secret.at(5)[0] == 0);
  memory.at(40)[0] = 'w';
  CHECK(shared.counted(FaultKind::kReadOnly, 1, 0, 8));
  CHECK(secret.counted(FaultKind::kNoAccess, 1, 0, 8));
  CHECK(memory.counted(FaultKind::kReadOnly, 1, 32, 16));
  CHECK(file.all('f'));
}

TEST_ALONE("at the limit of mappings a mapping closes, alone or under a holder") {
  const size_t page = page_size();
  CHECK(!arm_guard().failed());
  // Neighbours of one kind, which the kernel keeps as one.
  std::vector<Mapping> mappings;
  for (int i = 0; i < 5; i++) {
    auto made = Mapping::create(pages(4));
    CHECK(bool{made});
    std::memset(made->address(), 'a', made->length());
    mappings.push_back(std::move(*made));
  }
  FILL_LIMIT();
  for (size_t i : {1U, 3U}) {
    const char* address = mappings[i].address();
    CHECK(!mappings[i].close().failed() && !mapped(address, 4 * page));
  }
  auto holder = mappings[2].range();
  const auto counts = mappings[2].counts();
  const char* address = mappings[2].address();
  CHECK(!mappings[2].close().failed());
  CHECK(std::strcmp(vma_at(address).permissions, "---p") == 0);
  CHECK(*const_cast<const volatile char*>(address + page) == 0);
  CHECK(counts->counts[static_cast<size_t>(FaultKind::kAfterClose)] == 1);
  for (size_t i : {0U, 4U}) CHECK(all_bytes(mappings[i].address(), 4 * page, 'a'));
}

TEST_ALONE("at the limit of mappings a part of a range closes, and faults after it") {
  const size_t page = page_size();
  CHECK(!arm_guard().failed());
  auto outer = Mapping::create(pages(16));
  auto inner = Mapping::create(pages(1, outer->address() + 7 * page, MAP_FIXED));
  CHECK(outer && inner);
  std::memset(outer->address(), 'o', outer->length());
  FILL_LIMIT();
  char* address = inner->address();
  CHECK(!inner->close().failed() && closed_at(address));
  CHECK(address[0] == 0 && address[-1] == 'o' && address[page] == 'o');
  address[0] = 'w';
  CHECK(!outer->close().failed());
}

TEST_ALONE("at the limit of mappings access is given and taken") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  CHECK(!arm_guard().failed());
  Subject subject(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(!subject.protect(PROT_NONE).failed());
  CHECK(subject.at(4)[0] == 0);
  FILL_LIMIT();
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(all_bytes(subject.at(0), 8 * page, 'f'));
  subject.at(4)[0] = 'w';
  CHECK(file.content()[4 * page] == 'w');
}

TEST_ALONE("at the limit of mappings parts are protected as long as there are spares") {
  const size_t page = page_size();
  CHECK(!arm_guard().failed());
  Subject subject(16, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
  FILL_LIMIT();
  // Each makes two mappings more.
  for (size_t i : {1U, 3U, 5U, 7U, 9U}) {
    CHECK(!subject.mapping().range()->protect(i * page, page, PROT_READ).failed());
    CHECK(std::strcmp(vma_at(subject.at(i)).permissions, "r--s") == 0);
  }
}

// As above, and nothing left to give up: whole mappings can still be replaced.
#define FILL_LIMIT_AND_SPARES()             \
  FILL_LIMIT();                             \
  {                                         \
    const PageReplacementLock lock;         \
    while (give_up_spares() || another()) { \
    }                                       \
    ::munmap(filled, page_size());          \
  }

TEST_ALONE(
    "at the limit of mappings, without a spare, no fault kills, nor reaches a file") {
#ifdef __SANITIZE_ADDRESS__
  return;  // its allocator needs mappings
#endif
  const size_t page = page_size();
  CHECK(!arm_guard().failed());
  TemporaryFile file(8 * page, 'f');
  TemporaryFile unlinked(8 * page, 'f');
  TemporaryFile lost(8 * page, 'f');
  Subject shared(8, PROT_READ, MAP_SHARED, file.fd());
  Subject pathless(8, PROT_READ, MAP_SHARED, unlinked.fd());
  CHECK(::unlink(unlinked.path()) == 0);
  Subject fileless(8, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
  CHECK(!fileless.protect(PROT_READ).failed());
  Subject pristine(64, PROT_READ, MAP_PRIVATE, file.fd());
  Subject written(64, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  std::memset(written.at(0), 'a', written.length());
  CHECK(!written.protect(PROT_READ).failed());
  Subject secret(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(!secret.protect(PROT_NONE).failed());
  Subject hidden(8, kReadWrite, kAnonymous);
  CHECK(!hidden.protect(PROT_NONE).failed());
  Subject cut(8, kReadWrite, MAP_SHARED, lost.fd());
  CHECK(::ftruncate(lost.fd(), static_cast<off_t>(3 * page)) == 0);
  FILL_LIMIT_AND_SPARES();
  CHECK(load(shared.at(3)) == 'f');
  for (Subject* each : {&shared, &pathless, &fileless, &pristine}) {
    store(each->at(3), 'w');
    CHECK(load(each->at(3)) == 'w' && each->all() > 0);
  }
  CHECK(load(cut.at(7)) == 0);
  // Pages that cannot be stashed are rather shown than lost, but not written.
  CHECK(load(secret.at(3)) == 0 || load(secret.at(3)) == 'f');
  store(secret.at(2), 'w');
  store(cut.at(7), 'w');
  CHECK(file.all('f') && unlinked.all('f') && lost.size() == 3 * page);
  CHECK(load(pristine.at(3) + 1) == 'f');
  // With the file at hand all of it comes back.
  const Mapping::Source source = {file.fd(), 0, MAP_SHARED, true};
  CHECK(shared.mapping().restore(source, PROT_READ).value == 0);
  CHECK(all_bytes(shared.at(0), 8 * page, 'f'));
  CHECK(!shared.protect(kReadWrite).failed());
  store(shared.at(3), 'x');
  CHECK(file.content()[3 * page] == 'x');
  // What is stashed of it takes the last mapping.
  store(written.at(3), 'w');
  CHECK(load(written.at(3)) == 'w' && load(written.at(40)) == 'a');
  CHECK(load(hidden.at(3)) == 0);
}

TEST_ALONE("at the limit of mappings, without a spare, closed pages read zeros") {
  const size_t page = page_size();
  CHECK(!arm_guard().failed());
  // Neighbours, which closed are one mapping of the kernel.
  auto space = Mapping::reserve(8 * page);
  CHECK(bool{space});
  std::vector<std::shared_ptr<memmap::core::AddressRange>> views;
  for (size_t i = 0; i < 8; i++) {
    auto placed = Mapping::create(pages(1, space->address() + i * page, MAP_FIXED));
    views.push_back(placed->range());
    CHECK(placed && !placed->close().failed());
  }
  CHECK(vma_at(space->address()).end - vma_at(space->address()).start >= 8 * page);
  FILL_LIMIT_AND_SPARES();
  for (size_t i : {3U, 0U, 7U, 5U}) CHECK(load(space->address() + i * page) == 0);
  auto again = Mapping::create(pages(1, space->address() + 3 * page, MAP_FIXED));
  CHECK(again || again.error().value == ENOMEM);
}

TEST_ALONE("at the limit of mappings a new one is ENOMEM, and old ones stay") {
  CHECK(!arm_guard().failed());
  Subject subject(2, kReadWrite, kAnonymous);
  subject.at(0)[0] = 'a';
  FILL_LIMIT();
  CHECK(Mapping::create(pages(1)).error().value == ENOMEM);
  CHECK(Mapping::create(pages(1, subject.at(0), MAP_FIXED)).error().value == ENOMEM);
  CHECK(Mapping::reserve(page_size()).error().value == ENOMEM);
  CHECK(subject.at(0)[0] == 'a');
}

TEST_ALONE("a call is tried again after each spare, and no more than there are") {
  const PageReplacementLock lock;
  fill_spares();
  int calls = 0;
  const Errno after_three = with_spares([&] { return Errno{++calls < 4 ? ENOMEM : 0}; });
  CHECK(!after_three.failed() && calls == 4);
  fill_spares();
  calls = 0;
  CHECK(with_spares([&] {
          calls++;
          return Errno{ENOMEM};
        }).value == ENOMEM);
  const int most = calls - 1;
  CHECK(most > 3 && !give_up_spares());
  calls = 0;
  CHECK(with_spares([&] {
          calls++;
          return Errno{EPERM};
        }).value == EPERM);
  CHECK(calls == 1);
  // They come again, all of them.
  fill_spares();
  int held = 0;
  while (give_up_spares()) held++;
  CHECK(held == most);
}

TEST_ALONE("spares are filled again as far as there is room for all, or not at all") {
  const PageReplacementLock lock;
  fill_spares();
  int held = 0;
  while (give_up_spares()) held++;
  FILL_LIMIT();
  fill_spares();
  CHECK(held > 1 && !give_up_spares());
  // Room for one is left to whoever needs it next.
  for (size_t i = 2; i < 6; i++) ::munmap(filled + i * page_size(), page_size());
  fill_spares();
  CHECK(!give_up_spares() && another());
}

}  // namespace
