// What this machine can do at most: roofline THREADS prints GFLOP/s of fused multiply-adds, GFLOP/s of 128-bit multiplications
// followed by additions (as WebAssembly has them), and GB/s of a triad over memory.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif
typedef float wide __attribute__((vector_size(WIDTH)));
typedef float narrow __attribute__((vector_size(16)));
enum { chains = 12, rounds = 2000000, size = 48 << 20, passes = 2 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define ARITHMETIC(name, type, keep, apart)                                     \
  static double name(void) {                                                    \
    type x[chains], a = (type){} + 0.999f, b = (type){} + 0.001f;               \
    for (int k = 0; k < chains; k++) x[k] = (type){} + (float)k;                 \
    double start = now();                                                       \
    for (long i = 0; i < rounds; i++)                                           \
      _Pragma("GCC unroll 12") for (int k = 0; k < chains; k++) {               \
        type product = x[k] * a;                                                \
        if (apart) __asm__("" : "+" keep(product)); /* not fused */             \
        x[k] = product + b;                                                     \
      }                                                                         \
    double seconds = now() - start;                                             \
    for (int k = 1; k < chains; k++) x[0] += x[k];                              \
    volatile float used = x[0][0];                                              \
    (void)used;                                                                 \
    return 2e-9 * chains * rounds * (sizeof(type) / 4) / seconds;               \
  }
#if defined(__x86_64__)
#define REGISTER "x"
#else
#define REGISTER "w"
#endif
ARITHMETIC(fused, wide, REGISTER, 0)
ARITHMETIC(separate, narrow, REGISTER, 1)

static double triad(void) {
  float *a = malloc(4 * size), *b = malloc(4 * size), *c = malloc(4 * size);
  for (long i = 0; i < size; i++) a[i] = b[i] = c[i] = i & 7;
  double start = now();
  for (int pass = 0; pass < passes; pass++) {
    float factor = pass;
    for (long i = 0; i < size; i++) a[i] = b[i] + factor * c[i];
  }
  double seconds = now() - start;
  volatile float used = a[size / 2];
  (void)used;
  free(a), free(b), free(c);
  return 12e-9 * size * passes / seconds;
}

static pthread_barrier_t together;
static void *measure(void *results) {
  double *r = results;
  double (*kinds[])(void) = {fused, separate, triad};
  for (int k = 0; k < 3; k++) {
    pthread_barrier_wait(&together);
    for (int again = 0; again < 3; again++) {
      double figure = kinds[k]();
      if (again == 0 || figure > r[k]) r[k] = figure;
    }
  }
  return NULL;
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 1;
  pthread_t ids[64];
  double results[64][3], sums[3] = {0, 0, 0};
  pthread_barrier_init(&together, NULL, threads);
  for (int t = 0; t < threads; t++) pthread_create(&ids[t], NULL, measure, results[t]);
  for (int t = 0; t < threads; t++) {
    pthread_join(ids[t], NULL);
    for (int k = 0; k < 3; k++) sums[k] += results[t][k];
  }
  printf("%g %g %g\n", sums[0], sums[1], sums[2]);
}
