// Native code of somebody else that crashes, and that handles crashes: crashing(), the addon; and
// trace(), which says at which instruction the kernel ends a process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeApiHeaders } from './addon.mjs';
import { compile } from './compile.mjs';

const ADDON = `
#include <node_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int64_t argument(napi_env env, napi_callback_info info, size_t index) {
  size_t count = 4;
  napi_value values[4];
  int64_t value = 0;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  napi_get_value_int64(env, values[index], &value);
  return value;
}

static napi_value number(napi_env env, int64_t value) {
  napi_value result;
  napi_create_int64(env, value, &result);
  return result;
}

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)

FUNCTION(read_at) { return number(env, *(volatile char*)(uintptr_t)argument(env, info, 0)); }
FUNCTION(write_at) {
  *(volatile char*)(uintptr_t)argument(env, info, 0) = 'w';
  return NULL;
}
FUNCTION(call_at) {
  ((void (*)(void))(uintptr_t)argument(env, info, 0))();
  return NULL;
}
FUNCTION(give_up) { abort(); }
FUNCTION(send) {
  kill(getpid(), (int)argument(env, info, 0));
  return NULL;
}

// Handlers. Each writes a line; 'crashes' then crashes itself, 'asks' asks whom it found.
static volatile int calls;
static struct sigaction found;
static void line(const char* text) {
  if (++calls > 50) _exit(99);  // going round for ever
 
  if (write(2, text, strlen(text)) < 0) _exit(98);
}
static void crashes(int signal, siginfo_t* info, void* context) {
  line("crash reporter\\n");
  *(volatile int*)8 = 1;
}
static void ends(int signal, siginfo_t* info, void* context) { line("reported\\n"); _exit(3); }
static void returns(int signal, siginfo_t* info, void* context) { line("reported\\n"); }
static void plain(int signal) { line("told the number\\n"); }

// install(signal, which, flags)
FUNCTION(install) {
  struct sigaction action = {0};
  void (*const handlers[])(int, siginfo_t*, void*) = {crashes, ends, returns};
  const int64_t which = argument(env, info, 1);
  action.sa_flags = SA_ONSTACK | (int)argument(env, info, 2);
  if (which < 3) {
    action.sa_flags |= SA_SIGINFO;
    action.sa_sigaction = handlers[which];
  } else {
    void (*const others[])(int) = {plain, SIG_DFL, SIG_IGN};
    action.sa_handler = others[which - 3];
  }
  sigaction((int)argument(env, info, 0), &action, &found);
  return NULL;
}

// A library with a handler, which is uninstalled when asked to be so, and unloaded.
static void* library;
FUNCTION(load) {
  char path[4096];
  size_t length = 0, count = 1;
  napi_value value;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  napi_get_value_string_utf8(env, value, path, sizeof path, &length);
  library = dlopen(path, RTLD_NOW);
  if (library == NULL) _exit(97);
  ((void (*)(void))dlsym(library, "install"))();
  return NULL;
}
FUNCTION(unload) {
  if (argument(env, info, 0)) ((void (*)(void))dlsym(library, "uninstall"))();
  dlclose(library);
  return NULL;
}

// stackOf(address, size): reads there on a thread with an alternate stack of so many bytes, and
// returns how many were used; address 0: by a handler that does nothing.
struct Use { uintptr_t address; int write; size_t size; size_t used; };
static void nothing(int signal) {}
static void* use(void* argument) {
  struct Use* use = argument;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* memory = mmap(NULL, use->size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(memory, page, PROT_NONE);
  memset(memory + page, 0xa5, use->size);
  stack_t stack = {.ss_sp = memory + page, .ss_size = use->size};
  sigaltstack(&stack, NULL);
  if (use->address == 0) {
    struct sigaction action = {0};
    action.sa_handler = nothing;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
  } else if (use->write) {
    *(volatile char*)use->address = 'w';
  } else {
    (void)*(volatile char*)use->address;
  }
  size_t free_bytes = 0;
  while (free_bytes < use->size && memory[page + free_bytes] == (char)0xa5) free_bytes++;
  use->used = use->size - free_bytes;
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, NULL);
  munmap(memory, use->size + page);
  return NULL;
}
FUNCTION(stack_of) {
  struct Use it = {(uintptr_t)argument(env, info, 0), (int)argument(env, info, 2), (size_t)argument(env, info, 1), 0};
  pthread_t thread;
  if (pthread_create(&thread, NULL, use, &it) != 0) return NULL;
  pthread_join(thread, NULL);
  return number(env, (int64_t)it.used);
}

NAPI_MODULE_INIT() {
#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default, NULL}
  const napi_property_descriptor all[] = {
    METHOD("readAt", read_at), METHOD("writeAt", write_at), METHOD("callAt", call_at),
    METHOD("abort", give_up), METHOD("send", send), METHOD("install", install),
    METHOD("load", load), METHOD("unload", unload), METHOD("stackOf", stack_of),
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}
`;

