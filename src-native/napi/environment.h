// What one JavaScript thread holds: its open mappings, by number, and its descriptors.
//
// Threads: only the thread of its environment.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "core/mapping/mapping.h"
#include "sys/fd.h"

namespace memmap::napi {

// Numbers count up and are never used again, so that a stale one finds nothing: 2^53 - 1
// of them last for centuries.
class Environment {
 public:
  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // The number of the mapping: positive, a safe integer.
  double add(core::Mapping mapping);
  // Null for any other number. Valid until the mapping is removed.
  core::Mapping* find(double handle);
  // Forgets the mapping without vacating its pages: they live as long as buffers over
  // them do, or go now.
  void remove(double handle);

  // Counts of faults that JavaScript holds, by number: positive, never reused. They
  // outlive the mapping.
  double hold_counts(std::shared_ptr<core::FaultCounts> counts);
  core::FaultCounts* counts(double number);
  void drop_counts(double number);

  // Who hears of this thread's waits, or null; napi/sync.cc owns it.
  struct Listener*& listener() {
    return listener_;
  }

  // Descriptors that close when the thread ends, unless JavaScript closes or takes them.
  int hold_fd(sys::UniqueFd fd);
  void close_fd(int fd);
  void give_fd(int fd);  // it is JavaScript's from here on

 private:
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, core::Mapping> mappings_;
  std::unordered_map<uint64_t, std::shared_ptr<core::FaultCounts>> counts_;
  std::unordered_map<int, sys::UniqueFd> descriptors_;
  struct Listener* listener_ = nullptr;
};

}  // namespace memmap::napi
