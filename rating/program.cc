// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/program.hh"

#include <algorithm>
#include <array>
#include <cstring>

namespace tollgate::rating {
namespace {

// One run of the register program.
class Machine {
 public:
  Machine(const Program& program, std::span<const i64> inputs)
      : program_(program), inputs_(inputs), steps_left_(program.header().steps_max) {
    std::fill_n(register_.begin(), program.header().register_count, 0);
  }

  ProgramResult run() {
    const std::span<const Instruction> all = program_.instructions();
    u32 at = 0;
    while (at < all.size()) {
      if (steps_left_-- == 0) return {ProgramOutcome::too_long, 0};
      const Instruction& one = all[at];
      if (one.op == Op::result) return {ProgramOutcome::ok, register_[one.a]};
      if (jumps(one)) {
        at = one.target;
        continue;
      }
      const ProgramOutcome outcome = step(one);
      if (outcome != ProgramOutcome::ok) return {outcome, 0};
      ++at;
    }
    return {ProgramOutcome::too_long, 0};
  }

 private:
  bool jumps(const Instruction& one) const {
    const i64 a = register_[one.a];
    const i64 b = register_[one.b];
    switch (one.op) {
      case Op::jump:
        return true;
      case Op::jump_lt:
        return a < b;
      case Op::jump_le:
        return a <= b;
      case Op::jump_eq:
        return a == b;
      case Op::jump_ne:
        return a != b;
      case Op::jump_lt_imm:
        return a < one.imm;
      case Op::jump_le_imm:
        return a <= one.imm;
      case Op::jump_eq_imm:
        return a == one.imm;
      case Op::jump_ne_imm:
        return a != one.imm;
      case Op::jump_gt_imm:
        return a > one.imm;
      case Op::jump_ge_imm:
        return a >= one.imm;
      default:
        return false;
    }
  }

  // As Python divides: the quotient toward minus infinity, the rest with the divisor's sign.
  static ProgramOutcome divide(i64 a, i64 b, i64* quotient, i64* rest) {
    if (b == 0) return ProgramOutcome::division_by_zero;
    if (b == -1) {
      // The processor refuses the least number by -1 even where only the rest, 0, is wanted.
      if (rest != nullptr) *rest = 0;
      if (quotient != nullptr && __builtin_sub_overflow(i64{0}, a, quotient)) {
        return ProgramOutcome::overflow;
      }
      return ProgramOutcome::ok;
    }
    i64 q = a / b;
    i64 r = a % b;
    if (r != 0 && (r < 0) != (b < 0)) {
      --q;
      r += b;
    }
    if (quotient != nullptr) *quotient = q;
    if (rest != nullptr) *rest = r;
    return ProgramOutcome::ok;
  }

  ProgramOutcome arithmetic(const Instruction& one, i64 a, i64 b, i64& d) const {
    bool overflows = false;
    switch (one.op) {
      case Op::add:
      case Op::add_imm:
        overflows = __builtin_add_overflow(a, b, &d);
        break;
      case Op::sub:
        overflows = __builtin_sub_overflow(a, b, &d);
        break;
      case Op::mul:
      case Op::mul_imm:
        overflows = __builtin_mul_overflow(a, b, &d);
        break;
      case Op::neg:
        overflows = __builtin_sub_overflow(i64{0}, a, &d);
        break;
      case Op::div:
      case Op::div_imm:
        return divide(a, b, &d, nullptr);
      case Op::mod:
      case Op::mod_imm:
        return divide(a, b, nullptr, &d);
      case Op::ceil_imm:
        if (__builtin_sub_overflow(i64{0}, a, &d)) return ProgramOutcome::overflow;
        (void)divide(d, b, &d, nullptr);  // by a positive number
        d = -d;
        return ProgramOutcome::ok;
      default:
        break;
    }
    return overflows ? ProgramOutcome::overflow : ProgramOutcome::ok;
  }

  ProgramOutcome step(const Instruction& one) {
    const i64 a = register_[one.a];
    const i64 b = register_[one.b];
    i64& d = register_[one.d];
    switch (one.op) {
      case Op::constant:
        d = one.imm;
        return ProgramOutcome::ok;
      case Op::move:
        d = a;
        return ProgramOutcome::ok;
      case Op::input:
        d = inputs_[static_cast<std::size_t>(one.imm)];
        return ProgramOutcome::ok;
      case Op::add_imm:
      case Op::mul_imm:
      case Op::div_imm:
      case Op::mod_imm:
      case Op::ceil_imm:
        return arithmetic(one, a, one.imm, d);
      case Op::add:
      case Op::sub:
      case Op::mul:
      case Op::div:
      case Op::mod:
      case Op::neg:
        return arithmetic(one, a, b, d);
      case Op::min:
        d = std::min(a, b);
        return ProgramOutcome::ok;
      case Op::max:
        d = std::max(a, b);
        return ProgramOutcome::ok;
      case Op::bit_and:
        d = a & b;
        return ProgramOutcome::ok;
      case Op::bit_or:
        d = a | b;
        return ProgramOutcome::ok;
      case Op::bit_xor:
        d = a ^ b;
        return ProgramOutcome::ok;
      default:
        return table_step(one, a, d);
    }
  }

