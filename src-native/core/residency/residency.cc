#include "core/residency/residency.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "core/page.h"
#include "core/residency/page_cache.h"
#include "core/residency/page_states.h"
#include "core/residency/page_table.h"
#include "core/residency/placement.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;

using Vector = std::array<unsigned char, PageStates::kMost>;

// mincore(2), bit 0 of each byte.
Errno mincore(const PageStates& pages, Vector& vec) {
  return residents(pages.address, pages.length(), vec.data());
}

bool all_resident(const PageStates& pages, const unsigned char* vec) {
  return std::all_of(vec, vec + pages.count,
                     [](unsigned char page) { return (page & 1) != 0; });
}

class Survey {
 public:
  Survey(FileBehind file, bool nodes, Vector& vec)
      : file_(file), cache_(cache_of(file)), nodes_(nodes), vec_(vec) {
    if (!file.fresh) table_.emplace();
  }

  // The slice `done` bytes into the range.
  Errno look_at(PageStates& pages, size_t done) {
    std::fill_n(pages.bits.begin(), pages.count, 0U);
    std::fill_n(pages.nodes.begin(), pages.count, kUnknownNode);
    constexpr unsigned kOfTables = kMapped | kSwapped | kPrivate | kHuge;
    unsigned known = (table_.has_value() ? table_->read(pages) : kOfTables) | kResident;
    const int64_t offset = file_.offset + static_cast<int64_t>(done);
    const unsigned in_cache = cache_.read(pages, offset, false);
    known |= in_cache;
    // mincore(2) takes long to find nothing.
    const bool nothing = (in_cache & kResident) != 0 && !pages.any(kResident | kPrivate);
    if (!nothing) {
      const bool all = (in_cache & kResident) != 0 && pages.all(kResident);
      if (Errno error = find_resident(pages, offset, all); error.failed()) return error;
    }
    if (cache_.hides_swap()) known &= ~kSwapped;
    found_.known &= known;
    if (nodes_) {
      if (Errno error = find_nodes(pages); error.failed()) return error;
    }
    append(pages);
    return {};
  }

  Residency take() { return std::move(found_); }

 private:
  static constexpr int kUnknownNode = -1;

  static PageCache cache_of(const FileBehind& file) {
    return file.traits == nullptr ? PageCache(file.fd) : PageCache(file.fd, *file.traits);
  }

  // mincore(2) knows pages that are being read in for such, the page cache does not. But
  // where it does not look the page cache is right, if that can be asked. `cached`: that
  // says that all are.
  Errno find_resident(PageStates& pages, int64_t offset, bool cached) {
    const unsigned char* vec = file_.seen;
    if (vec != nullptr) {
      vec += static_cast<size_t>(offset - file_.offset) / page_size();
    } else {
      if (Errno error = mincore(pages, vec_); error.failed()) return error;
      vec = vec_.data();
    }
    const bool all = all_resident(pages, vec);
    // Both say the same: which is right does not matter.
    if (all && cached) return {};
    // A page that is not there is the truth; only where all are need the kernel be
    // tested.
    if (!fakes_.has_value() && !all) fakes_ = false;
    if (!fakes_.has_value() && file_.fd >= 0) fakes_ = fakes_residency(file_.fd);
    const bool fakes = fakes_.value_or(false);
    const bool told = fakes && (cache_.read(pages, offset, true) & kResident) != 0;
    if (fakes && !told) found_.faked = true;
    // A page may have been written since mincore(2) was asked.
    const unsigned sure = kMapped | (file_.seen != nullptr ? kDirty | kWriteback : 0);
    for (size_t page = 0; page < pages.count; ++page) {
      unsigned& bits = pages.bits[page];
      const bool resident = told ? (bits & kResident) != 0 : (vec[page] & 1) != 0;
      bits &= ~kResident;
      if (resident || (bits & sure) != 0) bits |= kResident;
    }
    return {};
  }

  static Errno find_nodes(PageStates& pages) {
    int* const nodes = pages.nodes.data();
    Errno error = nodes_of({pages.address, pages.length(), page_size()}, nodes);
    for (size_t page = 0; page < pages.count; ++page) {
      nodes[page] = std::max(nodes[page], kUnknownNode);  // or why it is on none
    }
    return error;
  }

  void append(const PageStates& pages) {
    for (size_t page = 0; page < pages.count; ++page) {
      const unsigned state = pages.bits[page] & ~kPrivate;
      const int node = pages.nodes[page];
      if (found_.runs.empty() || !found_.runs.back().like(state, node)) {
        found_.runs.push_back({0, state, node});
      }
      found_.runs.back().length += page_size();
    }
  }

  const FileBehind file_;
  std::optional<PageTable> table_;  // none: no page of the range is in it
  PageCache cache_;
  const bool nodes_;
  std::optional<bool> fakes_;
  Vector& vec_;
  Residency found_ = {.known = ~0U, .faked = false, .runs = {}};
};

}  // namespace

Errno residents(char* address, size_t length, unsigned char* vec) {
  Errno error;
  do {
    error = sys::mincore(address, length, vec);
  } while (error.value == EAGAIN);  // the kernel is short of memory for a moment
  return error;
}

struct ResidencyScratch::Parts {
  PageStates pages;
  Vector vec;
};

ResidencyScratch::ResidencyScratch() : parts_(std::make_unique_for_overwrite<Parts>()) {}
ResidencyScratch::~ResidencyScratch() = default;

sys::Result<Residency> residency(char* address, size_t length, FileBehind file,
                                 bool nodes) {
  ResidencyScratch scratch;
  return residency(address, length, file, nodes, scratch);
}

sys::Result<Residency> residency(char* address, size_t length, FileBehind file,
                                 bool nodes, ResidencyScratch& scratch) {
  constexpr size_t kSlice = PageStates::kMost;
  auto& [pages, vec] = scratch.parts();
  Survey survey(file, nodes, vec);
  const size_t total = length / page_size() + (length % page_size() != 0 ? 1 : 0);
  for (size_t done = 0; done < total; done += pages.count) {
    pages.address = address + done * page_size();
    pages.count = std::min(kSlice, total - done);
    Errno error = survey.look_at(pages, done * page_size());
    if (error.failed()) return error;
  }
  return survey.take();
}

}  // namespace memmap::core
