// System calls on where memory lies, and what core/placement makes of them. Nodes come
// and go as Int32Arrays of their numbers; null is no mask.
#include "sys/numa.h"

#include <array>
#include <climits>
#include <vector>

#include "core/residency/placement.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "sys/abi.h"

namespace memmap::napi {
namespace {

constexpr size_t kBitsInWord = sizeof(unsigned long) * CHAR_BIT;

class NodeMask {
 public:
  NodeMask() = default;
  explicit NodeMask(const Napi::Value& numbers) : given_(numbers.IsTypedArray()) {
    if (!given_) return;
    for (const int32_t number : elements<int32_t>(numbers)) {
      const auto node = static_cast<size_t>(number);
      if (node < sys::kMaxNodes) words_[node / kBitsInWord] |= 1UL << node % kBitsInWord;
    }
  }

  // For the kernel: no mask is a null pointer.
  unsigned long* words() { return given_ ? words_.data() : nullptr; }
  unsigned long max_node() const { return given_ ? sys::kMaxNodes + 1 : 0; }

  bool has(size_t node) const {
    return (words_[node / kBitsInWord] >> node % kBitsInWord & 1) == 1;
  }

 private:
  bool given_ = true;
  std::array<unsigned long, sys::kMaxNodes / kBitsInWord> words_ = {};
};

// mbind(target, offset, length, mode, nodes, flags) -> 0 | -errno
Napi::Value mbind(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  NodeMask nodes(info[4]);
  return to_js(info.Env(),
               sys::mbind(at.address, at.length, int32(info[3]), nodes.words(),
                          nodes.max_node(), static_cast<unsigned>(int32(info[5]))));
}

// setMempolicyHomeNode(target, offset, length, node, flags) -> 0 | -errno
Napi::Value set_mempolicy_home_node(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  return to_js(info.Env(),
               sys::set_mempolicy_home_node(at.address, at.length, size(info[3]),
                                            static_cast<unsigned long>(size(info[4]))));
}

// getMempolicy(address, flags) -> Int32Array [mode, ...nodes] | -errno
Napi::Value get_mempolicy(const Napi::CallbackInfo& info) {
  int mode = 0;
  NodeMask nodes;
  sys::Errno error = sys::get_mempolicy(&mode, nodes.words(), nodes.max_node(),
                                        pointer(info[0]), size(info[1]));
  if (error.failed()) return to_js(info.Env(), error);
  std::vector<int32_t> found = {mode};
  for (size_t node = 0; node < sys::kMaxNodes; node++) {
    if (nodes.has(node)) found.push_back(static_cast<int32_t>(node));
  }
  return new_array(info.Env(), found);
}

// setMempolicy(mode, nodes) -> 0 | -errno
Napi::Value set_mempolicy(const Napi::CallbackInfo& info) {
  NodeMask nodes(info[1]);
  return to_js(info.Env(),
               sys::set_mempolicy(int32(info[0]), nodes.words(), nodes.max_node()));
}

// movePages(pid, addresses: BigUint64Array, nodes: as many, or null, status: as many,
// flags) -> number of pages not moved | -errno
Napi::Value move_pages(const Napi::CallbackInfo& info) {
  const auto numbers = elements<uint64_t>(info[1]);
  const auto nodes = elements<int32_t>(info[2]);
  const auto status = elements<int32_t>(info[3]);
  const size_t count = numbers.size();
  const bool given = info[2].IsTypedArray();
  if (status.size() < count || (given && nodes.size() < count)) {
    return number(info.Env(), -EINVAL);
  }
  std::vector<void*> addresses(count);
  for (size_t i = 0; i < count; i++) {
    addresses[i] = reinterpret_cast<void*>(static_cast<uintptr_t>(numbers[i]));
  }
  auto left =
      sys::move_pages(int32(info[0]), count, addresses.data(),
                      given ? nodes.data() : nullptr, status.data(), int32(info[4]));
  if (!left) return to_js(info.Env(), left.error());
  return number(info.Env(), static_cast<double>(*left));
}

// migratePages(pid, from, to) -> number of pages not moved | -errno
Napi::Value migrate_pages(const Napi::CallbackInfo& info) {
  NodeMask from(info[1]);
  NodeMask to(info[2]);
  auto left =
      sys::migrate_pages(int32(info[0]), from.max_node(), from.words(), to.words());
  if (!left) return to_js(info.Env(), left.error());
  return number(info.Env(), static_cast<double>(*left));
}

// nodesOf(target, offset, length, unit, nodes: Int32Array) -> 0 | -errno
Napi::Value nodes_of(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const core::PageRange pages = {at.address, at.length, size(info[3])};
  const auto nodes = elements<int32_t>(info[4]);
  if (pages.unit == 0 || pages.count() > nodes.size()) {
    return number(info.Env(), -EINVAL);
  }
  return to_js(info.Env(), core::nodes_of(pages, nodes.data()));
}

// migrate(target, offset, length, unit, node, counts: Float64Array) -> 0 | -errno
// Fills `counts`: pages moved, absent, failed.
Napi::Value migrate(const Napi::CallbackInfo& info) {
  Target at = target(info);
  if (at.range == nullptr) return number(info.Env(), -kNotOurs);
  const core::PageRange pages = {at.address, at.length, size(info[3])};
  const auto counts = elements<double>(info[5]);
  if (pages.unit == 0 || counts.size() < MigrationFact::kAll)
    return number(info.Env(), -EINVAL);
  auto migration = core::migrate(pages, int32(info[4]));
  if (!migration) return to_js(info.Env(), migration.error());
  counts[MigrationFact::kMoved] = static_cast<double>(migration->moved);
  counts[MigrationFact::kAbsent] = static_cast<double>(migration->absent);
  counts[MigrationFact::kFailed] = static_cast<double>(migration->failed);
  return number(info.Env(), 0);
}

}  // namespace

void export_numa(Napi::Env env, Napi::Object exports) {
  add<mbind>(env, exports, "mbind");
  add<set_mempolicy_home_node>(env, exports, "setMempolicyHomeNode");
  add<get_mempolicy>(env, exports, "getMempolicy");
  add<set_mempolicy>(env, exports, "setMempolicy");
  add<move_pages>(env, exports, "movePages");
  add<migrate_pages>(env, exports, "migratePages");
  add<nodes_of>(env, exports, "nodesOf");
  add<migrate>(env, exports, "migrate");
}

}  // namespace memmap::napi
