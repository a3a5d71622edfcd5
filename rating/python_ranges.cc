// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/python_ranges.hh"

#include <algorithm>
#include <map>
#include <set>

namespace tollgate::rating {
namespace {

using State = std::vector<Range>;  // of each register

// Beyond this the walk would take longer than the code is worth: instructions times registers.
constexpr u64 work_max = 1 << 22;

constexpr i64 least_i64 = std::numeric_limits<i64>::min();
constexpr i64 most_i64 = std::numeric_limits<i64>::max();

i64 clamp(i128 number) {
  return static_cast<i64>(std::clamp<i128>(number, least_i64, most_i64));
}

i64 floor_quotient(i64 a, i64 b) {
  return a / b - (a % b != 0 && a < 0 ? 1 : 0);
}

struct Span {
  i128 least = 0;
  i128 most = 0;

  bool fits() const { return least >= least_i64 && most <= most_i64; }
  // What is left once a sum beyond 64 bits has ended the program.
  Range range() const { return {clamp(least), clamp(most)}; }
};

Span sum(const Range& a, const Range& b) {
  return {i128{a.least} + b.least, i128{a.most} + b.most};
}

Span negated(const Range& a) {
  return {-i128{a.most}, -i128{a.least}};
}

Span product(const Range& a, const Range& b) {
  const std::initializer_list<i128> corners = {i128{a.least} * b.least, i128{a.least} * b.most,
                                               i128{a.most} * b.least, i128{a.most} * b.most};
  return {std::min(corners), std::max(corners)};
}

class Walk {
 public:
  explicit Walk(const ProgramBuilder& builder)
      : builder_(builder), known_(builder.instructions().size()), slots_(builder.register_count()) {
    find_slots();
    const std::span<const Instruction> code = builder.instructions();
    for (std::size_t at = 0; at < code.size(); ++at) known_[at].target = code[at].target;
  }

  std::vector<Known> run() {
    const std::span<const Instruction> code = builder_.instructions();
    if (u64{code.size()} * builder_.register_count() > work_max) return std::move(known_);
    state_ = State(builder_.register_count());
    for (u32 at = 0; at < code.size(); ++at) {
      join(at);
      known_[at].is_reached = state_.has_value();
      if (!state_) continue;
      begin_loops(at);
      known_[at].a = (*state_)[slots_[code[at].a]];
      step(code[at], at);
    }
    drop_unread();
    lead_past();
    return std::move(known_);
  }

 private:
  // Numbers that nobody reads any more, since the tests that did are decided.
  void drop_unread() {
    const std::span<const Instruction> code = builder_.instructions();
    std::vector<u32> readers(builder_.register_count());
    for (u32 at = 0; at < code.size(); ++at) {
      if (!known_[at].is_reached || is_decided(at)) continue;
      const Uses uses = uses_of(code[at].op);
      if (uses.a) ++readers[code[at].a];
      if (uses.b) ++readers[code[at].b];
    }
    for (u32 at = 0; at < code.size(); ++at) {
      if (code[at].op == Op::constant && readers[code[at].d] == 0) known_[at].is_reached = false;
    }
  }

  // A jump to a jump leads to where that one does.
  void lead_past() {
    const std::span<const Instruction> code = builder_.instructions();
    for (u32 at = 0; at < code.size(); ++at) {
      u32& target = known_[at].target;
      while (target > at && target < code.size()) {
        if (known_[target].is_reached && known_[target].way != Known::Way::away) break;
        const bool is_there = known_[target].is_reached;
        if (is_there && known_[target].target <= target) break;
        target = is_there ? known_[target].target : target + 1;
      }
    }
  }

  bool is_decided(u32 at) const {
    const Op op = builder_.instructions()[at].op;
    return is_jump(op) && known_[at].way != Known::Way::either;
  }

  // Registers that only ever hold the same input share what is known of it.
  void find_slots() {
    const std::span<const Instruction> code = builder_.instructions();
    std::vector<u32> writers(slots_.size());
    for (const Instruction& one : code) {
      if (uses_of(one.op).d) ++writers[one.d];
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i] = static_cast<u16>(i);
    std::map<i64, u16> holders;
    for (const Instruction& one : code) {
      if (one.op != Op::input || writers[one.d] != 1) continue;
      slots_[one.d] = holders.try_emplace(one.imm, one.d).first->second;
      is_input_.insert(slots_[one.d]);
    }
  }

