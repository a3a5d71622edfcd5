// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A program's x86-64 code: u32 function(const i64* inputs, i64* result), System V.
//
// rdi holds the inputs and rsi the place of the result from beginning to end; rax, rcx and rdx are
// for the instruction under way; the rest are registers of the program (python_places.hh).

#include <algorithm>
#include <bit>

#include "base/check.hh"
#include "rating/python_places.hh"
#include "rating/python_ranges.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t outcome_count = 6;

bool fits_32(i64 number) {
  return number == static_cast<i32>(number);
}

// Division of 63-bit numbers by a constant that is no power of two, as a product: x / divisor is
// (x * factor) >> (63 + bits), exactly, for every x below 2^63.
struct Reciprocal {
  i64 factor = 0;
  u8 bits = 0;

  explicit Reciprocal(i64 divisor) {
    bits = static_cast<u8>(64 - std::countl_zero(static_cast<u64>(divisor)));
    const u128 scaled = (u128{1} << (63 + bits)) / static_cast<u64>(divisor) + 1;
    factor = static_cast<i64>(static_cast<u64>(scaled));
  }
};

class NativeWriter {
 public:
  NativeWriter(const ProgramBuilder& builder, const NativePlace& place)
      : builder_(builder),
        place_(place),
        places_(builder),
        known_(find_ranges(builder)),
        is_done_(known_.size()) {
    const std::span<const Instruction> code = builder.instructions();
    for (u32 at = 0; at < code.size(); ++at) {
      const Known& known = known_[at];
      if (is_jump(code[at].op) && known.is_reached && known.way != Known::Way::on) {
        targets_.push_back(known.target);
      }
    }
    std::ranges::sort(targets_);
  }

  std::vector<u8> write() {
    for (const Register reg : places_.kept()) out_.push(reg);
    if (places_.stack_slots() != 0) move_stack(-1);
    const std::span<const Instruction> code = builder_.instructions();
    for (u32 at = 0; at < code.size(); ++at) {
      starts_.push_back(out_.here());
      at_ = at;
      if (known_[at].is_reached && !is_done_[at]) instruction(code[at]);
    }
    // A jump may lead behind the last instruction only where nothing leads on.
    starts_.push_back(out_.here());
    for (std::size_t outcome = 1; outcome < outcome_count; ++outcome) {
      if (traps_[outcome].empty()) continue;
      for (const u32 jump : traps_[outcome]) out_.land_here(jump);
      out_.constant(Register::rax, static_cast<i64>(outcome));
      leave();
    }
    for (const auto& [jump, target] : jumps_) out_.land(jump, starts_[target]);
    return out_.take();
  }

 private:
  void move_stack(i32 direction) {
    const i32 bytes = static_cast<i32>(places_.stack_slots() * 8);
    out_.address(Register::rsp, Register::rsp, direction * bytes);
  }
  void leave() {
    if (places_.stack_slots() != 0) move_stack(1);
    const std::span<const Register> kept = places_.kept();
    for (auto reg = kept.rbegin(); reg != kept.rend(); ++reg) out_.pop(*reg);
    out_.give_back();
  }
  // How many jumps that are left lead to an instruction.
  u32 jumps_to(u32 at) const {
    const auto [first, end] = std::equal_range(targets_.begin(), targets_.end(), at);
    return static_cast<u32>(end - first);
  }
  void trap(When when, ProgramOutcome outcome) {
    traps_[static_cast<std::size_t>(outcome)].push_back(out_.jump(when));
  }
  void trap_overflow() {
    if (known_[at_].can_overflow) trap(When::overflow, ProgramOutcome::overflow);
  }
  void jump_to(When when, u32 target) {
    if (target != at_ + 1) jumps_.emplace_back(out_.jump(when), target);
  }
  // Where a result is made: its register, or rax if it lives in memory.
  Register maker(const Operand& d) const {
    return d.kind == Operand::Kind::reg ? d.reg : Register::rax;
  }

