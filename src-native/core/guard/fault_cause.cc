#include "core/guard/fault_cause.h"

#include <signal.h>

#include <cstring>

#include "core/page.h"

namespace memmap::core {
namespace {

// Whether the access cannot have got past the protection. Pages that may only be written
// or run can be read on most processors; the others raise SIGSEGV for it.
bool forbids(const Vma& vma, sys::Access access) {
  if (access == sys::Access::kWrite) return !vma.writable;
  return !vma.readable && !vma.writable && !vma.executable;
}

Cause cause_of_bus_error(const FaultContext& context, Standing stands) {
  const Fault& fault = context.fault;
  if (fault.code == BUS_MCEERR_AR) return Cause::kBroken;
  if (fault.code != BUS_ADRERR) return Cause::kNotOurs;
  // What stands there now raises no SIGBUS.
  if (stands == Standing::kClosed || context.vma.inode == 0 ||
      forbids(context.vma, fault.access)) {
    return Cause::kNoLonger;
  }
  const bool pool = context.extent->backing.kind == Backing::Kind::kKernel &&
                    std::strncmp(context.vma.path, "/anon_hugepage", 14) == 0;
  return pool ? Cause::kPoolEmpty : Cause::kPastEnd;
}

Cause cause_of_violation(const FaultContext& context, Standing stands) {
  const Fault& fault = context.fault;
  if (fault.fetch) return Cause::kNotOurs;
  if (fault.code == SEGV_MAPERR) {
    // A page that may be used and cannot be had; or that has come since.
    if (stands == Standing::kClosed || forbids(context.vma, fault.access)) {
      return Cause::kNotOurs;
    }
    const bool there = sys::readable(reinterpret_cast<void*>(context.page));
    return there ? Cause::kNoLonger : Cause::kGuardPage;
  }
  // Pages that may only be run have a protection key of their own on some processors.
  if (fault.code != SEGV_ACCERR && fault.code != SEGV_PKUERR) return Cause::kNotOurs;
  if (stands == Standing::kClosed) return Cause::kClosed;
  if (context.extent->closed && forbids(context.vma, fault.access)) return Cause::kClosed;
  if (!context.vma.readable && !context.vma.writable) return Cause::kNoAccess;
  if (!context.vma.writable && fault.access != sys::Access::kRead)
    return Cause::kReadOnly;
  return Cause::kNoLonger;
}

}  // namespace

Cause look_at(FaultContext& context, VmaText& text) {
  const Fault& fault = context.fault;
  context.extent = find_extent(fault.address);
  if (context.extent == nullptr || !find_vma(fault.address, context.vma, text)) {
    return Cause::kNotOurs;
  }
  const Standing stands = standing(*context.extent, context.vma);
  if (stands == Standing::kForeign) return Cause::kNotOurs;
  context.unit =
      std::max({context.extent->backing.unit, context.vma.page_size, page_size()});
  context.page = std::max(round_down(fault.address, context.unit), context.extent->start);
  return fault.signal == SIGBUS ? cause_of_bus_error(context, stands)
                                : cause_of_violation(context, stands);
}

}  // namespace memmap::core
