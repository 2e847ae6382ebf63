// Spare mappings: mappings of the kernel that the guard holds in reserve. When the
// process has reached vm.max_map_count, giving one up makes room for what must not fail:
// a fault that is fixed up, a mapping that is closed.
//
// Under the page replacement lock. Async-signal-safe, except for fill_spares().
#pragma once

#include <cerrno>

#include "sys/result.h"

namespace memmap::core {

// Makes as many as can be had. Costs nothing while none has been given up.
void fill_spares();
// Gives some up. False if there are none left.
bool give_up_spares();

// Tries a call again after each spare given up, as long as the limit may be what it
// meets.
template <typename Call>
auto with_spares(Call call) {
  for (;;) {
    auto result = call();
    int error = 0;
    if constexpr (requires { result.value; }) {
      error = result.value;
    } else if (!result) {
      error = result.error().value;
    }
    if (error != ENOMEM || !give_up_spares()) return result;
  }
}

}  // namespace memmap::core