  void instruction(const Instruction& one) {
    const Operand& d = places_[one.d];
    const Operand& a = places_[one.a];
    switch (one.op) {
      case Op::constant:
        out_.constant(maker(d), one.imm);
        out_.store(d, maker(d));
        return;
      case Op::move:
        out_.move(maker(d), a);
        out_.store(d, maker(d));
        return;
      case Op::input:
        if (d.kind == Operand::Kind::input) return;
        out_.move(maker(d), {Operand::Kind::input, Register::rdi, static_cast<i32>(one.imm * 8)});
        out_.store(d, maker(d));
        return;
      case Op::add:
      case Op::sub:
      case Op::mul:
      case Op::min:
      case Op::max:
      case Op::bit_and:
      case Op::bit_or:
      case Op::bit_xor:
        return binary(one.op, d, a, places_[one.b]);
      case Op::add_imm:
      case Op::mul_imm:
        return binary_imm(one, d, a);
      case Op::neg:
        out_.move(maker(d), a);
        out_.negate(maker(d));
        trap_overflow();
        out_.store(d, maker(d));
        return;
      case Op::div:
      case Op::mod:
        return divide(one.op == Op::mod, d, a, places_[one.b]);
      case Op::div_imm:
      case Op::mod_imm:
        return divide_imm(one, d, a);
      case Op::ceil_imm:
        return round_up(one, d, a);
      case Op::index:
      case Op::find:
      case Op::value:
      case Op::need:
        return table(one, d, a);
      case Op::result:
        out_.move(maker(a), a);
        out_.store_memory(Register::rsi, maker(a));
        out_.constant(Register::rax, 0);
        return leave();
      default:
        return jump(one, a);
    }
  }

  void binary(Op op, const Operand& d, Operand a, Operand b) {
    if (op != Op::sub && d == b) std::swap(a, b);
    Register to = maker(d);
    if (b.is(to) && !a.is(to)) to = Register::rax;  // a - b into b
    out_.move(to, a);
    switch (op) {
      case Op::add:
        out_.alu(Alu::add, to, b);
        break;
      case Op::sub:
        out_.alu(Alu::sub, to, b);
        break;
      case Op::mul:
        out_.multiply(to, b);
        break;
      case Op::min:
      case Op::max:
        out_.alu(Alu::compare, to, b);
        out_.move_when(op == Op::min ? When::greater : When::less, to, b);
        break;
      case Op::bit_and:
        out_.alu(Alu::bit_and, to, b);
        break;
      case Op::bit_or:
        out_.alu(Alu::bit_or, to, b);
        break;
      default:
        out_.alu(Alu::bit_xor, to, b);
        break;
    }
    if (op == Op::add || op == Op::sub || op == Op::mul) trap_overflow();
    out_.store(d, to);
  }

  void binary_imm(const Instruction& one, const Operand& d, const Operand& a) {
    const Register to = maker(d);
    if (!fits_32(one.imm)) {
      out_.constant(Register::rcx, one.imm);
      return binary(one.op == Op::add_imm ? Op::add : Op::mul, d, a, Operand::of(Register::rcx));
    }
    const auto number = static_cast<i32>(one.imm);
    if (one.op == Op::mul_imm) {
      out_.multiply_imm(to, a, number);
    } else if (a.kind == Operand::Kind::reg && !known_[at_].can_overflow) {
      out_.address(to, a.reg, number);
    } else {
      out_.move(to, a);
      out_.alu_imm(AluImm::add, Operand::of(to), number);
    }
    trap_overflow();
    out_.store(d, to);
  }

  // Toward minus infinity, and the rest with the sign of b.
  void divide(bool wants_rest, const Operand& d, const Operand& a, const Operand& b) {
    out_.move(Register::rcx, b);
    out_.move(Register::rax, a);
    out_.test(Register::rcx);
    trap(When::equal, ProgramOutcome::division_by_zero);
    out_.alu_imm(AluImm::compare, Operand::of(Register::rcx), -1);
    const u32 is_common = out_.jump(When::not_equal);
    // The processor refuses the least number by -1.
    if (wants_rest) {
      out_.constant(Register::rax, 0);
    } else {
      out_.negate(Register::rax);
      trap(When::overflow, ProgramOutcome::overflow);
    }
    const u32 done = out_.jump(When::always);
    out_.land_here(is_common);
    out_.widen();
    out_.divide(Register::rcx);
    if (wants_rest) out_.move(Register::rax, Operand::of(Register::rdx));
    out_.test(Register::rdx);
    const u32 is_even = out_.jump(When::equal);
    out_.alu(Alu::bit_xor, Register::rdx, Operand::of(Register::rcx));
    const u32 is_same_sign = out_.jump(When::not_sign);
    if (wants_rest) {
      out_.alu(Alu::add, Register::rax, Operand::of(Register::rcx));
    } else {
      out_.decrement(Register::rax);
    }
    out_.land_here(is_same_sign);
    out_.land_here(is_even);
    out_.land_here(done);
    out_.store(d, Register::rax);
  }

