// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "rating/facts.hh"
#include "rating/program.hh"
#include "rating/python_compile.hh"

namespace tollgate::rating {
namespace {

// "line:column message" of each mistake.
std::string mistakes_of(const std::string& source, std::string_view function = "f") {
  const PythonCompiled compiled = compile_python(parse_python(source), function, {});
  std::string text;
  for (const PythonMistake& one : compiled.mistakes) {
    text += fmt::format("{}:{} {}\n", one.line, one.column, one.message);
  }
  return text;
}

ProgramResult run(const std::string& source, const Facts& facts = {}) {
  static std::map<std::string, PythonTree> trees;  // starting python3 takes its time
  const auto [tree, is_new] = trees.try_emplace(source);
  if (is_new) tree->second = parse_python(source);
  const PythonCompiled compiled = compile_python(tree->second, "f", {});
  for (const PythonMistake& one : compiled.mistakes) {
    ADD_FAILURE() << one.line << ":" << one.column << " " << one.message;
  }
  if (!compiled.is_good()) return {};
  std::vector<u64> aligned((compiled.program.size() + 7) / 8);
  std::memcpy(aligned.data(), compiled.program.data(), compiled.program.size());
  const Bytes bytes(reinterpret_cast<const u8*>(aligned.data()), compiled.program.size());
  EXPECT_TRUE(validate_program(bytes));
  return Program(bytes, Program::Mapping::data).interpret(facts.value);
}

TEST(Python, DivisionRoundsDownAsInPython) {
  Facts facts;
  facts[Fact::hour] = 7;
  facts[Fact::minute] = 2;
  const ProgramResult result = run(R"(
def f(e: Event) -> int:
    a = e.hour
    b = e.minute
    folded = 7 // 2 + 100 * (-7 // 2) + 10000 * (7 // -2) + 1000000 * (-7 // -2)
    known = a // 2 + 100 * (-a // 2) + 10000 * (a // -2) + 1000000 * (-a // -2)
    both = a // b + 100 * (-a // b) + 10000 * (a // -b) + 1000000 * (-a // -b)
    return folded if folded == known and known == both else -1
)",
                                   facts);
  EXPECT_EQ(result.value, 3 - 400 - 40'000 + 3'000'000);
}

TEST(Python, TiersOfATable) {
  Facts facts;
  facts[Fact::quantity] = 2500;
  const ProgramResult result = run(R"(
from tollgate import Event
TIERS = [(1000, 3), (2000, 2), (10 ** 18, 1)]

def f(event: Event) -> int:
    """What so much costs in steps."""
    cost = 0
    before = 0
    for limit, price in TIERS:
        if event.quantity <= before:
            break
        cost += (min(event.quantity, limit) - before) * price
        before = limit
    return cost
)",
                                   facts);
  EXPECT_EQ(result.outcome, ProgramOutcome::ok);
  EXPECT_EQ(result.value, 3000 + 2000 + 500);
}

TEST(Python, WhatGoesWrongHasAName) {
  const std::string source = R"(
T = [1, 2]
D = {1: 2}
def f(event: Event) -> int:
    if event.day == 0:
        return event.quantity + 1
    if event.day == 1:
        return 1 // event.hour
    if event.day == 2:
        return T[event.hour + 2]
    if event.day == 3:
        return T[event.hour - 3]
    if event.day == 4:
        return D[event.hour]
    return T[event.hour - 2]
)";
  constexpr ProgramOutcome expected[] = {
      ProgramOutcome::overflow,           ProgramOutcome::division_by_zero,
      ProgramOutcome::index_out_of_range, ProgramOutcome::index_out_of_range,
      ProgramOutcome::key_missing,        ProgramOutcome::ok};
  Facts facts;
  facts[Fact::quantity] = INT64_MAX;
  for (i64 day = 0; day < static_cast<i64>(std::size(expected)); ++day) {
    facts[Fact::day] = day;
    EXPECT_EQ(run(source, facts).outcome, expected[day]) << day;
  }
}

struct MistakeCase {
  std::string_view body;
  std::string_view expected;
};

