// The kernel's numbers, from its headers (sys/abi.h), and our own tables that both sides
// use: nobody types one in TypeScript.
#include <fcntl.h>

#include <initializer_list>
#include <utility>

#include "core/extent/closed_pages.h"
#include "core/extent/fault_counts.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "core/replacement/headroom.h"
#include "core/residency/residency.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "sys/abi.h"
#include "sys/numa.h"

namespace memmap::napi {
namespace {

using Constant = std::pair<const char*, int64_t>;

Napi::Object table(Napi::Env env, std::initializer_list<Constant> constants) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, value] : constants) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  }
  object.Freeze();
  return object;
}

// Each name with its place.
template <size_t N>
Napi::Object places(Napi::Env env, const Names<N>& names) {
  Napi::Object object = Napi::Object::New(env);
  for (size_t i = 0; i < N; ++i) {
    object.Set(names[i], Napi::Number::New(env, static_cast<double>(i)));
  }
  object.Freeze();
  return object;
}

void export_tables(Napi::Env env, Napi::Object exports) {
  Napi::Object facts = Napi::Object::New(env);
  facts.Set("file", places(env, FileFact::kNames));
  facts.Set("sharedMemory", places(env, SharedMemoryFact::kNames));
  facts.Set("behind", places(env, BehindFact::kNames));
  facts.Set("map", places(env, MapFact::kNames));
  facts.Set("peer", places(env, PeerFact::kNames));
  facts.Set("received", places(env, ReceivedFact::kNames));
  facts.Set("migration", places(env, MigrationFact::kNames));
  facts.Set("cachestat", places(env, CachestatFact::kNames));
  facts.Set("touched", places(env, TouchedFact::kNames));
  facts.Set("surveyed", places(env, SurveyedFact::kNames));
  facts.Set("residency", places(env, ResidencyFact::kNames));
  facts.Set("run", places(env, RunFact::kNames));
  facts.Set("census", places(env, CensusFact::kNames));
  facts.Freeze();
  exports.Set("FACTS", facts);

  Napi::Object steps = Napi::Object::New(env);
  steps.Set("mapFile", new_list(env, kFileSteps));
  steps.Set("mapMemfd", new_list(env, kMemfdSteps));
  steps.Set("createSharedMemory", new_list(env, kSharedMemorySteps));
  steps.Set("touch", new_list(env, kTouchSteps));
  steps.Freeze();
  exports.Set("STEPS", steps);
  exports.Set("STEP_RANGE",
              Napi::Number::New(env, static_cast<int>(core::FileFacts::Step::kRange)));

  exports.Set("FAULT_KINDS", new_list(env, core::kFaultKindNames));
  exports.Set("PAGE_STATE", table(env, {{"resident", core::kResident},
                                        {"mapped", core::kMapped},
                                        {"swapped", core::kSwapped},
                                        {"huge", core::kHuge},
                                        {"dirty", core::kDirty},
                                        {"writeback", core::kWriteback},
                                        {"evicted", core::kEvicted},
                                        {"recentlyEvicted", core::kRecentlyEvicted},
                                        {"private", core::kPrivate}}));
  exports.Set("FAILURE", table(env, {{"NOT_OURS", kNotOurs},
                                     {"NO_CLOSED_PAGES", core::kNoClosedPages},
                                     {"NO_PROC", core::kNoProc}}));
  exports.Set("LIMIT", table(env, {{"NODES", sys::kMaxNodes},
                                   {"SHARE_OF_RUNTIME", core::kShareOfRuntime}}));
  exports.Set("closedPagesName", Napi::String::New(env, core::kClosedPagesName));
}

}  // namespace

