// The C around native programs: a Node-API module that loads them and runs them on threads of its own. Compiled once a machine.
import { boardSource } from "./module.ts";

/** Source of the module; its prototypes are written out, so that no headers need to be installed. */
export const runtimeSource: string = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
extern int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
extern int napi_get_value_double(napi_env, napi_value, double *);
extern int napi_get_value_string_utf8(napi_env, napi_value, char *, size_t, size_t *);
extern int napi_get_typedarray_info(napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *);
extern int napi_create_double(napi_env, double, napi_value *);
extern int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
extern int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
extern int napi_throw_error(napi_env, const char *, const char *);

${boardSource}
struct task { const struct program *program; char *base; unsigned *bindings; char *arena; long threads; };

/* Waiting looks around for some microseconds, then sleeps. */
enum { spins = 20000, most = 256 };
static struct task task;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_int sleepers;
static atomic_uint epoch, finished;
static long started = 1; /* threads there are, the caller among them; each takes note of every run */
static unsigned born[most]; /* runs before a thread was made */
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER; /* held by the run that uses the threads */

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Returns when the word is no longer what was seen. */
static void await(atomic_uint *word, unsigned seen) {
  for (int n = 0; n < spins; n++) {
    if (atomic_load(word) != seen) return;
    relax();
  }
  pthread_mutex_lock(&mutex);
  atomic_fetch_add(&sleepers, 1);
  while (atomic_load(word) == seen) pthread_cond_wait(&changed, &mutex);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&mutex);
}

static void announce(void) {
  if (atomic_load(&sleepers) == 0) return;
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

/* Adds what a thread has done since the last barrier, and returns when all is done that should be: whether the run goes on. */
static long meet(unsigned *done, unsigned mine, unsigned total, unsigned *over) {
  atomic_uint *word = (atomic_uint *)done;
  unsigned now = (mine > 0 ? atomic_fetch_add(word, mine) : atomic_load(word)) + mine;
  if (mine > 0 && now == total) announce();
  for (; now < total; now = atomic_load(word)) {
    if (__atomic_load_n(over, __ATOMIC_ACQUIRE)) return 0;
    await(word, now);
  }
  return !__atomic_load_n(over, __ATOMIC_ACQUIRE);
}

static struct board board = { .meet = meet };
static size_t capacity; /* of the board, in words */

/* Whether there is room for what is claimed of so many items and done between their barriers; all of it 0. */
static int clear(long items, long threads) {
  size_t words = (size_t)items * (threads + 1);
  if (words > capacity) {
    free(board.claimed);
    board.claimed = malloc(words * sizeof(unsigned));
    capacity = board.claimed == NULL ? 0 : words;
  }
  if (board.claimed == NULL) return 0;
  memset(board.claimed, 0, words * sizeof(unsigned));
  board.items = items;
  board.done = board.claimed + items * threads;
  board.over = 0;
  return 1;
}

static void *worker(void *number) {
  long thread = (long)(intptr_t)number;
  for (unsigned seen = born[thread];; seen++) {
    await(&epoch, seen);
    if (thread < task.threads) task.program->main(thread, task.threads, task.base, task.bindings, task.arena, &board);
    atomic_fetch_add(&finished, 1);
    announce();
  }
  return NULL;
}

/* Brings the threads up to a count; returns how many there are. */
static long start(long threads) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (; started < threads && started < most; started++) {
    pthread_t thread;
    born[started] = atomic_load(&epoch);
    if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)started) != 0) break;
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return threads < started ? threads : started;
}

static void arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}
static double number(napi_env env, napi_value value) {
  double x = 0;
  napi_get_value_double(env, value, &x);
  return x;
}

/* load(path): the address of the program */
static napi_value load(napi_env env, napi_callback_info info) {
  napi_value arg[1], result;
  static char path[4096];
  size_t length;
  arguments(env, info, 1, arg);
  napi_get_value_string_utf8(env, arg[0], path, sizeof path, &length);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *program = library == NULL ? NULL : dlsym(library, "hebb_program");
  if (program == NULL) {
    napi_throw_error(env, NULL, dlerror());
    return NULL;
  }
  napi_create_double(env, (double)(uintptr_t)program, &result);
  return result;
}

/* run(program, memory, bindings, arena, threads): a Uint8Array, and addresses in it */
static napi_value run(napi_env env, napi_callback_info info) {
  napi_value arg[5];
  void *base;
  arguments(env, info, 5, arg);
  if (napi_get_typedarray_info(env, arg[1], NULL, NULL, &base, NULL, NULL) != 0) {
    napi_throw_error(env, NULL, "run: the memory is not a typed array");
    return NULL;
  }
  char *memory = base;
  const struct program *program = (const struct program *)(uintptr_t)number(env, arg[0]);
  unsigned *bindings = (unsigned *)(memory + (size_t)number(env, arg[2]));
  char *arena = memory + (size_t)number(env, arg[3]);
  long threads = (long)number(env, arg[4]);
  /* one thread, or another thread of the process has the others at work */
  if (threads == 1 || pthread_mutex_trylock(&busy) != 0) {
    program->main(0, 1, memory, bindings, arena, NULL);
    return NULL;
  }
  threads = start(threads);
  if (threads == 1 || !clear(program->items, threads)) {
    program->main(0, 1, memory, bindings, arena, NULL);
    pthread_mutex_unlock(&busy);
    return NULL;
  }
  task = (struct task){ program, memory, bindings, arena, threads };
  atomic_store(&finished, 0);
  atomic_fetch_add(&epoch, 1);
  announce();
  program->main(0, threads, memory, bindings, arena, &board);
  __atomic_store_n(&board.over, 1, __ATOMIC_RELEASE);
  for (unsigned done = atomic_load(&finished); done < (unsigned)started - 1; done = atomic_load(&finished))
    await(&finished, done);
  pthread_mutex_unlock(&busy);
  return NULL;
}

#define EXPORT __attribute__((visibility("default")))
EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value f;
  napi_create_function(env, "load", (size_t)-1, load, NULL, &f);
  napi_set_named_property(env, exports, "load", f);
  napi_create_function(env, "run", (size_t)-1, run, NULL, &f);
  napi_set_named_property(env, exports, "run", f);
  return exports;
}
EXPORT int node_api_module_get_api_version_v1(void) { return 8; }
`;
