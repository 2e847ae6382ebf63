// A native addon of somebody else, made for the calling describe block: a signal handler that
// calls whoever was there before, and a bug.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { skip } from './hooks.mjs';

const SOURCE = `
#include <node_api.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static struct sigaction before_bus, before_segv;
static volatile int calls;

static void on_signal(int number, siginfo_t* info, void* context) {
  if (++calls > 1000) _exit(99);  // going round for ever
  struct sigaction* before = number == SIGBUS ? &before_bus : &before_segv;
  if (before->sa_flags & SA_SIGINFO) before->sa_sigaction(number, info, context);
  else if (before->sa_handler == SIG_DFL) signal(number, SIG_DFL);
  else before->sa_handler(number);
}

static napi_value install(napi_env env, napi_callback_info info) {
  struct sigaction action = {0};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, &action, &before_bus);
  sigaction(SIGSEGV, &action, &before_segv);
  return NULL;
}

static napi_value uninstall_all(napi_env env, napi_callback_info info) {
  signal(SIGBUS, SIG_DFL);
  signal(SIGSEGV, SIG_DFL);
  return NULL;
}

static napi_value count(napi_env env, napi_callback_info info) {
  napi_value result;
  napi_create_int32(env, calls, &result);
  return result;
}

static napi_value wild_read(napi_env env, napi_callback_info info) {
  size_t one = 1;
  napi_value address;
  int64_t number = 0;
  napi_get_cb_info(env, info, &one, &address, NULL, NULL);
  napi_get_value_int64(env, address, &number);
  napi_value result;
  napi_create_int32(env, *(volatile char*)(uintptr_t)number, &result);
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor all[] = {
    {"install", NULL, install, NULL, NULL, NULL, napi_default, NULL},
    {"uninstallAll", NULL, uninstall_all, NULL, NULL, NULL, napi_default, NULL},
    {"calls", NULL, count, NULL, NULL, NULL, napi_default, NULL},
    {"wildRead", NULL, wild_read, NULL, NULL, NULL, napi_default, NULL},
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}
`;

/** Returns path(): of the addon, to load with process.dlopen or createRequire. */
export function foreignAddon() {
  let directory;
  before(function () {
    const include = join(dirname(process.execPath), '../include/node');
    if (!existsSync(join(include, 'node_api.h'))) skip(this, `no node_api.h in ${include}`);
    directory = mkdtempSync(join(tmpdir(), 'memmap-addon-'));
    const addon = join(directory, 'foreign.node');
    execFileSync('cc', ['-x', 'c', '-std=gnu11', '-shared', '-fPIC', '-I', include, '-o', addon, '-'], { input: SOURCE });
  });
  after(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return () => join(directory, 'foreign.node');
}