  // What jumps to this place bring.
  void join(u32 at) {
    const auto found = waiting_.find(at);
    if (found == waiting_.end()) return;
    if (state_) {
      merge(*state_, found->second);
    } else {
      state_ = std::move(found->second);
    }
    waiting_.erase(found);
  }

  static void merge(State& into, const State& from) {
    for (std::size_t i = 0; i < into.size(); ++i) {
      into[i].least = std::min(into[i].least, from[i].least);
      into[i].most = std::max(into[i].most, from[i].most);
      if (into[i].hole != from[i].hole) into[i].hole.reset();
    }
  }

  // The only jumps back are to a loop's first instruction; nothing is asked of what they bring.
  void begin_loops(u32 at) {
    const std::span<const Instruction> code = builder_.instructions();
    for (const LoopRange& loop : builder_.loops()) {
      if (loop.first != at) continue;
      for (u32 i = loop.first; i < loop.last; ++i) {
        if (uses_of(code[i].op).d) forget(code[i].d);
      }
    }
  }

  void forget(u16 number) {
    if (!is_input_.contains(slots_[number])) (*state_)[number] = {};
  }

  void step(const Instruction& one, u32 at) {
    if (is_jump(one.op)) return jump(one, at);
    if (one.op == Op::result) return state_.reset();
    if (!uses_of(one.op).d) return;
    if (one.op == Op::input) return forget(one.d);
    const State& now = *state_;
    const Range a = now[slots_[one.a]];
    const bool is_of_table = one.op == Op::index || one.op == Op::find || one.op == Op::value;
    const Range b = is_of_table ? Range{} : now[slots_[one.b]];
    bool can_overflow = false;
    const Range made = is_of_table ? of_table(one) : result_of(one, a, b, can_overflow);
    known_[at].can_overflow = can_overflow;
    (*state_)[one.d] = made;
  }

  Range of_table(const Instruction& one) const {
    const ProgramTable& table = builder_.tables()[one.b];
    if (one.op == Op::index) return {0, i64{table.rows} - 1};
    if (one.op == Op::find) return {-1, i64{table.rows} - 1};
    const auto column = builder_.words().subspan(
        table.first_word + static_cast<u64>(one.imm) * table.rows, table.rows);
    return {std::ranges::min(column), std::ranges::max(column)};
  }

  static Range result_of(const Instruction& one, const Range& a, const Range& b,
                         bool& can_overflow) {
    const auto checked = [&](const Span& span) {
      can_overflow = !span.fits();
      return span.range();
    };
    const Range imm = {one.imm, one.imm};
    switch (one.op) {
      case Op::constant:
        return imm;
      case Op::move:
        return a;
      case Op::add:
        return checked(sum(a, b));
      case Op::add_imm:
        return checked(sum(a, imm));
      case Op::sub:
        return checked({i128{a.least} - b.most, i128{a.most} - b.least});
      case Op::mul:
        return checked(product(a, b));
      case Op::mul_imm:
        return checked(product(a, imm));
      case Op::neg:
        return checked(negated(a));
      case Op::div_imm:
        return {floor_quotient(a.least, one.imm), floor_quotient(a.most, one.imm)};
      case Op::ceil_imm:
        can_overflow = a.least == least_i64;
        return checked_ceil(a, one.imm);
      case Op::mod_imm:
        return {0, one.imm - 1};
      case Op::min:
        return {std::min(a.least, b.least), std::min(a.most, b.most)};
      case Op::max:
        return {std::max(a.least, b.least), std::max(a.most, b.most)};
      case Op::bit_and:
        if (a.least >= 0 && b.least >= 0) return {0, std::min(a.most, b.most)};
        return {};
      default:
        can_overflow = true;
        return {};
    }
  }

  // The least number has no negative: it ends the program.
  static Range checked_ceil(const Range& a, i64 divisor) {
    const auto ceil = [divisor](i64 number) {
      return -floor_quotient(-std::max(number, least_i64 + 1), divisor);
    };
    return {ceil(a.least), ceil(a.most)};
  }