void export_constants(Napi::Env env, Napi::Object exports) {
  export_tables(env, exports);
  exports.Set("pageSize", Napi::Number::New(env, static_cast<double>(core::page_size())));
  exports.Set("PROT", table(env, {{"NONE", PROT_NONE},
                                  {"READ", PROT_READ},
                                  {"WRITE", PROT_WRITE},
                                  {"EXEC", PROT_EXEC},
                                  {"GROWSDOWN", PROT_GROWSDOWN},
                                  {"GROWSUP", PROT_GROWSUP}}));
  exports.Set("MAP", table(env, {{"SHARED", MAP_SHARED},
                                 {"PRIVATE", MAP_PRIVATE},
                                 {"SHARED_VALIDATE", MAP_SHARED_VALIDATE},
                                 {"DROPPABLE", MAP_DROPPABLE},
                                 {"FIXED", MAP_FIXED},
                                 {"ANONYMOUS", MAP_ANONYMOUS},
                                 {"GROWSDOWN", MAP_GROWSDOWN},
                                 {"LOCKED", MAP_LOCKED},
                                 {"NORESERVE", MAP_NORESERVE},
                                 {"POPULATE", MAP_POPULATE},
                                 {"NONBLOCK", MAP_NONBLOCK},
                                 {"STACK", MAP_STACK},
                                 {"HUGETLB", MAP_HUGETLB},
                                 {"SYNC", MAP_SYNC},
                                 {"FIXED_NOREPLACE", MAP_FIXED_NOREPLACE},
                                 {"HUGE_SHIFT", MAP_HUGE_SHIFT},
                                 {"HUGE_MASK", MAP_HUGE_MASK},
                                 {"HUGE_2MB", MAP_HUGE_2MB},
                                 {"HUGE_1GB", MAP_HUGE_1GB}}));
  exports.Set("MS", table(env, {{"ASYNC", MS_ASYNC},
                                {"INVALIDATE", MS_INVALIDATE},
                                {"SYNC", MS_SYNC}}));
  exports.Set("MADV", table(env, {{"NORMAL", MADV_NORMAL},
                                  {"RANDOM", MADV_RANDOM},
                                  {"SEQUENTIAL", MADV_SEQUENTIAL},
                                  {"WILLNEED", MADV_WILLNEED},
                                  {"DONTNEED", MADV_DONTNEED},
                                  {"FREE", MADV_FREE},
                                  {"REMOVE", MADV_REMOVE},
                                  {"DONTFORK", MADV_DONTFORK},
                                  {"DOFORK", MADV_DOFORK},
                                  {"MERGEABLE", MADV_MERGEABLE},
                                  {"UNMERGEABLE", MADV_UNMERGEABLE},
                                  {"HUGEPAGE", MADV_HUGEPAGE},
                                  {"NOHUGEPAGE", MADV_NOHUGEPAGE},
                                  {"DONTDUMP", MADV_DONTDUMP},
                                  {"DODUMP", MADV_DODUMP},
                                  {"WIPEONFORK", MADV_WIPEONFORK},
                                  {"KEEPONFORK", MADV_KEEPONFORK},
                                  {"COLD", MADV_COLD},
                                  {"PAGEOUT", MADV_PAGEOUT},
                                  {"POPULATE_READ", MADV_POPULATE_READ},
                                  {"POPULATE_WRITE", MADV_POPULATE_WRITE},
                                  {"DONTNEED_LOCKED", MADV_DONTNEED_LOCKED},
                                  {"COLLAPSE", MADV_COLLAPSE},
                                  {"HWPOISON", MADV_HWPOISON},
                                  {"SOFT_OFFLINE", MADV_SOFT_OFFLINE},
                                  {"GUARD_INSTALL", MADV_GUARD_INSTALL},
                                  {"GUARD_REMOVE", MADV_GUARD_REMOVE}}));
  exports.Set("MREMAP", table(env, {{"MAYMOVE", MREMAP_MAYMOVE},
                                    {"FIXED", MREMAP_FIXED},
                                    {"DONTUNMAP", MREMAP_DONTUNMAP}}));
  exports.Set("MLOCK", table(env, {{"ONFAULT", MLOCK_ONFAULT}}));
  exports.Set("MCL", table(env, {{"CURRENT", MCL_CURRENT},
                                 {"FUTURE", MCL_FUTURE},
                                 {"ONFAULT", MCL_ONFAULT}}));
  exports.Set("MPOL", table(env, {{"DEFAULT", MPOL_DEFAULT},
                                  {"PREFERRED", MPOL_PREFERRED},
                                  {"BIND", MPOL_BIND},
                                  {"INTERLEAVE", MPOL_INTERLEAVE},
                                  {"LOCAL", MPOL_LOCAL},
                                  {"PREFERRED_MANY", sys::kMpolPreferredMany},
                                  {"WEIGHTED_INTERLEAVE", sys::kMpolWeightedInterleave},
                                  {"F_STATIC_NODES", MPOL_F_STATIC_NODES},
                                  {"F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
                                  {"F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
                                  {"F_NODE", MPOL_F_NODE},
                                  {"F_ADDR", MPOL_F_ADDR},
                                  {"F_MEMS_ALLOWED", MPOL_F_MEMS_ALLOWED},
                                  {"MF_STRICT", MPOL_MF_STRICT},
                                  {"MF_MOVE", MPOL_MF_MOVE},
                                  {"MF_MOVE_ALL", MPOL_MF_MOVE_ALL}}));
  exports.Set("MFD", table(env, {{"CLOEXEC", MFD_CLOEXEC},
                                 {"ALLOW_SEALING", MFD_ALLOW_SEALING},
                                 {"HUGETLB", MFD_HUGETLB},
                                 {"NOEXEC_SEAL", MFD_NOEXEC_SEAL},
                                 {"EXEC", MFD_EXEC},
                                 {"HUGE_2MB", MFD_HUGE_2MB},
                                 {"HUGE_1GB", MFD_HUGE_1GB}}));
  exports.Set("FALLOC", table(env, {{"KEEP_SIZE", FALLOC_FL_KEEP_SIZE},
                                    {"PUNCH_HOLE", FALLOC_FL_PUNCH_HOLE},
                                    {"COLLAPSE_RANGE", FALLOC_FL_COLLAPSE_RANGE},
                                    {"ZERO_RANGE", FALLOC_FL_ZERO_RANGE},
                                    {"INSERT_RANGE", FALLOC_FL_INSERT_RANGE},
                                    {"UNSHARE_RANGE", FALLOC_FL_UNSHARE_RANGE}}));
  exports.Set("FADV", table(env, {{"NORMAL", POSIX_FADV_NORMAL},
                                  {"RANDOM", POSIX_FADV_RANDOM},
                                  {"SEQUENTIAL", POSIX_FADV_SEQUENTIAL},
                                  {"WILLNEED", POSIX_FADV_WILLNEED},
                                  {"DONTNEED", POSIX_FADV_DONTNEED},
                                  {"NOREUSE", POSIX_FADV_NOREUSE}}));
  exports.Set("O", table(env, {{"RDONLY", O_RDONLY},
                               {"RDWR", O_RDWR},
                               {"CREAT", O_CREAT},
                               {"EXCL", O_EXCL},
                               {"CLOEXEC", O_CLOEXEC}}));
  exports.Set("E", table(env, {{"TOOMANYREFS", ETOOMANYREFS}}));
  exports.Set("F_SEAL", table(env, {{"SEAL", F_SEAL_SEAL},
                                    {"SHRINK", F_SEAL_SHRINK},
                                    {"GROW", F_SEAL_GROW},
                                    {"WRITE", F_SEAL_WRITE},
                                    {"FUTURE_WRITE", F_SEAL_FUTURE_WRITE},
                                    {"EXEC", F_SEAL_EXEC}}));
  exports.Set("FILESYSTEM", table(env, {{"ext4", EXT4_SUPER_MAGIC},
                                        {"xfs", XFS_SUPER_MAGIC},
                                        {"btrfs", BTRFS_SUPER_MAGIC},
                                        {"f2fs", F2FS_SUPER_MAGIC},
                                        {"tmpfs", TMPFS_MAGIC},
                                        {"ramfs", RAMFS_MAGIC},
                                        {"overlay", OVERLAYFS_SUPER_MAGIC},
                                        {"hugetlbfs", HUGETLBFS_MAGIC},
                                        {"squashfs", SQUASHFS_MAGIC},
                                        {"nfs", NFS_SUPER_MAGIC},
                                        {"cifs", CIFS_SUPER_MAGIC},
                                        {"smb2", SMB2_SUPER_MAGIC},
                                        {"smb", SMB_SUPER_MAGIC},
                                        {"fuse", FUSE_SUPER_MAGIC},
                                        {"ceph", CEPH_SUPER_MAGIC},
                                        {"9p", V9FS_MAGIC},
                                        {"proc", PROC_SUPER_MAGIC},
                                        {"sysfs", SYSFS_MAGIC}}));
}

}  // namespace memmap::napi
