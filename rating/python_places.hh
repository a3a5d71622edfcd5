// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Places: where each register of a program lives while its x86-64 code runs: in a register of the
// processor, on the stack, or, if it is an input that never changes, where the caller put it.
#pragma once

#include <array>
#include <vector>

#include "rating/python_assembler.hh"
#include "rating/python_builder.hh"

namespace tollgate::rating {

class Places {
 public:
  explicit Places(const ProgramBuilder& builder);

  const Operand& operator[](u16 number) const { return operands_[number]; }
  std::span<const Register> kept() const { return kept_; }  // what the caller wants back
  u32 stack_slots() const { return slots_; }

 private:
  void keep(Register reg);
  Operand next_slot();

  std::vector<Operand> operands_;
  std::vector<Register> kept_;
  u32 slots_ = 0;
};

}  // namespace tollgate::rating