  void jump(const Instruction& one, u32 at) {
    Known& known = known_[at];
    const bool is_plain = one.op == Op::jump;
    if (!is_plain && one.op < Op::jump_lt_imm) return send(one.target, at, *state_);
    known.way = is_plain ? Known::Way::away : decided(one, *state_);
    if (known.way == Known::Way::on) return;
    State taken = *state_;
    if (!is_plain) narrow(one.op, one.imm, taken[slots_[one.a]]);
    known.target = followed(one.target, at, taken);
    send(known.target, at, std::move(taken));
    if (known.way == Known::Way::away) return state_.reset();
    narrow(opposite(one.op), one.imm, (*state_)[slots_[one.a]]);
  }

  // Of a comparison with a constant, by what the register can be.
  Known::Way decided(const Instruction& one, const State& state) const {
    const Range& range = state[slots_[one.a]];
    if (one.op == Op::jump_eq_imm || one.op == Op::jump_ne_imm) {
      const bool is_same = range.least == one.imm && range.most == one.imm;
      if (range.has(one.imm) && !is_same) return Known::Way::either;
      return is_same == (one.op == Op::jump_eq_imm) ? Known::Way::away : Known::Way::on;
    }
    Range taken = range;
    narrow(one.op, one.imm, taken);
    if (taken.least > taken.most) return Known::Way::on;
    Range not_taken = range;
    narrow(opposite(one.op), one.imm, not_taken);
    return not_taken.least > not_taken.most ? Known::Way::away : Known::Way::either;
  }

  // Where a jump ends up that leads to jumps which are decided already. Not through a loop's
  // beginning: there the walk forgets what the loop changes.
  u32 followed(u32 target, u32 at, const State& state) const {
    const std::span<const Instruction> code = builder_.instructions();
    while (target > at && target < code.size()) {
      const Instruction& one = code[target];
      const bool is_compare = one.op >= Op::jump_lt_imm && one.op <= Op::jump_ge_imm;
      const bool is_known_input = one.op == Op::input && is_input_.contains(slots_[one.d]);
      if (is_loop(target)) break;
      if (is_known_input) {  // it stays where the caller put it
        ++target;
        continue;
      }
      if (one.op != Op::jump && !is_compare) break;
      const Known::Way way = one.op == Op::jump ? Known::Way::away : decided(one, state);
      if (way == Known::Way::either || (way == Known::Way::away && one.target <= target)) break;
      target = way == Known::Way::away ? one.target : target + 1;
    }
    return target;
  }

  bool is_loop(u32 at) const {
    return std::ranges::any_of(builder_.loops(),
                               [at](const LoopRange& loop) { return loop.first == at; });
  }

  void send(u32 target, u32 at, State state) {
    if (target <= at) return;  // a loop's beginning has lost all that it changes
    const auto [found, is_new] = waiting_.try_emplace(target);
    if (is_new) {
      found->second = std::move(state);
    } else {
      merge(found->second, state);
    }
  }

  static Op opposite(Op op) {
    switch (op) {
      case Op::jump_lt_imm:
        return Op::jump_ge_imm;
      case Op::jump_le_imm:
        return Op::jump_gt_imm;
      case Op::jump_eq_imm:
        return Op::jump_ne_imm;
      case Op::jump_ne_imm:
        return Op::jump_eq_imm;
      case Op::jump_gt_imm:
        return Op::jump_le_imm;
      default:
        return Op::jump_lt_imm;
    }
  }

  // What the comparison says of the register where it holds. A place that cannot be reached so may
  // get a range without a number: nobody comes there to find it wrong.
  static void narrow(Op op, i64 imm, Range& range) {
    if (op == Op::jump_lt_imm) range.most = std::min(range.most, clamp(i128{imm} - 1));
    if (op == Op::jump_le_imm) range.most = std::min(range.most, imm);
    if (op == Op::jump_gt_imm) range.least = std::max(range.least, clamp(i128{imm} + 1));
    if (op == Op::jump_ge_imm) range.least = std::max(range.least, imm);
    if (op == Op::jump_eq_imm) range = {imm, imm};
    if (op == Op::jump_ne_imm) range.hole = imm;
  }

  const ProgramBuilder& builder_;
  std::vector<Known> known_;
  std::vector<u16> slots_;  // where the state has what is known of a register
  std::set<u16> is_input_;  // of slots
  std::optional<State> state_;
  std::map<u32, State> waiting_;
};

}  // namespace

std::vector<Known> find_ranges(const ProgramBuilder& builder) {
  return Walk(builder).run();
}

}  // namespace tollgate::rating
