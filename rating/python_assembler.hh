// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Assembler: the few x86-64 instructions that a program needs, as octets.
//
// All work on 64 bits. An operand is a register, a slot of the stack, or a word of the inputs; the
// last two are memory and may stand where the processor allows memory. Nothing depends on where the
// code lies.
#pragma once

#include <cstring>
#include <vector>

#include "base/types.hh"

namespace tollgate::rating {

// The numbers of the processor's registers.
enum class Register : u8 {
  rax,
  rcx,
  rdx,
  rbx,
  rsp,
  rbp,
  rsi,
  rdi,
  r8,
  r9,
  r10,
  r11,
  r12,
  r13,
  r14,
  r15
};

struct Operand {
  enum class Kind : u8 { none, reg, stack, input };
  Kind kind = Kind::none;
  Register reg = Register::rax;
  i32 offset = 0;  // octets

  static Operand of(Register reg) { return {Kind::reg, reg, 0}; }
  bool is(Register other) const { return kind == Kind::reg && reg == other; }
  friend bool operator==(const Operand&, const Operand&) = default;
};

// `reg = reg op operand`, by the processor's number of it.
enum class Alu : u8 {
  add = 0x03,
  sub = 0x2b,
  bit_and = 0x23,
  bit_or = 0x0b,
  bit_xor = 0x33,
  compare = 0x3b,
  move = 0x8b
};
// The same with a number; the extension of the opcode.
enum class AluImm : u8 { add = 0, bit_and = 4, compare = 7 };
enum class Shift : u8 { right = 5, right_signed = 7 };
// Conditions as the processor numbers them.
enum class When : u8 {
  overflow = 0x0,
  above_equal = 0x3,
  equal = 0x4,
  not_equal = 0x5,
  sign = 0x8,
  not_sign = 0x9,
  less = 0xc,
  greater_equal = 0xd,
  less_equal = 0xe,
  greater = 0xf,
  always = 0xff
};

class Assembler {
 public:
  static constexpr Register stack_base = Register::rsp;
  static constexpr Register input_base = Register::rdi;

  u32 here() const { return static_cast<u32>(code_.size()); }
  std::vector<u8> take() { return std::move(code_); }

  void alu(Alu op, Register to, const Operand& from) {
    with_operand(static_cast<u8>(op), to, from);
  }
  void move(Register to, const Operand& from) {
    if (!from.is(to)) alu(Alu::move, to, from);
  }
  void store(const Operand& to, Register from) {
    if (!to.is(from)) with_operand(0x89, from, to);
  }
  void multiply(Register to, const Operand& from) { with_operand_0f(0xaf, to, from); }
  void move_when(When when, Register to, const Operand& from) {
    with_operand_0f(static_cast<u8>(0x40 | static_cast<u8>(when)), to, from);
  }
  void test(Register reg) { with_operand(0x85, reg, Operand::of(reg)); }

