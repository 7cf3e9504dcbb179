// The WebAssembly instructions the emitter may use: the table under the assembler.

/** Instruction name → code: one byte, or prefix · 2¹² + number (0xfd0e4 is prefix 0xfd, number 0xe4). */
// biome-ignore format: a table, one family a paragraph
export const opcodes = {
  // control, selection, memory
  unreachable: 0x00, nop: 0x01, return: 0x0f, drop: 0x1a, select: 0x1b, "memory.size": 0x3f, "memory.grow": 0x40,
  "memory.copy": 0xfc00a, "memory.fill": 0xfc00b,
  // scalar loads and stores
  "i32.load": 0x28, "i64.load": 0x29, "f32.load": 0x2a, "f64.load": 0x2b, "i32.load8_u": 0x2d, "i32.store": 0x36,
  "i64.store": 0x37, "f32.store": 0x38, "f64.store": 0x39,
  // i32
  "i32.eqz": 0x45, "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49, "i32.gt_s": 0x4a,
  "i32.gt_u": 0x4b, "i32.le_s": 0x4c, "i32.le_u": 0x4d, "i32.ge_s": 0x4e, "i32.ge_u": 0x4f, "i32.add": 0x6a,
  "i32.sub": 0x6b, "i32.mul": 0x6c, "i32.div_s": 0x6d, "i32.div_u": 0x6e, "i32.rem_s": 0x6f, "i32.rem_u": 0x70,
  "i32.and": 0x71, "i32.or": 0x72, "i32.xor": 0x73, "i32.shl": 0x74, "i32.shr_s": 0x75, "i32.shr_u": 0x76,
  // i64
  "i64.eqz": 0x50, "i64.eq": 0x51, "i64.ne": 0x52, "i64.lt_s": 0x53, "i64.lt_u": 0x54, "i64.gt_s": 0x55,
  "i64.gt_u": 0x56, "i64.le_s": 0x57, "i64.le_u": 0x58, "i64.ge_s": 0x59, "i64.ge_u": 0x5a, "i64.add": 0x7c,
  "i64.sub": 0x7d, "i64.mul": 0x7e, "i64.div_s": 0x7f, "i64.div_u": 0x80, "i64.rem_s": 0x81, "i64.rem_u": 0x82,
  "i64.and": 0x83, "i64.or": 0x84, "i64.xor": 0x85, "i64.shl": 0x86, "i64.shr_s": 0x87, "i64.shr_u": 0x88,
  // f32
  "f32.eq": 0x5b, "f32.ne": 0x5c, "f32.lt": 0x5d, "f32.gt": 0x5e, "f32.le": 0x5f, "f32.ge": 0x60, "f32.abs": 0x8b,
  "f32.neg": 0x8c, "f32.ceil": 0x8d, "f32.floor": 0x8e, "f32.trunc": 0x8f, "f32.nearest": 0x90, "f32.sqrt": 0x91,
  "f32.add": 0x92, "f32.sub": 0x93, "f32.mul": 0x94, "f32.div": 0x95, "f32.min": 0x96, "f32.max": 0x97,
  "f32.copysign": 0x98,
  // f64
  "f64.eq": 0x61, "f64.ne": 0x62, "f64.lt": 0x63, "f64.gt": 0x64, "f64.le": 0x65, "f64.ge": 0x66, "f64.abs": 0x99,
  "f64.neg": 0x9a, "f64.ceil": 0x9b, "f64.floor": 0x9c, "f64.trunc": 0x9d, "f64.nearest": 0x9e, "f64.sqrt": 0x9f,
  "f64.add": 0xa0, "f64.sub": 0xa1, "f64.mul": 0xa2, "f64.div": 0xa3, "f64.min": 0xa4, "f64.max": 0xa5,
  "f64.copysign": 0xa6,
  // conversions
  "f32.convert_i32_s": 0xb2, "f32.demote_f64": 0xb6, "f64.convert_i32_s": 0xb7, "f64.convert_i64_s": 0xb9,
  "f64.promote_f32": 0xbb, "i32.reinterpret_f32": 0xbc, "i64.reinterpret_f64": 0xbd, "f32.reinterpret_i32": 0xbe,
  "f64.reinterpret_i64": 0xbf, "i32.trunc_sat_f32_s": 0xfc000, "i32.trunc_sat_f64_s": 0xfc002,
  // v128
  "v128.load": 0xfd000, "v128.load32_splat": 0xfd009, "v128.store": 0xfd00b, "v128.load32_lane": 0xfd056,
  "v128.store32_lane": 0xfd05a, "v128.load32_zero": 0xfd05c, "v128.not": 0xfd04d, "v128.and": 0xfd04e,
  "v128.or": 0xfd050, "v128.xor": 0xfd051, "v128.bitselect": 0xfd052, "v128.any_true": 0xfd053,
  // i32x4
  "i32x4.splat": 0xfd011, "i32x4.extract_lane": 0xfd01b, "i32x4.replace_lane": 0xfd01c, "i32x4.eq": 0xfd037,
  "i32x4.ne": 0xfd038, "i32x4.lt_s": 0xfd039, "i32x4.lt_u": 0xfd03a, "i32x4.gt_s": 0xfd03b, "i32x4.gt_u": 0xfd03c,
  "i32x4.le_s": 0xfd03d, "i32x4.le_u": 0xfd03e, "i32x4.ge_s": 0xfd03f, "i32x4.ge_u": 0xfd040, "i32x4.abs": 0xfd0a0,
  "i32x4.neg": 0xfd0a1, "i32x4.all_true": 0xfd0a3, "i32x4.bitmask": 0xfd0a4, "i32x4.shl": 0xfd0ab,
  "i32x4.shr_s": 0xfd0ac, "i32x4.shr_u": 0xfd0ad, "i32x4.add": 0xfd0ae, "i32x4.sub": 0xfd0b1, "i32x4.mul": 0xfd0b5,
  "i32x4.max_s": 0xfd0b8, "i32x4.trunc_sat_f32x4_s": 0xfd0f8, "i32x4.trunc_sat_f64x2_s_zero": 0xfd0fc,
  // f32x4
  "f32x4.splat": 0xfd013, "f32x4.extract_lane": 0xfd01f, "f32x4.replace_lane": 0xfd020, "f32x4.eq": 0xfd041,
  "f32x4.ne": 0xfd042, "f32x4.lt": 0xfd043, "f32x4.gt": 0xfd044, "f32x4.le": 0xfd045, "f32x4.ge": 0xfd046,
  "f32x4.ceil": 0xfd067, "f32x4.floor": 0xfd068, "f32x4.trunc": 0xfd069, "f32x4.nearest": 0xfd06a, "f32x4.abs": 0xfd0e0,
  "f32x4.neg": 0xfd0e1, "f32x4.sqrt": 0xfd0e3, "f32x4.add": 0xfd0e4, "f32x4.sub": 0xfd0e5, "f32x4.mul": 0xfd0e6,
  "f32x4.div": 0xfd0e7, "f32x4.min": 0xfd0e8, "f32x4.max": 0xfd0e9, "f32x4.pmin": 0xfd0ea, "f32x4.pmax": 0xfd0eb,
  "f32x4.convert_i32x4_s": 0xfd0fa, "f32x4.demote_f64x2_zero": 0xfd05e,
  // f64x2
  "f64x2.splat": 0xfd014, "f64x2.sqrt": 0xfd0ef, "f64x2.add": 0xfd0f0, "f64x2.sub": 0xfd0f1, "f64x2.mul": 0xfd0f2,
  "f64x2.promote_low_f32x4": 0xfd05f,
  // atomics
  "memory.atomic.notify": 0xfe000, "memory.atomic.wait32": 0xfe001, "atomic.fence": 0xfe003, "i32.atomic.load": 0xfe010,
  "i64.atomic.load": 0xfe011, "i32.atomic.store": 0xfe017, "i64.atomic.store": 0xfe018, "i32.atomic.rmw.add": 0xfe01e,
  "i64.atomic.rmw.add": 0xfe01f, "i32.atomic.rmw.sub": 0xfe025, "i64.atomic.rmw.sub": 0xfe026,
  "i32.atomic.rmw.and": 0xfe02c, "i64.atomic.rmw.and": 0xfe02d, "i32.atomic.rmw.or": 0xfe033,
  "i64.atomic.rmw.or": 0xfe034, "i32.atomic.rmw.xor": 0xfe03a, "i64.atomic.rmw.xor": 0xfe03b,
  "i32.atomic.rmw.cmpxchg": 0xfe048,
} as const;

/** The name of an instruction. */
export type Op = keyof typeof opcodes;
