// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/python_places.hh"

#include <algorithm>

namespace tollgate::rating {
namespace {

// From the first to the last instruction that touches a register of the program.
struct Interval {
  u32 first = ~u32{0};
  u32 last = 0;
  u32 writes = 0;
  u16 number = 0;

  void touch(u32 at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
};

std::vector<Interval> intervals_of(const ProgramBuilder& builder) {
  std::vector<Interval> all(builder.register_count());
  for (u32 i = 0; i < all.size(); ++i) all[i].number = static_cast<u16>(i);
  const std::span<const Instruction> code = builder.instructions();
  for (u32 at = 0; at < code.size(); ++at) {
    const Uses uses = uses_of(code[at].op);
    if (uses.a) all[code[at].a].touch(at);
    if (uses.b) all[code[at].b].touch(at);
    if (!uses.d) continue;
    all[code[at].d].touch(at);
    ++all[code[at].d].writes;
  }
  // What a loop reads and nobody in it made must stay for its next round.
  for (bool changed = true; changed;) {
    changed = false;
    for (const LoopRange& loop : builder.loops()) {
      for (Interval& one : all) {
        const bool is_inside = one.last >= loop.first && one.last < loop.last;
        if (one.first >= loop.first || !is_inside) continue;
        one.last = loop.last;
        changed = true;
      }
    }
  }
  return all;
}

// First those that the caller does not want back.
constexpr std::array<Register, 10> free_registers = {
    Register::r8,  Register::r9,  Register::r10, Register::r11, Register::rbx,
    Register::rbp, Register::r12, Register::r13, Register::r14, Register::r15};

bool is_kept_by_caller(Register reg) {
  return reg == Register::rbx || reg == Register::rbp || reg >= Register::r12;
}

}  // namespace

// Linear scan: intervals in the order of their beginnings; when none is free, the one that ends
// last goes to the stack.
Places::Places(const ProgramBuilder& builder) : operands_(builder.register_count()) {
  std::vector<Interval> order;
  for (const Interval& one : intervals_of(builder)) {
    if (one.first == ~u32{0}) continue;
    const Instruction& maker = builder.instructions()[one.first];
    if (one.writes == 1 && maker.op == Op::input) {
      operands_[one.number] = {Operand::Kind::input, Register::rax,
                               static_cast<i32>(maker.imm * 8)};
    } else {
      order.push_back(one);
    }
  }
  std::ranges::stable_sort(order, {}, &Interval::first);
  std::array<const Interval*, free_registers.size()> holder{};
  for (const Interval& one : order) {
    std::size_t best = holder.size();
    std::size_t longest = 0;
    for (std::size_t i = 0; i < holder.size(); ++i) {
      if (holder[i] != nullptr && holder[i]->last <= one.first) holder[i] = nullptr;
      if (holder[i] == nullptr && best == holder.size()) best = i;
      if (holder[i] != nullptr &&
          (holder[longest] == nullptr || holder[i]->last > holder[longest]->last)) {
        longest = i;
      }
    }
    if (best == holder.size()) {
      if (holder[longest]->last <= one.last) {
        operands_[one.number] = next_slot();
        continue;
      }
      operands_[holder[longest]->number] = next_slot();
      best = longest;
    }
    holder[best] = &one;
    operands_[one.number] = Operand::of(free_registers[best]);
    if (is_kept_by_caller(free_registers[best])) keep(free_registers[best]);
  }
}

void Places::keep(Register reg) {
  if (std::ranges::find(kept_, reg) == kept_.end()) kept_.push_back(reg);
}

Operand Places::next_slot() {
  return {Operand::Kind::stack, Register::rsp, static_cast<i32>(8 * slots_++)};
}

}  // namespace tollgate::rating
