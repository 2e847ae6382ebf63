// Mappings by handle: create, close, resize, and what they are.
#include "core/mapping/mapping.h"

#include <cstring>
#include <utility>
#include <vector>

#include "core/mapping/file.h"
#include "core/mapping/mirror.h"
#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/exports.h"
#include "napi/facts.h"

namespace memmap::napi {
namespace {

Napi::Value handle_or_error(Napi::Env env, sys::Result<core::Mapping> mapping) {
  if (!mapping) return to_js(env, mapping.error());
  return number(env, Environment::of(env).add(std::move(*mapping)));
}

// map(address, length, prot, flags, fd, offset) -> handle | -errno
Napi::Value map(const Napi::CallbackInfo& info) {
  core::Mapping::Request request;
  request.address = pointer(info[0]);
  request.length = size(info[1]);
  request.prot = int32(info[2]);
  request.flags = int32(info[3]);
  request.fd = int32(info[4]);
  request.offset = int64(info[5]);
  return handle_or_error(info.Env(), core::Mapping::create(request));
}

// reserve(length) -> handle | -errno: addresses to map into with MAP_FIXED
Napi::Value reserve(const Napi::CallbackInfo& info) {
  return handle_or_error(info.Env(), core::Mapping::reserve(size(info[0])));
}

// mapFile(path | its bytes | fd, openFlags, offset, length, growTo, prot, flags, address,
// keepAbove,
//         facts: FileFact) -> handle | -errno
Napi::Value map_file(const Napi::CallbackInfo& info) {
  const auto out = elements<double>(info[9]);
  if (out.size() < FileFact::kAll) return number(info.Env(), -EINVAL);
  core::FileRequest request;
  const std::string path = path_of(info[0]);
  if (info[0].IsNumber()) {
    request.fd = int32(info[0]);
  } else {
    request.path = path.c_str();
  }
  request.open_flags = int32(info[1]);
  request.offset = int64(info[2]);
  request.length = int64(info[3]);
  request.grow_to = int64(info[4]);
  request.prot = int32(info[5]);
  request.flags = int32(info[6]);
  request.address = pointer(info[7]);
  request.keep_above = int64(info[8]);

  core::FileFacts facts;
  sys::Result<core::Mapping> mapping = core::map_file(request, facts);
  out[FileFact::kStep] = static_cast<double>(facts.step);
  out[FileFact::kSize] = static_cast<double>(facts.size);
  out[FileFact::kLength] = static_cast<double>(facts.length);
  out[FileFact::kFilesystem] = static_cast<double>(facts.filesystem);
  out[FileFact::kMode] = static_cast<double>(facts.mode);
  out[FileFact::kDevice] = static_cast<double>(facts.device);
  out[FileFact::kInode] = static_cast<double>(facts.inode);
  out[FileFact::kChangedSeconds] = static_cast<double>(facts.changed_seconds);
  out[FileFact::kChangedNanoseconds] = static_cast<double>(facts.changed_nanoseconds);
  return handle_or_error(info.Env(), std::move(mapping));
}

// mapMemfd(name, memfdFlags, length, prot, flags, address, step) -> handle | -errno
Napi::Value map_memfd(const Napi::CallbackInfo& info) {
  const auto step_out = elements<double>(info[6]);
  if (step_out.empty()) return number(info.Env(), -EINVAL);
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  core::Mapping::Request pages;
  pages.length = size(info[2]);
  pages.prot = int32(info[3]);
  pages.flags = int32(info[4]);
  pages.address = pointer(info[5]);
  core::FileFacts::Step step = core::FileFacts::Step::kOpen;
  sys::Result<core::Mapping> mapping =
      core::map_memfd(name.c_str(), static_cast<unsigned>(int32(info[1])), pages, step);
  step_out[0] = static_cast<double>(step);
  return handle_or_error(info.Env(), std::move(mapping));
}

// mapMirrored(fd, offset, length, over?: Uint8Array) -> handle | -errno. Twice `length`
// bytes, onto the buffer of the view if there is one.
Napi::Value map_mirrored(const Napi::CallbackInfo& info) {
  const size_t length = size(info[2]);
  const auto over = elements<uint8_t>(info[3]);
  if (info[3].IsTypedArray() && (over.size() / 2 != length || over.size() % 2 != 0)) {
    return number(info.Env(), -EINVAL);
  }
  return handle_or_error(info.Env(), core::map_mirrored(int32(info[0]), int64(info[1]),
                                                        length, over.data()));
}

// close(handle) -> 0 | -errno. The pages are gone; the handle too, unless it failed.
Napi::Value close(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr) return number(info.Env(), 0);
  sys::Errno error = mapping->close();
  if (!error.failed()) {
    Environment::of(info.Env()).remove(info[0].As<Napi::Number>().DoubleValue());
  }
  return to_js(info.Env(), error);
}

// release(handle): drops the handle; pages a buffer still reaches stay until it dies.
void release(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).remove(info[0].As<Napi::Number>().DoubleValue());
}

// resize(handle, length) -> 0 | -errno
Napi::Value resize(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  if (mapping == nullptr) return number(info.Env(), -kNotOurs);
  return to_js(info.Env(), mapping->resize(size(info[1])));
}

// address(handle) -> bigint
Napi::Value address(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  const auto number =
      mapping != nullptr ? reinterpret_cast<uintptr_t>(mapping->address()) : 0;
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(number));
}

// mappedLength(handle) -> bytes, whole pages
Napi::Value mapped_length(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  const size_t length = mapping != nullptr ? mapping->length() : 0;
  return number(info.Env(), static_cast<double>(length));
}

// descriptor(handle) -> fd | -1
Napi::Value descriptor(const Napi::CallbackInfo& info) {
  core::Mapping* mapping = mapping_of(info);
  return number(info.Env(), mapping != nullptr ? mapping->fd() : -1);
}

// growFile(fd, oldSize, size) -> 0 | -errno
Napi::Value grow_file(const Napi::CallbackInfo& info) {
  return to_js(info.Env(),
               core::grow_file(int32(info[0]), int64(info[1]), int64(info[2])));
}

// census() -> CensusFact: ranges of the process
Napi::Value census(const Napi::CallbackInfo& info) {
  const core::AddressRange::Census counts = core::AddressRange::census();
  std::vector<double> out(CensusFact::kAll);
  out[CensusFact::kLive] = static_cast<double>(counts.live);
  out[CensusFact::kRetired] = static_cast<double>(counts.retired);
  out[CensusFact::kRetiredBytes] = static_cast<double>(counts.retired_bytes);
  return new_array(info.Env(), out);
}

// sweep(): forgets ranges that the engine has unmapped with their buffers
void sweep(const Napi::CallbackInfo&) { core::AddressRange::sweep(); }

}  // namespace

void export_mapping(Napi::Env env, Napi::Object exports) {
  add<map>(env, exports, "map");
  add<reserve>(env, exports, "reserve");
  add<map_file>(env, exports, "mapFile");
  add<map_memfd>(env, exports, "mapMemfd");
  add<map_mirrored>(env, exports, "mapMirrored");
  add<close>(env, exports, "close");
  add<release>(env, exports, "release");
  add<resize>(env, exports, "resize");
  add<address>(env, exports, "address");
  add<mapped_length>(env, exports, "mappedLength");
  add<descriptor>(env, exports, "descriptor");
  add<grow_file>(env, exports, "growFile");
  add<census>(env, exports, "census");
  add<sweep>(env, exports, "sweep");
}

}  // namespace memmap::napi
