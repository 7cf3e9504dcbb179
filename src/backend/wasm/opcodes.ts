// The WebAssembly instructions the emitter may use: the table under the assembler.

/**
 * Instructions by the family that their names begin with: a number, then the names of those that have it and the ones after it.
 * A number is one byte, or prefix · 2¹² + number (0xfd0e4 is prefix 0xfd, number 0xe4).
 */
// biome-ignore format: a table
const families = {
  "": "0x00 unreachable nop 0x0f return 0x1a drop select 0xfe003 atomic.fence",
  memory: "0x3f size grow 0xfc00a copy fill 0xfe000 atomic.notify atomic.wait32",
  i32: "0x28 load 0x2d load8_u 0x36 store 0x45 eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u 0x6a add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u 0xbc reinterpret_f32 0xfc000 trunc_sat_f32_s 0xfc002 trunc_sat_f64_s 0xfe010 atomic.load 0xfe017 atomic.store 0xfe01e atomic.rmw.add 0xfe025 atomic.rmw.sub 0xfe02c atomic.rmw.and 0xfe033 atomic.rmw.or 0xfe03a atomic.rmw.xor 0xfe048 atomic.rmw.cmpxchg",
  i64: "0x29 load 0x37 store 0x50 eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u 0x7c add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u 0xbd reinterpret_f64 0xfe011 atomic.load 0xfe018 atomic.store 0xfe01f atomic.rmw.add 0xfe026 atomic.rmw.sub 0xfe02d atomic.rmw.and 0xfe034 atomic.rmw.or 0xfe03b atomic.rmw.xor",
  f32: "0x2a load 0x38 store 0x5b eq ne lt gt le ge 0x8b abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign 0xb2 convert_i32_s 0xb6 demote_f64 0xbe reinterpret_i32",
  f64: "0x2b load 0x39 store 0x61 eq ne lt gt le ge 0x99 abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign 0xb7 convert_i32_s 0xb9 convert_i64_s 0xbb promote_f32 0xbf reinterpret_i64",
  v128: "0xfd000 load 0xfd009 load32_splat 0xfd00b store 0xfd04d not and 0xfd050 or xor bitselect any_true 0xfd056 load32_lane 0xfd05a store32_lane 0xfd05c load32_zero",
  i32x4: "0xfd011 splat 0xfd01b extract_lane replace_lane 0xfd037 eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u 0xfd0a0 abs neg 0xfd0a3 all_true bitmask 0xfd0ab shl shr_s shr_u add 0xfd0b1 sub 0xfd0b5 mul 0xfd0b8 max_s 0xfd0f8 trunc_sat_f32x4_s 0xfd0fc trunc_sat_f64x2_s_zero",
  f32x4: "0xfd013 splat 0xfd01f extract_lane replace_lane 0xfd041 eq ne lt gt le ge 0xfd05e demote_f64x2_zero 0xfd067 ceil floor trunc nearest 0xfd0e0 abs neg 0xfd0e3 sqrt add sub mul div min max pmin pmax 0xfd0fa convert_i32x4_s",
  f64x2: "0xfd014 splat 0xfd05f promote_low_f32x4 0xfd0ef sqrt add sub mul",
} as const;

type Families = typeof families;
type Words<Text, Found = never> = Text extends `${infer First} ${infer Rest}`
  ? Words<Rest, Found | First>
  : Found | Text;
type NamesIn<Family extends keyof Families> =
  `${Family extends "" ? "" : `${Family}.`}${Exclude<Words<Families[Family]>, `0x${string}`>}`;

/** The name of an instruction. */
export type Op = { [Family in keyof Families]: NamesIn<Family> }[keyof Families];

/** Instruction name → number. */
export const opcodes = Object.fromEntries(
  Object.entries(families).flatMap(([family, text]) => {
    let next = 0;
    return text.split(" ").flatMap((word) => {
      if (word.startsWith("0x")) next = Number(word);
      else return [[family === "" ? word : `${family}.${word}`, next++]];
      return [];
    });
  }),
) as Record<Op, number>;
