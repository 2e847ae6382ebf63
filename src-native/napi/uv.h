// The part of libuv that napi/ring.cc needs, found in the running process: Node-API's
// headers have none of it, and other runtimes may have none at all. Its binary interface
// does not change within version 1.
#pragma once

#include <cstddef>

struct uv_loop_s;
struct uv_handle_s;  // what every handle starts with

namespace memmap::napi {

struct Uv {
  static constexpr unsigned kMajor = 1;
  static constexpr int kPoll = 8;  // UV_POLL, a handle's type
  static constexpr int kReadable = 1;

  unsigned (*version)();
  size_t (*handle_size)(int type);
  void* (*handle_get_data)(const uv_handle_s* handle);
  void (*handle_set_data)(uv_handle_s* handle, void* data);
  int (*poll_init)(uv_loop_s* loop, uv_handle_s* poll, int fd);
  int (*poll_start)(uv_handle_s* poll, int events,
                    void (*ready)(uv_handle_s* poll, int status, int events));
  void (*unref)(uv_handle_s* handle);
  void (*close)(uv_handle_s* handle, void (*closed)(uv_handle_s* handle));

  // Null if it is not there, or another version.
  static const Uv* find();
};

}  // namespace memmap::napi