  void alu_imm(AluImm op, const Operand& to, i32 number) {
    const bool is_short = number >= -128 && number <= 127;
    with_operand(is_short ? 0x83 : 0x81, static_cast<Register>(op), to);
    is_short ? put8(static_cast<u8>(number)) : put32(static_cast<u32>(number));
  }
  void multiply_imm(Register to, const Operand& from, i32 number) {
    with_operand(0x69, to, from);
    put32(static_cast<u32>(number));
  }
  void constant(Register to, i64 number) {
    if (number == 0) {
      if (high(to) != 0) put8(0x45);
      put8(0x31);
      put8(static_cast<u8>(0xc0 | low(to) << 3 | low(to)));
    } else if (number == static_cast<i32>(number)) {
      put8(static_cast<u8>(0x48 | high(to)));
      put8(0xc7);
      put8(static_cast<u8>(0xc0 | low(to)));
      put32(static_cast<u32>(number));
    } else {
      put8(static_cast<u8>(0x48 | high(to)));
      put8(static_cast<u8>(0xb8 | low(to)));
      put32(static_cast<u32>(static_cast<u64>(number)));
      put32(static_cast<u32>(static_cast<u64>(number) >> 32));
    }
  }
  void shift(Shift op, Register reg, u8 bits) {
    with_operand(0xc1, static_cast<Register>(op), Operand::of(reg));
    put8(bits);
  }
  void negate(Register reg) { with_operand(0xf7, static_cast<Register>(3), Operand::of(reg)); }
  void multiply_wide(const Operand& by) {  // rdx:rax = rax * by, without sign
    with_operand(0xf7, static_cast<Register>(4), by);
  }
  void divide(Register by) {  // rax = rdx:rax / by, rdx = the rest
    with_operand(0xf7, static_cast<Register>(7), Operand::of(by));
  }
  void decrement(Register reg) { with_operand(0xff, static_cast<Register>(1), Operand::of(reg)); }
  void widen() {  // rdx:rax = rax
    put8(0x48);
    put8(0x99);
  }
  // reg = base + offset
  void address(Register to, Register base, i32 offset) {
    rex(to, base);
    put8(0x8d);
    memory(to, base, offset);
  }
  // rcx = the address `ahead` octets behind the end of this instruction
  void address_ahead(i32 ahead) {
    put8(0x48);
    put8(0x8d);
    put8(0x0d);
    put32(static_cast<u32>(ahead));
  }
  static constexpr i32 address_ahead_bytes = 7;
  // to = [rcx + 8 * row]
  void load_row(Register to, Register row) {
    put8(static_cast<u8>(0x48 | high(to) << 2 | high(row) << 1));
    put8(0x8b);
    put8(static_cast<u8>(0x04 | low(to) << 3));
    put8(static_cast<u8>(0xc0 | low(row) << 3 | static_cast<u8>(Register::rcx)));
  }
  // op reg, [base + offset]
  void alu_memory(Alu op, Register reg, Register base, i32 offset) {
    rex(reg, base);
    put8(static_cast<u8>(op));
    memory(reg, base, offset);
  }
  void store_memory(Register base, Register from) {  // [base] = from
    rex(from, base);
    put8(0x89);
    memory(from, base, 0);
  }
  void push(Register reg) {
    if (high(reg) != 0) put8(0x41);
    put8(static_cast<u8>(0x50 | low(reg)));
  }
  void pop(Register reg) {
    if (high(reg) != 0) put8(0x41);
    put8(static_cast<u8>(0x58 | low(reg)));
  }
  void give_back() { put8(0xc3); }

  // Returns where the distance stands, for `land`.
  u32 jump(When when) {
    if (when == When::always) {
      put8(0xe9);
    } else {
      put8(0x0f);
      put8(static_cast<u8>(0x80 | static_cast<u8>(when)));
    }
    put32(0);
    return here() - 4;
  }
  void land(u32 jump_at, u32 target) {
    const u32 distance = target - (jump_at + 4);
    std::memcpy(&code_[jump_at], &distance, sizeof distance);
  }
  void land_here(u32 jump_at) { land(jump_at, here()); }

 private:
  static u8 low(Register reg) { return static_cast<u8>(reg) & 7; }
  static u8 high(Register reg) { return static_cast<u8>(static_cast<u8>(reg) >> 3); }

  void put8(u8 octet) { code_.push_back(octet); }
  void put32(u32 number) {
    for (int i = 0; i < 4; ++i) put8(static_cast<u8>(number >> (8 * i)));
  }
  void rex(Register reg, Register base) {
    put8(static_cast<u8>(0x48 | high(reg) << 2 | high(base)));
  }
  void memory(Register reg, Register base, i32 offset) {
    const bool is_short = offset >= -128 && offset <= 127;
    put8(static_cast<u8>((is_short ? 0x40 : 0x80) | low(reg) << 3 | low(base)));
    if (low(base) == 4) put8(0x24);
    is_short ? put8(static_cast<u8>(offset)) : put32(static_cast<u32>(offset));
  }
  void place(Register reg, const Operand& operand) {
    if (operand.kind == Operand::Kind::reg) {
      put8(static_cast<u8>(0xc0 | low(reg) << 3 | low(operand.reg)));
    } else {
      memory(reg, base_of(operand), operand.offset);
    }
  }
  static Register base_of(const Operand& operand) {
    if (operand.kind == Operand::Kind::reg) return operand.reg;
    return operand.kind == Operand::Kind::stack ? stack_base : input_base;
  }
  void with_operand(u8 op, Register reg, const Operand& operand) {
    rex(reg, base_of(operand));
    put8(op);
    place(reg, operand);
  }
  void with_operand_0f(u8 op, Register reg, const Operand& operand) {
    rex(reg, base_of(operand));
    put8(0x0f);
    put8(op);
    place(reg, operand);
  }

  std::vector<u8> code_;
};

}  // namespace tollgate::rating
