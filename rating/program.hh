// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Program: a function of a tariff, compiled from Python (python_compile.hh), ready to run.
//
// A program is a block of octets without pointers, so it may lie in any image, at any address that
// is a multiple of 16. It holds the function twice: as a register program that `run` interprets
// anywhere, and as x86-64 code that runs in place where the image is mapped executable. Both give
// the same result, octet for octet.
//
//   header | instructions | tables | words of tables | x86-64 code
//
// It reads the words it is given (parameters first, then facts: facts.hh), its own tables and
// nothing else. It writes one number. It allocates nothing, calls nobody, and ends: its only loops
// are over counted ranges and tables, whose worst case the compiler has added up. Whatever Python
// would raise an exception for, and whatever does not fit into 64 bits, is an outcome with a name.
#pragma once

#include <span>
#include <string_view>

#include "base/types.hh"

namespace tollgate::rating {

enum class ProgramOutcome : u8 {
  ok,
  overflow,            // a number left 64 bits
  division_by_zero,    // ZeroDivisionError
  index_out_of_range,  // IndexError
  key_missing,         // KeyError
  too_long,            // more steps than the compiler allows: the program is not ours
};
std::string_view to_text(ProgramOutcome outcome);

inline constexpr u32 program_magic = 0x31505954;  // "TYP1"
inline constexpr u32 program_registers_max = 1024;
inline constexpr u32 program_instructions_max = 1 << 14;
inline constexpr u32 program_words_max = 1 << 17;  // of all tables
inline constexpr u32 program_inputs_max = 256;
inline constexpr u32 program_steps_max = 100'000;  // instructions of the worst case

// What an instruction does. `d`, `a`, `b` are registers, `imm` a number, `target` an instruction.
enum class Op : u16 {
  constant,     // d = imm
  move,         // d = a
  input,        // d = word imm
  add,          // d = a + b
  sub,          // d = a - b
  mul,          // d = a * b
  div,          // d = a // b, toward minus infinity as Python divides
  mod,          // d = a % b, with the sign of b
  add_imm,      // d = a + imm
  mul_imm,      // d = a * imm
  div_imm,      // d = a // imm, imm at least 1
  mod_imm,      // d = a % imm, imm at least 1
  ceil_imm,     // d = -(-a // imm), imm at least 1
  neg,          // d = -a
  min,          // d = min(a, b)
  max,          // d = max(a, b)
  bit_and,      // d = a & b
  bit_or,       // d = a | b
  bit_xor,      // d = a ^ b
  jump,         // go to target
  jump_lt,      // go to target if a < b
  jump_le,      //
  jump_eq,      //
  jump_ne,      //
  jump_lt_imm,  // go to target if a < imm
  jump_le_imm,
  jump_eq_imm,
  jump_ne_imm,
  jump_gt_imm,
  jump_ge_imm,
  index,   // d = a as Python counts rows of table b: from the end if negative; index_out_of_range
  find,    // d = the row of table b whose first column is a, -1 if there is none
  value,   // d = row a, column imm of table b
  need,    // key_missing if a is negative
  result,  // the function's value is a
};
inline constexpr u16 op_count = static_cast<u16>(Op::result) + 1;

inline bool is_jump(Op op) {
  return op >= Op::jump && op <= Op::jump_ge_imm;
}

struct Instruction {
  Op op = Op::jump;
  u16 d = 0;
  u16 a = 0;
  u16 b = 0;
  u32 target = 0;
  u32 zero = 0;
  i64 imm = 0;
};
static_assert(sizeof(Instruction) == 24);

// Columns one after the other; a table that is searched by key has it in the first, in order.
struct ProgramTable {
  u32 first_word = 0;
  u32 rows = 0;
  u32 columns = 1;
  u32 zero = 0;
};

struct ProgramHeader {
  u32 magic = program_magic;
  u32 bytes = 0;  // of all of it, a multiple of 16
  u32 instruction_count = 0;
  u32 table_count = 0;
  u32 word_count = 0;
  u32 register_count = 0;
  u32 input_count = 0;  // how many words it may look at
  u32 code_offset = 0;  // 0: without x86-64 code
  u64 facts_used = 0;   // bit n: it looks at fact n (facts.hh)
  u32 parameter_count = 0;
  u32 steps_max = 0;  // instructions of the worst case
};
static_assert(sizeof(ProgramHeader) == 48);

struct ProgramResult {
  ProgramOutcome outcome = ProgramOutcome::ok;
  i64 value = 0;
};

// A view of a program that passed validate_program (or came straight from the compiler).
class Program {
 public:
  enum class Mapping : u8 { data, executable };

  Program() = default;
  Program(Bytes bytes, Mapping mapping)
      : base_(bytes.data()), runs_native_(mapping == Mapping::executable && code() != nullptr) {}

  bool is_there() const { return base_ != nullptr; }
  const ProgramHeader& header() const { return *reinterpret_cast<const ProgramHeader*>(base_); }
  std::span<const Instruction> instructions() const {
    return {reinterpret_cast<const Instruction*>(base_ + sizeof(ProgramHeader)),
            header().instruction_count};
  }
  std::span<const ProgramTable> tables() const {
    return {reinterpret_cast<const ProgramTable*>(base_ + tables_offset()), header().table_count};
  }
  const i64* words() const {
    return reinterpret_cast<const i64*>(base_ + tables_offset() +
                                        header().table_count * sizeof(ProgramTable));
  }

  // `inputs` are header().input_count words at least: the parameters, then the facts.
  [[nodiscard]] ProgramResult run(std::span<const i64> inputs) const {
    if (!runs_native_) return interpret(inputs);
    ProgramResult result;
    using Function = u32 (*)(const i64*, i64*);
    const auto function = reinterpret_cast<Function>(reinterpret_cast<std::uintptr_t>(code()));
    result.outcome = static_cast<ProgramOutcome>(function(inputs.data(), &result.value));
    return result;
  }
  [[nodiscard]] ProgramResult interpret(std::span<const i64> inputs) const;

 private:
  u64 tables_offset() const {
    return sizeof(ProgramHeader) + u64{header().instruction_count} * sizeof(Instruction);
  }
  const u8* code() const {
    return header().code_offset == 0 ? nullptr : base_ + header().code_offset;
  }

  const u8* base_ = nullptr;
  bool runs_native_ = false;
};

// Whether the register program can do no harm, whatever octets these are: sizes, registers, tables,
// targets. x86-64 code is not judged: who maps an image executable trusts who made it.
[[nodiscard]] bool validate_program(Bytes bytes);

}  // namespace tollgate::rating
