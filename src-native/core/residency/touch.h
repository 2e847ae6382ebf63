// Files into the page cache, many in a call. Nothing is mapped: a file that shrinks
// meanwhile is a short read. Nothing but regular files is opened: to open a device or a
// fifo can do something. Safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sys/result.h"

namespace memmap::core {

// Bytes of a file, not negative; what lies past its end is left out.
struct FilePart {
  int64_t offset;
  int64_t length;
};

// What became of a file.
struct Touched {
  // What failed, if `error` says so.
  enum class Step : int { kStat, kOpen, kRead };
  Step step = Step::kStat;
  sys::Errno error;
  int64_t size = 0;      // bytes in the file
  int64_t present = -1;  // of the part, bytes that were in memory; -1: not known
  int64_t read = 0;      // bytes read because they were, or may have been, missing
  int64_t holes = 0;     // of the part, bytes in holes, which were left alone
  // Where the data after the part begins, or the file ends, if the part ends in a hole.
  int64_t next_data = 0;
  int64_t modified_seconds = 0;
  uint32_t modified_nanoseconds = 0;
  // Which file it is, of one that has several names; of others 0.
  uint64_t device = 0;
  uint64_t inode = 0;
};

// Reads what is missing of `part` of each file, and waits for it. `paths`: each with a
// NUL behind it. Once `budget` bytes or more were missing no further file is begun, so
// the result may be shorter than the list; it has one file at least. `holes`: whether to
// read holes, too, which makes pages of zeros.
std::vector<Touched> touch(const std::string& paths, FilePart part, int64_t budget,
                           bool holes);

// The same for parts of each file, holes too: `parts` has as many entries as there are
// paths, each ascending. Of a file of which the kernel does not tell what is present
// nothing is read: EOPNOTSUPP.
std::vector<Touched> touch_parts(const std::string& paths,
                                 const std::vector<std::vector<FilePart>>& parts,
                                 int64_t budget);

}  // namespace memmap::core
