#include <cstdint>

#include "core/page.h"
#include "napi/convert.h"

namespace memmap::napi {
Target target(const Napi::CallbackInfo& info) {
  const Napi::Value where = info[0];
  const size_t offset = size(info[1]);
  const size_t length = size(info[2]);
  if (where.IsNumber()) {
    core::Mapping* mapping =
        Environment::of(info.Env()).find(where.As<Napi::Number>().DoubleValue());
    if (mapping == nullptr) return {};
    char* address = mapping->at(offset, length);
    if (address == nullptr) return {};
    return {mapping->range(), address, length};
  }
  const bool held = where.IsTypedArray();
  // A number until it is known to be memory: a pointer may not even be computed before.
  uintptr_t address = 0;
  if (held) {
    const auto view = elements<uint8_t>(where);
    if (!core::within(offset, length, view.size())) return {};
    address = reinterpret_cast<uintptr_t>(view.data());
  } else {
    address = reinterpret_cast<uintptr_t>(pointer(where));
  }
  if (offset > UINTPTR_MAX - address) return {};
  address += offset;
  // A length inside the last page is as good as the whole page: ranges end on one.
  auto range = core::AddressRange::find(address, length, held);
  return {std::move(range), reinterpret_cast<char*>(address), length};
}

}  // namespace memmap::napi
