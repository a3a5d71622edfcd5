// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ProgramBuilder: instructions, registers, labels and tables of a program while it is compiled.
//
// Each instruction is counted as often as the loops around it may run it; the sum is the program's
// worst case.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "rating/program.hh"

namespace tollgate::rating {

// Where jumps lead to: first used, later bound to a place; or the other way round.
struct Label {
  static constexpr u32 nowhere = ~u32{0};
  u32 place = nowhere;
  std::vector<u32> jumps;  // instructions that wait for the place
};

// The instructions [first, last) of a loop.
struct LoopRange {
  u32 first = 0;
  u32 last = 0;
};

class ProgramBuilder {
 public:
  u16 new_register(bool is_variable = false) {
    variables_.push_back(is_variable);
    return static_cast<u16>(variables_.size() - 1);
  }
  void emit(const Instruction& one) {
    steps_ = std::min(steps_ + weight_, u64{1} << 40);
    instructions_.push_back(one);
  }
  void jump(Instruction one, Label& to) {
    if (to.place == Label::nowhere) to.jumps.push_back(here());
    one.target = to.place;
    emit(one);
  }
  void bind(Label& label) {
    label.place = here();
    for (const u32 at : label.jumps) instructions_[at].target = label.place;
    label.jumps.clear();
  }
  u32 here() const { return static_cast<u32>(instructions_.size()); }

  // What is emitted between the two runs `count` times at most each time it is reached.
  void begin_loop(u64 count) {
    weights_.push_back(weight_);
    firsts_.push_back(here());
    weight_ = std::min(weight_ * std::max<u64>(count, 1), u64{1} << 40);
  }
  void end_loop() {
    loops_.push_back({firsts_.back(), here()});
    weight_ = weights_.back();
    weights_.pop_back();
    firsts_.pop_back();
  }

  u16 add_table(u32 rows, u32 columns, std::span<const i64> words) {
    tables_.push_back({static_cast<u32>(words_.size()), rows, columns, 0});
    words_.insert(words_.end(), words.begin(), words.end());
    return static_cast<u16>(tables_.size() - 1);
  }

  std::span<const Instruction> instructions() const { return instructions_; }
  std::span<const ProgramTable> tables() const { return tables_; }
  std::span<const i64> words() const { return words_; }
  std::span<const LoopRange> loops() const { return loops_; }
  bool is_variable(u16 number) const { return variables_[number]; }
  u32 register_count() const { return static_cast<u32>(variables_.size()); }
  u64 steps() const { return steps_; }

 private:
  std::vector<Instruction> instructions_;
  std::vector<ProgramTable> tables_;
  std::vector<i64> words_;
  std::vector<LoopRange> loops_;
  std::vector<bool> variables_;
  std::vector<u64> weights_;
  std::vector<u32> firsts_;
  u64 weight_ = 1;
  u64 steps_ = 0;
};

// Which registers an instruction reads (a, b) and writes (d).
struct Uses {
  bool d = false;
  bool a = false;
  bool b = false;
};

inline Uses uses_of(Op op) {
  if (op == Op::constant || op == Op::input) return {.d = true};
  if (op == Op::jump) return {};
  if (op >= Op::jump_lt && op <= Op::jump_ne) return {.a = true, .b = true};
  if (op >= Op::jump_lt_imm && op <= Op::jump_ge_imm) return {.a = true};
  if (op == Op::need || op == Op::result) return {.a = true};
  const bool is_binary = (op >= Op::add && op <= Op::mod) || (op >= Op::min && op <= Op::bit_xor);
  return {.d = true, .a = true, .b = is_binary};
}

// The x86-64 code of what was built. `tables_at` is where its words stand, `code_at` where the code
// will: offsets from the beginning of the program.
struct NativePlace {
  u32 words_at = 0;
  u32 code_at = 0;
};
std::vector<u8> make_native(const ProgramBuilder& builder, const NativePlace& place);

}  // namespace tollgate::rating