const LIBRARY = `
#include <signal.h>
#include <unistd.h>
static struct sigaction found;
static void handle(int signal, siginfo_t* info, void* context) {
  (void)!write(2, "library\\n", 8);
  if (found.sa_flags & SA_SIGINFO) found.sa_sigaction(signal, info, context);
  else sigaction(signal, &found, NULL);
}
void install(void) {
  struct sigaction action = {0};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &found);
}
void uninstall(void) { sigaction(SIGSEGV, &found, NULL); }
`;

// Runs a program and lets every signal through; prints the last that was delivered before the
// end: its number, si_code, and the instruction, as a file and a place in it.
const TRACER = `
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#if defined(__x86_64__)
#define PC rip
#else
#define PC pc
#endif
static void print(pid_t thread, pid_t leader, int number) {
  struct user_regs_struct registers;
  struct iovec part = {&registers, sizeof registers};
  siginfo_t info;
  ptrace(PTRACE_GETREGSET, thread, (void*)NT_PRSTATUS, &part);
  ptrace(PTRACE_GETSIGINFO, thread, NULL, &info);
  char path[64], line[4400], name[4200];
  snprintf(path, sizeof path, "/proc/%d/maps", leader);
  FILE* maps = fopen(path, "r");
  printf("%d %d", number, info.si_code);
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long start, end, offset;
    *name = 0;
    sscanf(line, "%lx-%lx %*s %lx %*s %*s %4199[^\\n]", &start, &end, &offset, name);
    if (registers.PC < start || registers.PC >= end) continue;
    printf(" %s+%lx", strrchr(name, '/') ? strrchr(name, '/') + 1 : name, (unsigned long)registers.PC - start + offset);
  }
  printf("\\n");
  if (maps) fclose(maps);
  fflush(stdout);
}
int main(int argc, char** argv) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(77);
    raise(SIGSTOP);
    execv(argv[1], argv + 1);
    _exit(78);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 77;
  ptrace(PTRACE_SETOPTIONS, child, NULL, (void*)(uintptr_t)(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
  ptrace(PTRACE_CONT, child, NULL, NULL);
  for (;;) {
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread == -1) return 79;
    if (!WIFSTOPPED(status)) {
      if (thread != child) continue;
      printf("%s %d\\n", WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
      return 0;
    }
    int number = WSTOPSIG(status);
    if (number == SIGTRAP || number == SIGSTOP) number = 0;
    if (number == SIGSEGV || number == SIGBUS || number == SIGABRT) print(thread, child, number);
    ptrace(PTRACE_CONT, thread, NULL, (void*)(uintptr_t)number);
  }
}
`;

/** For the calling describe block, all of them paths: { addon, library, tracer }, once its tests run. */
export function crashing() {
  const paths = {};
  let directory;
  before(function () {
    const headers = nodeApiHeaders(this);
    directory = mkdtempSync(join(tmpdir(), 'memmap-crash-'));
    paths.addon = compile(directory, 'crash.node', ADDON, '-O1', '-shared', '-fPIC', '-I', headers);
    paths.library = compile(directory, 'library.so', LIBRARY, '-O1', '-shared', '-fPIC');
    paths.tracer = compile(directory, 'tracer', TRACER, '-O1');
  });
  after(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return paths;
}