  void divide_imm(const Instruction& one, const Operand& d, const Operand& a) {
    const bool wants_rest = one.op == Op::mod_imm;
    const auto divisor = static_cast<u64>(one.imm);
    if (is_power_of_two(divisor)) return divide_power(wants_rest, divisor, d, a);
    if (known_[at_].a.least >= 0) {
      quotient_of_positive(a, one.imm);
    } else {
      out_.move(Register::rcx, a);
      quotient_of_rcx(one.imm);
    }
    if (!wants_rest) return out_.store(d, Register::rdx);
    if (fits_32(one.imm)) {
      out_.multiply_imm(Register::rdx, Operand::of(Register::rdx), static_cast<i32>(one.imm));
    } else {
      out_.constant(Register::rcx, one.imm);
      out_.multiply(Register::rdx, Operand::of(Register::rcx));
    }
    out_.move(Register::rax, a);
    out_.alu(Alu::sub, Register::rax, Operand::of(Register::rdx));
    out_.store(d, Register::rax);
  }

  // rdx = rcx // divisor. Of numbers below zero the reciprocal is taken of -x - 1, which is x with
  // each bit turned round, and the quotient turned back.
  void quotient_of_rcx(i64 divisor) {
    const Reciprocal reciprocal(divisor);
    out_.move(Register::rax, Operand::of(Register::rcx));
    out_.shift(Shift::right_signed, Register::rcx, 63);
    out_.alu(Alu::bit_xor, Register::rax, Operand::of(Register::rcx));
    out_.constant(Register::rdx, reciprocal.factor);
    out_.multiply_wide(Operand::of(Register::rdx));
    if (reciprocal.bits > 1) out_.shift(Shift::right, Register::rdx, reciprocal.bits - 1);
    out_.alu(Alu::bit_xor, Register::rdx, Operand::of(Register::rcx));
  }

  // rdx = a // divisor, for an `a` that is not below zero.
  void quotient_of_positive(const Operand& a, i64 divisor) {
    const Reciprocal reciprocal(divisor);
    out_.constant(Register::rax, reciprocal.factor);
    out_.multiply_wide(a);
    if (reciprocal.bits > 1) out_.shift(Shift::right, Register::rdx, reciprocal.bits - 1);
  }

  // -(-a // b): (a + b - 1) // b where that is known to fit, else (a - 1) // b + 1, which traps for
  // the least number as -a does.
  void round_up(const Instruction& one, const Operand& d, const Operand& a) {
    const Range& range = known_[at_].a;
    const bool is_simple =
        range.least >= 0 && range.most <= INT64_MAX - (one.imm - 1) && fits_32(one.imm - 1);
    const auto divisor = static_cast<u64>(one.imm);
    const i32 more = is_simple ? static_cast<i32>(one.imm - 1) : -1;
    if (a.kind == Operand::Kind::reg && !known_[at_].can_overflow) {
      out_.address(Register::rcx, a.reg, more);
    } else {
      out_.move(Register::rcx, a);
      out_.alu_imm(AluImm::add, Operand::of(Register::rcx), more);
      trap_overflow();
    }
    if (is_power_of_two(divisor)) {
      const int bits = std::countr_zero(divisor);
      if (bits != 0) out_.shift(Shift::right_signed, Register::rcx, static_cast<u8>(bits));
      out_.move(Register::rdx, Operand::of(Register::rcx));
    } else if (is_simple) {
      quotient_of_positive(Operand::of(Register::rcx), one.imm);
    } else {
      quotient_of_rcx(one.imm);
    }
    if (is_simple) return out_.store(d, Register::rdx);
    out_.address(maker(d), Register::rdx, 1);
    out_.store(d, maker(d));
  }

