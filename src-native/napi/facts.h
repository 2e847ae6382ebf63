// What calls report besides their result: numbers in an array of the caller's, and which
// system call failed. JavaScript has these tables as FACTS and STEPS (constants.cc):
// nothing is counted off there.
#pragma once

#include <array>
#include <cstddef>

#include "core/mapping/file.h"
#include "core/mapping/shared_memory.h"
#include "core/residency/touch.h"

namespace memmap::napi {

template <size_t N>
using Names = std::array<const char*, N>;

// Where each number stands, and its name.
struct FileFact {
  enum : size_t {
    kStep,
    kSize,
    kLength,
    kFilesystem,
    kMode,
    kDevice,
    kInode,
    kChangedSeconds,
    kChangedNanoseconds,
    kAll
  };
  static constexpr Names<kAll> kNames = {
      "step",   "size",  "length",         "filesystem",        "mode",
      "device", "inode", "changedSeconds", "changedNanoseconds"};
};
struct SharedMemoryFact {
  enum : size_t { kMemory, kSecret, kWritable, kLength, kPageSize, kSeals, kAll };
  static constexpr Names<kAll> kNames = {"memory", "secret",   "writable",
                                         "length", "pageSize", "seals"};
};
struct BehindFact {
  enum : size_t { kStart, kEnd, kInode, kShared, kWritable, kAll };
  static constexpr Names<kAll> kNames = {"start", "end", "inode", "shared", "writable"};
};
struct MapFact {
  enum : size_t {
    kStart,
    kEnd,
    kPermissions,  // PROT_*, and 8: shared
    kOffset,
    kMajor,
    kMinor,
    kInode,
    kAll
  };
  static constexpr Names<kAll> kNames = {"start", "end",   "permissions", "offset",
                                         "major", "minor", "inode"};
};
struct PeerFact {
  enum : size_t { kPid, kUid, kGid, kAll };
  static constexpr Names<kAll> kNames = {"pid", "uid", "gid"};
};
// Descriptors received, and whether some were lost for want of room.
struct ReceivedFact {
  enum : size_t { kFds, kLost, kAll };
  static constexpr Names<kAll> kNames = {"fds", "lost"};
};
// Pages.
struct MigrationFact {
  enum : size_t { kMoved, kAbsent, kFailed, kAll };
  static constexpr Names<kAll> kNames = {"moved", "absent", "failed"};
};
struct CachestatFact {
  enum : size_t { kCached, kDirty, kWriteback, kEvicted, kRecentlyEvicted, kAll };
  static constexpr Names<kAll> kNames = {"cached", "dirty", "writeback", "evicted",
                                         "recentlyEvicted"};
};
// Of each file. Some file systems use all 64 bits of an inode: two halves.
struct TouchedFact {
  enum : size_t {
    kErrno,
    kStep,
    kSize,
    kPresent,
    kRead,
    kDevice,
    kInodeHigh,
    kInodeLow,
    kHoles,
    kNextData,
    kModifiedSeconds,
    kModifiedNanoseconds,
    kAll
  };
  static constexpr Names<kAll> kNames = {"errno",
                                         "step",
                                         "size",
                                         "present",
                                         "read",
                                         "device",
                                         "inodeHigh",
                                         "inodeLow",
                                         "holes",
                                         "nextData",
                                         "modifiedSeconds",
                                         "modifiedNanoseconds"};
};
// Before the runs of a residency, and of each run.
struct ResidencyFact {
  enum : size_t { kKnown, kFaked, kAll };
  static constexpr Names<kAll> kNames = {"known", "faked"};
};
struct RunFact {
  enum : size_t { kLength, kState, kNode, kAll };
  static constexpr Names<kAll> kNames = {"length", "state", "node"};
};
// Of each file of a survey, before the RunFact of each of its runs.
struct SurveyedFact {
  enum : size_t {
    kErrno,
    kSize,
    kModifiedSeconds,
    kModifiedNanoseconds,
    kDevice,
    kInodeHigh,
    kInodeLow,
    kKnown,
    kFaked,
    kRuns,
    kAll
  };
  static constexpr Names<kAll> kNames = {
      "errno",  "size",      "modifiedSeconds", "modifiedNanoseconds",
      "device", "inodeHigh", "inodeLow",        "known",
      "faked",  "runs"};
};
struct CensusFact {
  enum : size_t { kLive, kRetired, kRetiredBytes, kAll };
  static constexpr Names<kAll> kNames = {"live", "retired", "retiredBytes"};
};

// The system call of each step; empty where it is no call, or one that the request
// chooses.
template <typename Step>
constexpr size_t steps(Step last) {
  return static_cast<size_t>(last) + 1;
}
inline constexpr Names<steps(core::FileFacts::Step::kMap)> kFileSteps = {
    "open", "fstat", "", "fcntl", "fallocate", "mmap"};
inline constexpr Names<steps(core::FileFacts::Step::kMap)> kMemfdSteps = {
    "memfd_create", "fstatfs", "", "", "fallocate", "mmap"};
inline constexpr Names<steps(core::SharedMemoryStep::kName)> kSharedMemorySteps = {
    "", "fchmod", "fstat", "fallocate", "linkat"};
inline constexpr Names<steps(core::Touched::Step::kRead)> kTouchSteps = {"stat", "open",
                                                                         "read"};

}  // namespace memmap::napi