// Each is told with its place; the hints say what to write instead.
TEST(Python, OutsideOfTheSubset) {
  constexpr MistakeCase cases[] = {
      {"while True:\n        pass\n    return 1", "2:5 found while"},
      {"return 1 / 2", "2:12 found /, which makes fractions"},
      {"return 0.5", "2:12 found a number with a fraction"},
      {"return f3()", "2:12 'f3' calls itself"},
      {"return print(1)", "2:12 there is no function 'print'"},
      {"if 1 > 2:\n        x = 1\n    return x", "4:12 'x' may have no value yet"},
      {"for i in range(3):\n        pass", "1:1 the function 'f6' may end without return"},
      {"return 1\n    return 2", "3:5 nothing leads here"},
      {"x = 5\n    for i in range(x + 1):\n        x = 2\n    return x",
       "3:20 nobody knows how often this loop runs"},
      {"for i in range(1000):\n        for j in range(1000):\n            pass\n    return 1",
       "1:1 the worst case takes"},
      {"return 'a' < 'b'", "2:12 texts have no order here"},
      {"return 99999999999999999999", "2:12 the number does not fit"},
      {"return lambda: 1", "2:12 found Lambda"},
      {"x = [1]\n    return 1", "2:9 found a table inside of an expression"},
      {"return 1 // 0", "2:12 divides by zero"},
      {"global x\n    return 1", "2:5 found Global"},
      {"try:\n        return 1\n    finally:\n        pass", "2:5 found Try"},
  };
  // One file for all: starting python3 takes its time.
  std::string source;
  std::vector<u32> firsts;
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    firsts.push_back(static_cast<u32>(std::ranges::count(source, '\n')));
    source += fmt::format("def f{}() -> int:\n    {}\n", i, cases[i].body);
  }
  const PythonTree tree = parse_python(source);
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    std::string told;
    for (const PythonMistake& one : compile_python(tree, fmt::format("f{}", i), {}).mistakes) {
      const u32 line = one.line > firsts[i] ? one.line - firsts[i] : one.line;
      told += fmt::format("{}:{} {}\n", line, one.column, one.message);
    }
    EXPECT_NE(told.find(cases[i].expected), std::string::npos)
        << cases[i].body << "\ntold: " << told;
  }
}

TEST(Python, AllMistakesAreToldAtOnce) {
  const std::string told = mistakes_of(
      "import os\ndef f(a=1) -> int:\n    x = 1.5\n    y = 1 / 2\n    return x if z else y\n");
  EXPECT_NE(told.find("1:1 found Import outside"), std::string::npos) << told;
  EXPECT_NE(told.find("2:1 found parameters with defaults"), std::string::npos) << told;
}

TEST(Python, WhatCpythonRefusesIsToldInItsWords) {
  EXPECT_EQ(mistakes_of("def f(:\n    return 1\n").substr(0, 4), "1:7 ");
  EXPECT_NE(mistakes_of("def g() -> int:\n    return 1\n").find("has no function 'f'"),
            std::string::npos);
}

TEST(Python, NothingOfTheFileIsRun) {
  const std::string told = mistakes_of("raise SystemExit(3)\ndef f() -> int:\n    return 1\n");
  EXPECT_NE(told.find("1:1 found Raise outside of a function"), std::string::npos) << told;
}

// Any octets may stand where a program is looked for.
TEST(Python, DamagedProgramsAreRefusedOrHarmless) {
  const PythonCompiled compiled = compile_python(
      parse_python("T = [1, 2, 3]\nD = {1: 2, 3: 4}\ndef f(event: Event) -> int:\n"
                   "    s = 0\n    for i in range(9):\n        s += T[i % 3] * D.get(i, 7)\n"
                   "    return s // max(1, event.hour)\n"),
      "f", {});
  ASSERT_TRUE(compiled.is_good());
  std::vector<u64> aligned((compiled.program.size() + 7) / 8);
  const Bytes bytes(reinterpret_cast<const u8*>(aligned.data()), compiled.program.size());
  const Facts facts;
  u32 accepted = 0;
  for (std::size_t at = 0; at < compiled.program.size(); ++at) {
    for (const u8 change : {0x01, 0x80, 0xff}) {
      std::memcpy(aligned.data(), compiled.program.data(), compiled.program.size());
      reinterpret_cast<u8*>(aligned.data())[at] ^= change;
      if (!validate_program(bytes)) continue;
      ++accepted;
      const ProgramResult result = Program(bytes, Program::Mapping::data).interpret(facts.value);
      EXPECT_LE(static_cast<u8>(result.outcome), static_cast<u8>(ProgramOutcome::too_long));
    }
  }
  EXPECT_GT(accepted, 0u);
}

TEST(Python, TreesThatAreCutAreRefused) {
  const std::string whole = "(Module 0 0 [ (Expr 1 1 (Constant 1 1 i5 ) ) ] )";
  PythonNode node;
  EXPECT_TRUE(read_python_tree(whole, node));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    PythonNode cut;
    EXPECT_FALSE(read_python_tree(std::string_view(whole).substr(0, length), cut)) << length;
  }
}

}  // namespace
}  // namespace tollgate::rating