  void divide_power(bool wants_rest, u64 divisor, const Operand& d, const Operand& a) {
    out_.move(Register::rax, a);
    if (!wants_rest) {
      const int bits = std::countr_zero(divisor);
      if (bits != 0) out_.shift(Shift::right_signed, Register::rax, static_cast<u8>(bits));
    } else {
      out_.constant(Register::rcx, static_cast<i64>(divisor - 1));
      out_.alu(Alu::bit_and, Register::rax, Operand::of(Register::rcx));
    }
    out_.store(d, Register::rax);
  }

  // rcx = where a column of a table begins
  void column_address(const ProgramTable& table, i64 column) {
    const i64 word = table.first_word + column * table.rows;
    const i64 from = i64{place_.code_at} + out_.here() + Assembler::address_ahead_bytes;
    out_.address_ahead(static_cast<i32>(place_.words_at + 8 * word - from));
  }

  void table(const Instruction& one, const Operand& d, const Operand& a) {
    if (one.op == Op::need) {
      out_.alu_imm(AluImm::compare, a, 0);
      return trap(When::less, ProgramOutcome::key_missing);
    }
    const ProgramTable& table = builder_.tables()[one.b];
    if (one.op == Op::value) {
      const Register row = a.kind == Operand::Kind::reg ? a.reg : Register::rax;
      out_.move(row, a);
      column_address(table, one.imm);
      out_.load_row(maker(d), row);
      return out_.store(d, maker(d));
    }
    out_.move(Register::rax, a);
    if (one.op == Op::find) {
      find(table);
    } else {
      const auto rows = static_cast<i32>(table.rows);
      out_.address(Register::rcx, Register::rax, rows);
      out_.test(Register::rax);
      out_.move_when(When::sign, Register::rax, Operand::of(Register::rcx));
      out_.alu_imm(AluImm::compare, Operand::of(Register::rax), rows);
      trap(When::above_equal, ProgramOutcome::index_out_of_range);
    }
    out_.store(d, Register::rax);
  }

  // rax = the row whose key is rax, or -1. Halves what is left, without a branch to guess.
  void find(const ProgramTable& table) {
    column_address(table, 0);
    for (u32 rows = table.rows; rows > 1; rows -= rows / 2) {
      const auto half = static_cast<i32>(8 * (rows / 2));
      out_.alu_memory(Alu::compare, Register::rax, Register::rcx, half);
      out_.address(Register::rdx, Register::rcx, half);
      out_.move_when(When::greater_equal, Register::rcx, Operand::of(Register::rdx));
    }
    out_.alu_memory(Alu::compare, Register::rax, Register::rcx, 0);
    const u32 is_other = out_.jump(When::not_equal);
    out_.move(Register::rax, Operand::of(Register::rcx));
    column_address(table, 0);
    out_.alu(Alu::sub, Register::rax, Operand::of(Register::rcx));
    out_.shift(Shift::right_signed, Register::rax, 3);
    const u32 done = out_.jump(When::always);
    out_.land_here(is_other);
    out_.constant(Register::rax, -1);
    out_.land_here(done);
  }

  void jump(const Instruction& one, const Operand& a) {
    const Known& known = known_[at_];
    if (known.way == Known::Way::on) return;
    if (known.way == Known::Way::away) return jump_to(When::always, known.target);
    if (one.op == Op::jump) return jump_to(When::always, one.target);
    if (one.op < Op::jump_lt_imm) {
      compare(a, places_[one.b]);
      return jump_to(condition(one.op), known.target);
    }
    if (!fits_32(one.imm)) {
      out_.constant(Register::rcx, one.imm);
      compare(a, Operand::of(Register::rcx));
      return jump_to(condition(one.op), known.target);
    }
    const bool are_two = is_pair(one);
    const bool is_choice = chooses_constant(at_ + (are_two ? 2 : 1));
    if (is_choice) load_choice(at_ + (are_two ? 2 : 1));
    const When when = are_two ? compare_pair(one, a) : compare_imm(one, a);
    if (is_choice) return choose(when, at_ + (are_two ? 2 : 1));
    jump_to(when, known.target);
  }

  When compare_imm(const Instruction& one, const Operand& a) {
    if (one.imm == 0 && a.kind == Operand::Kind::reg) {
      out_.test(a.reg);
    } else {
      out_.alu_imm(AluImm::compare, a, static_cast<i32>(one.imm));
    }
    return condition(one.op);
  }

