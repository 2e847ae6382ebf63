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
  char* address = nullptr;
  if (held) {
    size_t view_length = 0;
    void* data = nullptr;
    napi_get_typedarray_info(info.Env(), where, nullptr, &view_length, &data, nullptr,
                             nullptr);
    if (!core::within(offset, length, view_length)) return {};
    address = static_cast<char*>(data) + offset;
  } else {
    address = static_cast<char*>(pointer(where)) + offset;
  }
  // A length inside the last page is as good as the whole page: ranges end on one.
  auto range =
      core::AddressRange::find(reinterpret_cast<uintptr_t>(address), length, held);
  return {std::move(range), address, length};
}

}  // namespace memmap::napi
