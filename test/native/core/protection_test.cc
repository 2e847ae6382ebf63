// Protections that are more, or less, than reading and writing.
#include <sys/mman.h>

#include "check.h"
#include "core/mapping.h"
#include "core/page.h"
#include "mappings.h"
#include "subject.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::test::pages;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("what else mprotect(2) takes beside access is no mark of what stands there") {
  constexpr int kSemaphores = 0x8;  // PROT_SEM: ignored by the kernel
  const size_t page = page_size();
  Mapping::Request request = pages(1);
  request.prot = PROT_READ | kSemaphores;
  Result<Mapping> mapping = Mapping::create(request);
  CHECK(bool{mapping});
  mapping->address()[0] = 'w';
  CHECK(mapping->counts()->all == 1);
  CHECK(!mapping->range()->protect(0, page, PROT_NONE | kSemaphores).failed());
  CHECK(mapping->address()[0] == 0 && mapping->counts()->all == 2);
}

TEST("memory that may only be run can be read, or reads zeros") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  for (int flags : {MAP_PRIVATE, MAP_SHARED}) {
    Subject subject(2, PROT_EXEC, flags, file.fd());
    // Without protection keys the processor lets it be read.
    const char byte = *static_cast<volatile char*>(subject.at(1));
    CHECK(byte == 'f' || byte == 0);
    CHECK(subject.all() == 0 || subject.counted(FaultKind::kNoAccess, 1, 0, 2));
    CHECK(vma_at(subject.at(1)).permissions[2] == 'x');
    *static_cast<volatile char*>(subject.at(0)) = 'w';
    CHECK(file.all('f'));
  }
}

}  // namespace