  // lo <= a < hi, as two jumps to the same place: one comparison, of a - lo without sign.
  bool is_pair(const Instruction& one) const {
    const std::span<const Instruction> code = builder_.instructions();
    if (one.op != Op::jump_lt_imm || at_ + 1 >= code.size()) return false;
    const Instruction& other = code[at_ + 1];
    const Known& next = known_[at_ + 1];
    return other.op == Op::jump_ge_imm && other.a == one.a && one.imm < other.imm &&
           one.imm != INT32_MIN && fits_32(i64{other.imm} - one.imm) && next.is_reached &&
           next.way == Known::Way::either && next.target == known_[at_].target &&
           jumps_to(at_ + 1) == 0;
  }
  When compare_pair(const Instruction& one, const Operand& a) {
    const auto least = static_cast<i32>(one.imm);
    out_.move(Register::rax, a);
    if (least != 0) out_.alu_imm(AluImm::add, Operand::of(Register::rax), -least);
    const i64 size = builder_.instructions()[at_ + 1].imm - one.imm;
    out_.alu_imm(AluImm::compare, Operand::of(Register::rax), static_cast<i32>(size));
    is_done_[at_ + 1] = true;
    return When::above_equal;
  }

  // d = x, go on; otherwise: d = y. Nobody can guess which of two prices it is: both are loaded and
  // one is taken, without a jump.
  bool chooses_constant(u32 first) const {
    const std::span<const Instruction> code = builder_.instructions();
    const u32 otherwise = first + 2;
    if (otherwise >= code.size() || known_[at_].target != otherwise) return false;
    for (u32 at = first; at <= otherwise; ++at) {
      if (!known_[at].is_reached) return false;
    }
    return code[first].op == Op::constant && code[first + 1].op == Op::jump &&
           known_[first + 1].target == otherwise + 1 && code[otherwise].op == Op::constant &&
           code[otherwise].d == code[first].d && jumps_to(first) == 0 && jumps_to(first + 1) == 0 &&
           jumps_to(otherwise) == first - at_;
  }
  // Before the comparison: loading a zero changes what it tells.
  void load_choice(u32 first) {
    out_.constant(Register::rdx, builder_.instructions()[first].imm);
    out_.constant(Register::rcx, builder_.instructions()[first + 2].imm);
  }
  void choose(When otherwise, u32 first) {
    out_.move_when(otherwise, Register::rdx, Operand::of(Register::rcx));
    out_.store(places_[builder_.instructions()[first].d], Register::rdx);
    for (u32 at = first; at <= first + 2; ++at) is_done_[at] = true;
  }

  void compare(const Operand& a, const Operand& b) {
    const Register left = a.kind == Operand::Kind::reg ? a.reg : Register::rax;
    out_.move(left, a);
    out_.alu(Alu::compare, left, b);
  }

  static When condition(Op op) {
    switch (op) {
      case Op::jump_lt:
      case Op::jump_lt_imm:
        return When::less;
      case Op::jump_le:
      case Op::jump_le_imm:
        return When::less_equal;
      case Op::jump_eq:
      case Op::jump_eq_imm:
        return When::equal;
      case Op::jump_ne:
      case Op::jump_ne_imm:
        return When::not_equal;
      case Op::jump_gt_imm:
        return When::greater;
      case Op::jump_ge_imm:
        return When::greater_equal;
      default:
        break;
    }
    check(false, "only jumps have a condition");
    return When::always;
  }

  const ProgramBuilder& builder_;
  const NativePlace place_;
  Places places_;
  const std::vector<Known> known_;
  std::vector<bool> is_done_;  // by an instruction before it
  std::vector<u32> targets_;   // of all jumps, in order
  Assembler out_;
  u32 at_ = 0;
  std::vector<u32> starts_;                 // of each instruction
  std::vector<std::pair<u32, u32>> jumps_;  // where the distance stands, target
  std::array<std::vector<u32>, outcome_count> traps_;
};

}  // namespace

std::vector<u8> make_native(const ProgramBuilder& builder, const NativePlace& place) {
  return NativeWriter(builder, place).write();
}

}  // namespace tollgate::rating
