#include "core/guard/fault_cause.h"

#include <signal.h>

#include <cstring>

#include "core/page.h"

namespace memmap::core {
namespace {

bool forbids(const Vma& vma, sys::Access access) {
  return access == sys::Access::kWrite ? !vma.writable : !vma.readable;
}

Cause cause_of_bus_error(const FaultContext& scene, Standing stands) {
  const Fault& fault = scene.fault;
  if (fault.code == BUS_MCEERR_AR) return Cause::kBroken;
  if (fault.code != BUS_ADRERR) return Cause::kNotOurs;
  // What stands there now raises no SIGBUS.
  if (stands == Standing::kClosed || scene.vma.inode == 0 ||
      forbids(scene.vma, fault.access)) {
    return Cause::kNoLonger;
  }
  const bool pool = scene.extent->backing.kind == Backing::Kind::kKernel &&
                    std::strncmp(scene.vma.path, "/anon_hugepage", 14) == 0;
  return pool ? Cause::kPoolEmpty : Cause::kPastEnd;
}

Cause cause_of_violation(const FaultContext& scene, Standing stands) {
  const Fault& fault = scene.fault;
  if (fault.fetch) return Cause::kNotOurs;
  if (fault.code == SEGV_MAPERR) {
    // A page that may be used and cannot be had; or that has come since.
    if (stands == Standing::kClosed || forbids(scene.vma, fault.access)) {
      return Cause::kNotOurs;
    }
    const bool there = sys::readable(reinterpret_cast<void*>(scene.page));
    return there ? Cause::kNoLonger : Cause::kGuardPage;
  }
  // Pages that may only be run have a protection key of their own on some processors.
  if (fault.code != SEGV_ACCERR && fault.code != SEGV_PKUERR) return Cause::kNotOurs;
  if (stands == Standing::kClosed) return Cause::kClosed;
  if (scene.extent->closed && forbids(scene.vma, fault.access)) return Cause::kClosed;
  if (!scene.vma.readable && !scene.vma.writable) return Cause::kNoAccess;
  if (!scene.vma.writable && fault.access != sys::Access::kRead) return Cause::kReadOnly;
  return Cause::kNoLonger;
}

}  // namespace

Cause look_at(FaultContext& scene, VmaText& text) {
  const Fault& fault = scene.fault;
  scene.extent = find_extent(fault.address);
  if (scene.extent == nullptr || !find_vma(fault.address, scene.vma, text)) {
    return Cause::kNotOurs;
  }
  const Standing stands = standing(*scene.extent, scene.vma);
  if (stands == Standing::kForeign) return Cause::kNotOurs;
  scene.unit = std::max({scene.extent->unit, scene.vma.page_size, page_size()});
  scene.page = std::max(round_down(fault.address, scene.unit), scene.extent->start);
  return fault.signal == SIGBUS ? cause_of_bus_error(scene, stands)
                                : cause_of_violation(scene, stands);
}

}  // namespace memmap::core
