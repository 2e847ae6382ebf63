// What this kernel, and the sandbox around the process, really let it do.
#pragma once

#include <string_view>

#include "sys/result.h"

namespace memmap::core {

// 0 if the feature of that name (lib/internal/features.ts) is there, else why not: asked
// of the kernel, with arguments that change nothing. ENOENT: no feature has the name. A
// limit of the process, or a missing privilege, is no missing feature.
sys::Errno probe(std::string_view feature);

}  // namespace memmap::core
