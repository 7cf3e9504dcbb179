// The C that every native module starts with: vector types, and scalar operations under names made of operation and type.
// GCC and Clang know these vectors on every processor, so one source serves AVX2, AVX-512 and NEON.
import { farSineFunction } from "../../compile/functions.ts";
import type { Expr } from "../../compile/kernel.ts";
import { farFrom, twoOverPi } from "../../graph/internal.ts";
import { constantText, operationText, typeName } from "./expressions.ts";

/** A function of one double, statement by statement, called for single values only. */
function farSineText(quarters: 0 | 1): string {
  const { exprs, result } = farSineFunction(quarters);
  const text = (e: Expr): string =>
    e.kind === "const" ? constantText(e.value, e.dtype) : e.kind === "load" ? "x" : `e${e.id}`;
  const lines = exprs.map((e) =>
    e.kind === "op" ? `  ${typeName(e.dtype)} e${e.id} = ${operationText(e, "scalar", e.args.map(text))};\n` : "",
  );
  return `static __attribute__((noinline, cold)) d far_sine_${quarters}(d x) {\n${lines.join("")}  return ${text(result)};\n}\n`;
}

/** Declarations for vectors of `lanes` 32-bit elements. Types: f, d, i, l, b are float, double, int, 64-bit integer and truth; vf, vi, vb vectors. */
export const prelude = (lanes: number): string => `
typedef float f; typedef double d; typedef int i; typedef long long l; typedef int b; typedef unsigned u;
typedef float vf __attribute__((vector_size(${4 * lanes})));
typedef int vi __attribute__((vector_size(${4 * lanes})));
typedef unsigned vu __attribute__((vector_size(${4 * lanes})));
typedef float uf __attribute__((vector_size(${4 * lanes}), aligned(4), may_alias));
typedef int ui __attribute__((vector_size(${4 * lanes}), aligned(4), may_alias));
typedef vi vb;
/* GCC must not conclude from what a kernel does that a call of it can go: GCC 12 thinks so of loops that walk a buffer both ways */
#if defined(__GNUC__) && !defined(__clang__)
#define KERNEL __attribute__((noipa))
#else
#define KERNEL __attribute__((noinline))
#endif
#define INLINE static inline __attribute__((always_inline))
#define at(type, p) (*(type *)(p))
INLINE i bits_f(f x) { union { f x; i y; } v = { x }; return v.y; }
INLINE f float_i(i x) { union { i x; f y; } v = { x }; return v.y; }
INLINE l bits_d(d x) { union { d x; l y; } v = { x }; return v.y; }
INLINE d float_l(l x) { union { l x; d y; } v = { x }; return v.y; }
#define bits_vf(x) ((vi)(x))
#define float_vi(x) ((vf)(x))
#define splat_f(x) ((x) - (vf){})
#define splat_i(x) ((i)(x) + (vi){})
#define splat_b(x) (-(b)(x) + (vi){})

#define SCALAR(t) \\
INLINE t where_##t(b c, t x, t y) { return c ? x : y; }
SCALAR(f) SCALAR(d) SCALAR(i) SCALAR(l) SCALAR(b)
INLINE vi where_vi(vb c, vi x, vi y) { return (x & c) | (y & ~c); }
INLINE vf where_vf(vb c, vf x, vf y) { return (vf)where_vi(c, (vi)x, (vi)y); }
#define where_vb where_vi

/* not -x: joined with a multiplication and a subtraction before it, GCC takes it for their reverse, and loses the sign of zero */
INLINE f neg_f(f x) { return float_i(bits_f(x) ^ (-0x7fffffff - 1)); }
INLINE d neg_d(d x) { return float_l(bits_d(x) ^ (-0x7fffffffffffffffll - 1)); }
INLINE vf neg_vf(vf x) { return (vf)((vi)x ^ (-0x7fffffff - 1)); }
#define abs_f __builtin_fabsf
#define abs_d __builtin_fabs
INLINE vf abs_vf(vf x) { return (vf)((vi)x & 0x7fffffff); }
#define sqrt_f __builtin_sqrtf
#define sqrt_d __builtin_sqrt
#define floor_f __builtin_floorf
#define floor_d __builtin_floor
#if defined(__x86_64__) && defined(__AVX__)
INLINE vf sqrt_vf(vf x) { vf r; __asm__("vsqrtps %1, %0" : "=v"(r) : "v"(x)); return r; }
#elif defined(__aarch64__)
INLINE vf sqrt_vf(vf x) { vf r; __asm__("fsqrt %0.4s, %1.4s" : "=w"(r) : "w"(x)); return r; }
#else
INLINE vf sqrt_vf(vf x) { vf r; for (int k = 0; k < ${lanes}; k++) r[k] = __builtin_sqrtf(x[k]); return r; }
#endif
/* whole numbers from 2^23 up are their own floor; the sign of zero stays */
INLINE vf floor_vf(vf x) {
  vf t = __builtin_convertvector(__builtin_convertvector(x, vi), vf);
  t += (vf)((vi)(t > x) & bits_vf(splat_f(-1)));
  t = (vf)((vi)t | ((vi)x & (-0x7fffffff - 1)));
  return where_vf((vb)(abs_vf(x) < 8388608.0f), t, x);
}
#if defined(__x86_64__) && defined(__FMA__)
#define NEGATED_FMA "vfnmadd231ps %2, %1, %0"
#define VECTOR "v"
#elif defined(__aarch64__)
#define NEGATED_FMA "fmls %0.4s, %1.4s, %2.4s"
#define VECTOR "w"
#endif
INLINE int any_vb(vb x) {
#if defined(__AVX512F__) && ${lanes} == 16
  int any; __asm__("vptestmd %1, %1, %%k1; kortestw %%k1, %%k1" : "=@ccnz"(any) : "v"(x) : "k1"); return any;
#elif defined(__AVX__) && ${lanes} == 8
  int any; __asm__("vptest %1, %1" : "=@ccnz"(any) : "x"(x)); return any;
#else
  int any = 0; for (int k = 0; k < ${lanes}; k++) any |= x[k]; return any;
#endif
}
INLINE f copySign_f(f x, f y) { return __builtin_copysignf(x, y); }
INLINE d copySign_d(d x, d y) { return __builtin_copysign(x, y); }
INLINE vf copySign_vf(vf x, vf y) { return (vf)(((vi)x & 0x7fffffff) | ((vi)y & (-0x7fffffff - 1))); }

/* NaN wins, and +0 over -0 */
INLINE f max_f(f x, f y) { return x > y || x != x ? x : x == y ? float_i(bits_f(x) & bits_f(y)) : y; }
INLINE d max_d(d x, d y) { return x > y || x != x ? x : x == y ? float_l(bits_d(x) & bits_d(y)) : y; }
INLINE i max_i(i x, i y) { return x > y ? x : y; }
INLINE vf max_vf(vf x, vf y) {
  vf r = where_vf((vb)(x > y) | (vb)(x != x), x, y);
  return where_vf((vb)(x == y), (vf)((vi)x & (vi)y), r);
}
INLINE vi max_vi(vi x, vi y) { return where_vi(x > y, x, y); }
/* the larger of x and a positive or zero constant */
#define clamp_f(x, c) ({ f x_ = (x); x_ <= (c) ? (c) : x_; })
#define clamp_vf(x, c) ({ vf x_ = (x), c_ = (c); where_vf((vb)(x_ <= c_), c_, x_); })

/* what is left of x after whole multiples of y, with the sign of x: nothing is rounded */
static __attribute__((noinline)) d long_remainder(d rest, d divisor) {
  d multiple = divisor;
  while (multiple + multiple <= rest) multiple += multiple;
  /* every difference is exact, since multiple <= rest < 2 * multiple */
  for (; multiple >= divisor; multiple *= 0.5) if (multiple <= rest) rest -= multiple;
  return rest;
}
INLINE d remainder_d(d x, d y) {
  d rest = __builtin_fabs(x), divisor = __builtin_fabs(y);
  if (!(rest < __builtin_inf() && divisor > 0)) return __builtin_nan("");
  if (rest < divisor) return x;
  d quotient = __builtin_trunc(rest / divisor);
  /* a quotient below 2^28 times a divisor of 24 bits is exact, and so is the difference */
  if (quotient < 268435456.0 && (bits_d(divisor) & 0x1fffffff) == 0) {
    rest -= quotient * divisor;
    if (rest < 0) rest += divisor; /* the quotient was rounded up */
  } else rest = long_remainder(rest, divisor);
  return __builtin_copysign(rest, x);
}
/* with the sign of y */
INLINE f mod_f(f x, f y) {
  f rest = remainder_d(x, y);
  return rest == 0 ? __builtin_copysignf(rest, y) : (rest < 0) != (y < 0) ? rest + y : rest;
}
INLINE d mod_d(d x, d y) {
  d rest = remainder_d(x, y);
  return rest == 0 ? __builtin_copysign(rest, y) : (rest < 0) != (y < 0) ? rest + y : rest;
}
INLINE vf mod_vf(vf x, vf y) {
#ifdef NEGATED_FMA
  /* a quotient below 2^22 is right or one too large, and what one instruction then leaves is exact */
  vf rest = abs_vf(x), divisor = abs_vf(y), quotient = rest / divisor;
  vb good = (vb)(quotient < 4194304.0f) & (vb)(divisor < __builtin_inff());
  if (__builtin_expect(!any_vb(~good), 1)) {
    quotient = __builtin_convertvector(__builtin_convertvector(quotient, vi), vf);
    __asm__(NEGATED_FMA : "+" VECTOR(rest) : VECTOR(quotient), VECTOR(divisor));
    rest += (vf)((vi)divisor & (rest < 0));
    vb other = ((vi)x ^ (vi)y) < 0, some = (vb)(rest != 0);
    rest = copySign_vf(rest, x);
    rest += (vf)((vi)y & other & some);
    return where_vf(some, rest, copySign_vf((vf){}, y));
  }
#endif
  vf r;
  for (int k = 0; k < ${lanes}; k++) r[k] = mod_f(x[k], y[k]);
  return r;
}
/* the sign of the divisor; 0 where that is 0 */
INLINE i mod_i(i x, i y) { i q = y == 0 || y == -1 ? 1 : y, r = x % q; return r != 0 && (r ^ q) < 0 ? r + q : r; }
INLINE i div_i(i x, i y) { return y == 0 ? 0 : y == -1 ? -x : x / y; }

INLINE i shl_i(i x, int n) { return (i)((u)x << n); }
INLINE i shr_i(i x, int n) { return (i)((u)x >> n); }
INLINE i sar_i(i x, int n) { return x >> n; }
INLINE l shl_l(l x, int n) { return (l)((unsigned long long)x << n); }
INLINE l shr_l(l x, int n) { return (l)((unsigned long long)x >> n); }
INLINE l sar_l(l x, int n) { return x >> n; }
INLINE vi shl_vi(vi x, int n) { return (vi)((vu)x << n); }
INLINE vi shr_vi(vi x, int n) { return (vi)((vu)x >> n); }
INLINE vi sar_vi(vi x, int n) { return x >> n; }

/* casts: truth is "not zero"; to whole numbers towards zero, within the range, NaN to 0 */
#define cast_f_b(x) ((x) != 0)
#define cast_d_b(x) ((x) != 0)
#define cast_i_b(x) ((x) != 0)
#define cast_vf_vb(x) ((vb)((x) != 0))
#define cast_vi_vb(x) ((vb)((x) != 0))
#define cast_b_f(x) ((f)(x))
#define cast_b_d(x) ((d)(x))
#define cast_b_i(x) (x)
#define cast_vb_vf(x) ((vf)((x) & bits_vf(splat_f(1))))
#define cast_vb_vi(x) ((x) & 1)
#define cast_i_f(x) ((f)(x))
#define cast_i_d(x) ((d)(x))
#define cast_vi_vf(x) __builtin_convertvector(x, vf)
#define cast_f_d(x) ((d)(x))
#define cast_d_f(x) ((f)(x))
INLINE i cast_d_i(d x) { return x != x ? 0 : x >= 2147483647.0 ? 2147483647 : x <= -2147483648.0 ? -2147483647 - 1 : (i)x; }
INLINE i cast_f_i(f x) { return cast_d_i(x); }
INLINE vi cast_vf_vi(vf x) {
  vb in = (vb)(x >= -2147483648.0f) & (vb)(x < 2147483648.0f);
  vi r = __builtin_convertvector((vf)((vi)x & in), vi);
  r = where_vi((vb)(x >= 2147483648.0f), splat_i(2147483647), r);
  return where_vi((vb)(x < -2147483648.0f), splat_i(-2147483647 - 1), r);
}

/* the parts of a float; adding 1.5 * 2^fraction leaves the nearest integer in the low bits */
INLINE i round_f(f x) { return bits_f(x + 12582912.0f) - 0x4b400000; }
INLINE vi round_vf(vf x) { return (vi)(x + 12582912.0f) - 0x4b400000; }
INLINE l round_d(d x) { return bits_d(x + 6755399441055744.0) - 0x4338000000000000ll; }
#define toFloat_i(x) ((f)(x))
#define toFloat_vi(x) __builtin_convertvector(x, vf)
#define toFloat_l(x) ((d)(x))
INLINE f pow2_i(i n) { return float_i(shl_i(n + 127, 23)); }
INLINE vf pow2_vi(vi n) { return (vf)shl_vi(n + 127, 23); }
INLINE d pow2_l(l n) { return float_l(shl_l(n + 1023, 52)); }
INLINE i exponent_f(f x) { return (shr_i(bits_f(x), 23) & 0xff) - 127; }
INLINE vi exponent_vf(vf x) { return (shr_vi((vi)x, 23) & 0xff) - 127; }
INLINE l exponent_d(d x) { return (shr_l(bits_d(x), 52) & 0x7ff) - 1023; }
INLINE f mantissa_f(f x) { return float_i((bits_f(x) & (i)0x807fffffu) | 0x3f800000); }
INLINE vf mantissa_vf(vf x) { return (vf)(((vi)x & (i)0x807fffffu) | 0x3f800000); }
INLINE d mantissa_d(d x) { return float_l((bits_d(x) & (l)0x800fffffffffffffull) | 0x3ff0000000000000ll); }
INLINE f high_f(f x) { return float_i(bits_f(x) & (i)0xfffff000u); }
INLINE vf high_vf(vf x) { return (vf)((vi)x & (i)0xfffff000u); }
INLINE d high_d(d x) { return float_l(bits_d(x) & (l)0xfffffffff8000000ull); }

/* x < y ? x : y and y < x ? x : y, of which the second operand stands where one is NaN */
#if defined(__x86_64__) && defined(__AVX__)
INLINE vf lesser_vf(vf x, vf y) { vf r; __asm__("vminps %2, %1, %0" : "=v"(r) : "v"(x), "v"(y)); return r; }
INLINE vf greater_vf(vf x, vf y) { vf r; __asm__("vmaxps %2, %1, %0" : "=v"(r) : "v"(x), "v"(y)); return r; }
#else
INLINE vf lesser_vf(vf x, vf y) { return where_vf((vb)(x < y), x, y); }
INLINE vf greater_vf(vf x, vf y) { return where_vf((vb)(y < x), x, y); }
#endif
/* a * 2^n, rounded once */
#if defined(__AVX512F__)
INLINE vf scale_vf(vf a, vi n) {
  vf r, m = __builtin_convertvector(n, vf);
  __asm__("vscalefps %2, %1, %0" : "=v"(r) : "v"(a), "v"(m));
  return r;
}
#else
INLINE vf scale_vf(vf a, vi n) { vi h = n >> 1; return (a * pow2_vi(h)) * pow2_vi(n - h); }
#endif

static const d digits_of_two_over_pi[] = { ${twoOverPi.join(", ")} };
INLINE d digitOfTwoOverPi_l(l i) { return digits_of_two_over_pi[i]; }
${farSineText(0)}${farSineText(1)}
#define FAR_SINE(t, quarters, n, x) (abs_##t(x) >= ${farFrom.toFixed(1)} ? (t)far_sine_##quarters(x) : (n))
#define farSine_f(n, x, quarters) FAR_SINE(f, quarters, n, x)
#define farSine_d(n, x, quarters) FAR_SINE(d, quarters, n, x)
#define farSine_vf(n, x, quarters) ({ \\
  vf n_ = (n), x_ = (x); vb far_ = (vb)(abs_vf(x_) >= ${farFrom.toFixed(1)}f); \\
  if (__builtin_expect(any_vb(far_), 0)) \\
    for (int k_ = 0; k_ < ${lanes}; k_++) if (far_[k_]) n_[k_] = (f)far_sine_##quarters(x_[k_]); \\
  n_; })

/* a row number read from memory */
INLINE long row(i r, long rows) { return r < 0 ? 0 : r >= rows ? rows - 1 : r; }
/* adds a term and, to the carry, the exact error of that addition (Knuth's two-sum, 1969) */
#define compensate(total, carry, term) do { \\
  __typeof__(total) t_ = (term), s_ = total + t_, a_ = s_ - total; \\
  carry += (total - (s_ - a_)) + (t_ - a_); total = s_; } while (0)
/* the carry is NaN where the total is not finite; then the total stands */
INLINE f settle_f(f t, f c) { return c == c ? t + c : t; }
INLINE vf settle_vf(vf t, vf c) { return where_vf((vb)(c == c), t + c, t); }
/* across lanes, quarters of four first */
typedef float q4 __attribute__((vector_size(16)));
INLINE f sum_vf(vf x) {
  union { vf v; q4 q[${lanes / 4}]; } u = { x };
  for (int n = ${lanes >> 3}; n > 0; n /= 2) for (int k = 0; k < n; k++) u.q[k] += u.q[k + n];
  return (u.q[0][0] + u.q[0][2]) + (u.q[0][1] + u.q[0][3]);
}
INLINE i sum_vi(vi x) { i s = 0; for (int k = 0; k < ${lanes}; k++) s += x[k]; return s; }
INLINE f max_across_vf(vf x) { f m = x[0]; for (int k = 1; k < ${lanes}; k++) m = max_f(m, x[k]); return m; }
INLINE i max_across_vi(vi x) { i m = x[0]; for (int k = 1; k < ${lanes}; k++) m = max_i(m, x[k]); return m; }
`;
