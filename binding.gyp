{
  "targets": [{
    "target_name": "memmap",
    "sources": [
      "src-native/addon.cc",
      "src-native/napi/buffer.cc",
      "src-native/napi/calls.cc",
      "src-native/napi/constants.cc",
      "src-native/napi/environment.cc",
      "src-native/napi/file_calls.cc",
      "src-native/napi/guard.cc",
      "src-native/napi/mapping.cc",
      "src-native/napi/scan.cc",
      "src-native/napi/target.cc",
      "src-native/napi/work.cc",
      "src-native/core/address_range.cc",
      "src-native/core/closed_pages.cc",
      "src-native/core/fault_slots.cc",
      "src-native/core/file.cc",
      "src-native/core/guard.cc",
      "src-native/core/headroom.cc",
      "src-native/core/mapping.cc",
      "src-native/core/mend.cc",
      "src-native/core/remap.cc",
      "src-native/core/residency.cc",
      "src-native/core/scan.cc",
      "src-native/core/stash.cc",
      "src-native/core/vma.cc",
      "src-native/sys/file.cc",
      "src-native/sys/memory.cc",
      "src-native/sys/signal.cc"
    ],
    "include_dirs": ["src-native"],
    "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
    "ldflags": ["-Wl,-z,nodelete"],
    "cflags!": ["-fno-omit-frame-pointer"],
    "cflags": ["-O2", "-fvisibility=hidden"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": [
      "-std=c++20", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion",
      "-Wsign-conversion", "-Wshadow",
      "-isystem<!(node -p \"require('node:path').resolve(require('node-addon-api').include_dir)\")"
    ]
  }]
}
