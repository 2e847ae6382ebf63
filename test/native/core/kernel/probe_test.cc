#include "core/kernel/probe.h"

#include <sys/mman.h>

#include <string_view>

#include "check.h"
#include "kernel.h"
#include "sys/abi.h"
#include "witness.h"

namespace {

using memmap::core::probe;
using memmap::test::Call;
using memmap::test::Ignore;
using memmap::test::Refuse;

struct Lacking {
  std::string_view feature;
  Call call;
  unsigned flags;
  int error;
};

TEST("a feature whose call the kernel refuses is not there, and others are untouched") {
  const Lacking kernels[] = {
      {"cold", Call::kMadvise, MADV_COLD, EINVAL},
      {"populate", Call::kMadvise, MADV_POPULATE_READ, EINVAL},
      {"collapse", Call::kMadvise, MADV_COLLAPSE, EINVAL},
      {"guardPages", Call::kMadvise, MADV_GUARD_INSTALL, EINVAL},
      {"remapKeeping", Call::kMremap, MREMAP_DONTUNMAP, EINVAL},
      {"droppable", Call::kMmap, MAP_DROPPABLE | MAP_ANONYMOUS, EINVAL},
      {"secretMemory", Call::kMemfdSecret, 0, ENOSYS},
      {"noExecSeal", Call::kMemfdCreate, MFD_NOEXEC_SEAL, EINVAL},
      {"checkedCopy", Call::kProcessVmReadv, 0, EPERM},
      {"cachestat", Call::kCachestat, 0, ENOSYS},
      {"pagemap", Call::kOpen, 0, ENOENT},
      {"pagemapScan", Call::kIoctl, memmap::sys::kPagemapScan & 0xffffffff, ENOTTY},
      {"mapsQuery", Call::kIoctl, memmap::sys::kProcmapQuery & 0xffffffff, ENOTTY},
      {"multiFutex", Call::kFutexWaitv, 0, ENOSYS},
  };
  for (const auto& [feature, call, flags, error] : kernels) {
    const Refuse older(call, flags, error);
    CHECK(probe(feature).value == error);
    CHECK(older.refused() == 1);
  }
}

TEST("a flag that an older kernel takes for a hint is not there") {
  const Ignore older(MAP_FIXED_NOREPLACE);
  CHECK(probe("fixedNoReplace").value == EINVAL);
}

TEST("a call that refuses arguments is there all the same") {
  const Refuse refusing(Call::kFutexWaitv, 0, EINVAL);
  CHECK(!probe("multiFutex").failed());
}

TEST("what is no feature is ENOENT") {
  CHECK(probe("").value == ENOENT);
  CHECK(probe("cachestats").value == ENOENT);
}

}  // namespace
