// A part of a file mapped twice in a row, so that what passes the end of the first image
// goes on at its beginning: a ring buffer whose records never wrap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/mapping/mapping.h"
#include "sys/result.h"

namespace memmap::core {

// Maps [offset, offset + length) of `fd` twice, shared, for reading and writing; offset
// and length are whole pages. `over`: a buffer of the runtime of 2 * length bytes, whose
// pages are replaced; null: addresses of our own. EINVAL for parts of pages.
sys::Result<Mapping> map_mirrored(int fd, int64_t offset, size_t length, void* over);

}  // namespace memmap::core
