// Module entry. Loaded once a process, initialised once a thread.
#include "napi/environment.h"
#include "napi/exports.h"

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new memmap::napi::Environment);
  memmap::napi::export_mapping(env, exports);
  memmap::napi::export_buffer(env, exports);
  memmap::napi::export_calls(env, exports);
  memmap::napi::export_file_calls(env, exports);
  memmap::napi::export_scan(env, exports);
  memmap::napi::export_work(env, exports);
  memmap::napi::export_constants(env, exports);
  return exports;
}

NODE_API_MODULE(memmap, initialise)