  ProgramOutcome table_step(const Instruction& one, i64 a, i64& d) const {
    if (one.op == Op::need) return a < 0 ? ProgramOutcome::key_missing : ProgramOutcome::ok;
    if (one.op != Op::index && one.op != Op::find && one.op != Op::value) {
      return ProgramOutcome::ok;  // a jump that was not taken
    }
    const ProgramTable& table = program_.tables()[one.b];
    const i64* words = program_.words() + table.first_word;
    if (one.op == Op::index) {
      const i64 row = a < 0 ? a + table.rows : a;
      if (row < 0 || row >= table.rows) return ProgramOutcome::index_out_of_range;
      d = row;
    } else if (one.op == Op::find) {
      const i64* found = std::lower_bound(words, words + table.rows, a);
      d = found != words + table.rows && *found == a ? found - words : -1;
    } else {
      // Only index and find make rows; a register program that is not ours may say anything.
      if (a < 0 || a >= table.rows) return ProgramOutcome::index_out_of_range;
      d = words[one.imm * table.rows + a];
    }
    return ProgramOutcome::ok;
  }

  const Program& program_;
  std::span<const i64> inputs_;
  u32 steps_left_;
  std::array<i64, program_registers_max> register_;
};

bool has_right_size(const ProgramHeader& header, std::size_t bytes) {
  if (header.magic != program_magic || header.bytes != bytes || bytes % 16 != 0) return false;
  if (header.instruction_count == 0 || header.instruction_count > program_instructions_max) {
    return false;
  }
  if (header.word_count > program_words_max || header.table_count > program_words_max) return false;
  if (header.register_count > program_registers_max) return false;
  if (header.input_count > program_inputs_max) return false;
  if (header.steps_max == 0 || header.steps_max > program_steps_max) return false;
  const u64 end = sizeof header + u64{header.instruction_count} * sizeof(Instruction) +
                  u64{header.table_count} * sizeof(ProgramTable) + u64{header.word_count} * 8;
  if (end > bytes) return false;
  return header.code_offset == 0 || (header.code_offset >= end && header.code_offset < bytes);
}

bool is_sound(const Instruction& one, const ProgramHeader& header,
              std::span<const ProgramTable> tables) {
  const u32 registers = header.register_count;
  if (static_cast<u16>(one.op) >= op_count) return false;
  if (one.op == Op::index || one.op == Op::find || one.op == Op::value) {
    if (one.b >= tables.size() || one.a >= registers || one.d >= registers) return false;
    return one.op != Op::value || (one.imm >= 0 && one.imm < tables[one.b].columns);
  }
  if (one.d >= registers || one.a >= registers || one.b >= registers) return false;
  if (one.op == Op::input) return one.imm >= 0 && one.imm < header.input_count;
  if (one.op >= Op::div_imm && one.op <= Op::ceil_imm) return one.imm >= 1;
  return !is_jump(one.op) || one.target < header.instruction_count;
}

}  // namespace

std::string_view to_text(ProgramOutcome outcome) {
  switch (outcome) {
    case ProgramOutcome::ok:
      return "ok";
    case ProgramOutcome::overflow:
      return "overflow";
    case ProgramOutcome::division_by_zero:
      return "division_by_zero";
    case ProgramOutcome::index_out_of_range:
      return "index_out_of_range";
    case ProgramOutcome::key_missing:
      return "key_missing";
    case ProgramOutcome::too_long:
      return "too_long";
  }
  return "unknown";
}

ProgramResult Program::interpret(std::span<const i64> inputs) const {
  return Machine(*this, inputs).run();
}

bool validate_program(Bytes bytes) {
  if (bytes.size() < sizeof(ProgramHeader)) return false;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return false;
  const Program program(bytes, Program::Mapping::data);
  const ProgramHeader& header = program.header();
  if (!has_right_size(header, bytes.size())) return false;
  for (const ProgramTable& table : program.tables()) {
    const u64 end = table.first_word + u64{table.rows} * table.columns;
    if (table.rows > program_words_max || table.columns > program_words_max) return false;
    if (table.rows == 0 || table.columns == 0 || end > header.word_count) return false;
  }
  return std::ranges::all_of(program.instructions(), [&](const Instruction& one) {
    return is_sound(one, header, program.tables());
  });
}

}  // namespace tollgate::rating
