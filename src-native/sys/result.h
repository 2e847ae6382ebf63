// Errors are values below the Node-API layer: nothing in sys/ or core/ throws.
#pragma once

#include <cerrno>
#include <utility>
#include <variant>

namespace memmap::sys {

// A Linux error number; 0 is success. JavaScript sees it negated, as the kernel ABI
// does.
struct [[nodiscard]] Errno {
  int value = 0;

  static Errno last() { return {errno}; }
  bool failed() const { return value != 0; }
};

// Either a T or the Errno that prevented it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Errno error) : state_(std::in_place_index<1>, error) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return *std::get_if<0>(&state_); }
  T* operator->() { return std::get_if<0>(&state_); }
  Errno error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Errno> state_;
};

// The result of a call that returns -1 and sets errno. Reads errno at once, before any
// clean-up can change it.
inline Errno errno_of(long result) { return result == -1 ? Errno::last() : Errno{}; }

}  // namespace memmap::sys
