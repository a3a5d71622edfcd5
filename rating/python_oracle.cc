// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// python_oracle: runs compiled functions of a Python file on made-up events, for the script beside
// it (python_oracle.py), which asks CPython the same.
//
//   python_oracle check FILE EVENTS SEED   for each function of the file a line of text, "name
//       parameters facts", then for each event the words that it looks at, outcome and result, as
//       64-bit numbers; both engines have been compared before a record is written
//   python_oracle usual FILE EVENTS SEED   the same for usual events, at which nothing goes wrong
//   python_oracle time FILE EVENTS SEED    nanoseconds for each call of `usual`'s events, of which
//       there should be few, again and again: lines of "name ns sum"
//   python_oracle keys TEXT...             the numbers that stand for texts
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>

#include "base/time.hh"
#include "rating/facts.hh"
#include "rating/program.hh"
#include "rating/python_compile.hh"

namespace tollgate::rating {
namespace {

using Words = std::array<i64, program_inputs_max>;

// A copy of a program that may be run where it lies.
class Executable {
 public:
  explicit Executable(Bytes program) : bytes_(round_up(program.size(), page_bytes)) {
    at_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at_ == MAP_FAILED) return;
    std::copy(program.begin(), program.end(), static_cast<u8*>(at_));
    ::mprotect(at_, bytes_, PROT_READ | PROT_EXEC);
    program_ = Program({static_cast<const u8*>(at_), program.size()}, Program::Mapping::executable);
  }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;
  ~Executable() { ::munmap(at_, bytes_); }
  const Program& program() const { return program_; }

 private:
  std::size_t bytes_;
  void* at_ = nullptr;
  Program program_;
};

// Numbers as events have them, and now and then those at which something goes wrong.
i64 make_number(std::mt19937_64& random) {
  const u64 drawn = random();
  switch (drawn % 16) {
    case 0:
      return static_cast<i64>(random());
    case 1:
      return static_cast<i64>(random() >> 34) - (i64{1} << 29);
    case 2:
      return static_cast<i64>((drawn >> 8) % 3) - 1;
    case 3:
      return (drawn & 16) != 0 ? INT64_MAX - static_cast<i64>((drawn >> 8) % 3)
                               : INT64_MIN + static_cast<i64>((drawn >> 8) % 3);
    case 4:
      return -static_cast<i64>((drawn >> 8) % 1000);
    case 5:
    case 6:
    case 7:
      return static_cast<i64>((drawn >> 8) % 16);
    default:
      return static_cast<i64>((drawn >> 8) % 10'000'000);
  }
}

constexpr std::array<std::string_view, 6> names = {"data", "voice", "EU", "home", "roaming", "x"};

void make_inputs(const ProgramHeader& header, std::mt19937_64& random, Words& words) {
  for (u32 i = 0; i < header.parameter_count; ++i) words[i] = make_number(random);
  for (u32 fact = 0; fact < fact_count; ++fact) {
    if ((header.facts_used >> fact & 1) == 0) continue;
    const bool is_text = fact_info(static_cast<Fact>(fact)).type == FactType::text;
    words[header.parameter_count + fact] =
        is_text ? static_cast<i64>(text_key(names[random() % names.size()])) : make_number(random);
  }
}

// Numbers as a gateway's are, so that each function takes the ways that it was written for.
void make_usual_inputs(const ProgramHeader& header, std::mt19937_64& random, Words& words) {
  words = {};
  const auto below = [&](i64 limit) {
    return static_cast<i64>(random() % static_cast<u64>(limit));
  };
  for (u32 i = 0; i < header.parameter_count; ++i) words[i] = below(10'000'000);
  const std::span<i64> facts = std::span(words).subspan(header.parameter_count, fact_count);
  for (i64& fact : facts) fact = below(10'000'000);
  const auto set = [&](Fact fact, i64 value) { facts[static_cast<u32>(fact)] = value; };
  set(Fact::month, 1 + below(12));
  set(Fact::day, 1 + below(28));
  set(Fact::hour, below(24));
  set(Fact::weekday, below(7));
  for (const Fact fact : {Fact::service, Fact::zone, Fact::direction, Fact::location}) {
    set(fact, static_cast<i64>(text_key(names[random() % names.size()])));
  }
  constexpr std::array<i64, 6> networks = {24001, 26201, 20801, 31026, 44010, 50501};
  set(Fact::network, networks[random() % networks.size()]);
}

enum class Mode : u8 { check, usual, time };

struct Job {
  std::string path;
  u64 events = 0;
  u64 seed = 0;
  Mode mode = Mode::check;
};

bool compile_one(const PythonTree& tree, const std::string& name, std::vector<u8>& program) {
  u32 parameters = 0;
  for (const PythonNode& node : tree.module[0].items) {
    if (node.is("FunctionDef") && node[0].name == name) {
      parameters = static_cast<u32>(node[1][1].items.size());
      if (parameters != 0 && node[1][1].items[0][1][0].name == "Event") --parameters;
    }
  }
  const PythonCompiled compiled = compile_python(tree, name, {parameters});
  for (const PythonMistake& one : compiled.mistakes) {
    fmt::print(stderr, "{}:{}:{}: {} ({})\n", name, one.line, one.column, one.message, one.hint);
  }
  program = compiled.program;
  return compiled.is_good() && validate_program(program);
}

bool check_one(const std::string& name, Bytes bytes, const Job& job) {
  const Executable native(bytes);
  const Program portable(bytes, Program::Mapping::data);
  const ProgramHeader& header = portable.header();
  fmt::print("{} {} {} {}\n", name, header.parameter_count, header.facts_used, job.events);
  std::mt19937_64 random(job.seed);
  Words words{};
  std::vector<i64> record;
  for (u64 event = 0; event < job.events; ++event) {
    (job.mode == Mode::usual ? make_usual_inputs : make_inputs)(header, random, words);
    const ProgramResult result = native.program().run(words);
    const ProgramResult other = portable.interpret(words);
    if (result.outcome != other.outcome || result.value != other.value) {
      fmt::print(stderr, "{}: native {} {}, interpreted {} {}\n", name, to_text(result.outcome),
                 result.value, to_text(other.outcome), other.value);
      return false;
    }
    record.clear();
    for (u32 i = 0; i < header.parameter_count; ++i) record.push_back(words[i]);
    for (u32 fact = 0; fact < fact_count; ++fact) {
      if ((header.facts_used >> fact & 1) != 0) {
        record.push_back(words[header.parameter_count + fact]);
      }
    }
    record.push_back(static_cast<i64>(result.outcome));
    record.push_back(result.value);
    std::fwrite(record.data(), sizeof(i64), record.size(), stdout);
  }
  return true;
}

// The words of all events lie close together: on its way through the appliance an event's facts
// have just been written when its functions run.
bool time_one(const std::string& name, Bytes bytes, const Job& job) {
  constexpr u32 rounds = 20'000;
  const Executable native(bytes);
  const ProgramHeader& header = native.program().header();
  const u32 stride = header.parameter_count + fact_count;
  std::mt19937_64 random(job.seed);
  Words words{};
  std::vector<i64> inputs;
  for (u64 event = 0; event < job.events; ++event) {
    make_usual_inputs(header, random, words);
    inputs.insert(inputs.end(), words.begin(), words.begin() + stride);
  }
  const Clock clock;
  u64 sum = 0;
  u64 best = ~u64{0};
  for (u32 round = 0; round < rounds; ++round) {
    const u64 begin = read_tsc();
    for (u64 event = 0; event < job.events; ++event) {
      const ProgramResult result = native.program().run({&inputs[event * stride], stride});
      sum += static_cast<u64>(result.value);
    }
    best = std::min(best, read_tsc() - begin);
  }
  const i64 picoseconds = clock.ticks_to_duration(best * 1000).ns / static_cast<i64>(job.events);
  fmt::print("{} {}.{:03} {}\n", name, picoseconds / 1000, picoseconds % 1000, sum);
  return true;
}

int run(const Job& job) {
  std::ifstream file(job.path, std::ios::binary);
  const std::string source{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const PythonTree tree = parse_python(source);
  if (!tree.mistake.empty()) {
    fmt::print(stderr, "{}:{}: {}\n", job.path, tree.line, tree.mistake);
    return 1;
  }
  for (const std::string& name : python_functions(tree)) {
    if (name.starts_with('_')) continue;  // only called by others
    std::vector<u8> program;
    // What is known not to fit (a constant index beyond its list) is refused before it runs.
    if (!compile_one(tree, name, program)) continue;
    if (!(job.mode == Mode::time ? time_one : check_one)(name, program, job)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tollgate::rating

int main(int count, char** arguments) {
  if (count > 2 && std::string_view(arguments[1]) == "keys") {
    for (int i = 2; i < count; ++i) {
      const auto key = static_cast<tollgate::i64>(tollgate::rating::text_key(arguments[i]));
      fmt::print("{} {}\n", arguments[i], key);
    }
    return 0;
  }
  using tollgate::rating::Mode;
  constexpr std::pair<std::string_view, Mode> modes[] = {
      {"check", Mode::check}, {"usual", Mode::usual}, {"time", Mode::time}};
  const auto* const chosen =
      std::find_if(std::begin(modes), std::end(modes),
                   [&](const auto& mode) { return count == 5 && mode.first == arguments[1]; });
  if (chosen == std::end(modes)) {
    std::fputs("usage: python_oracle check|usual|time FILE EVENTS SEED\n", stderr);
    return 2;
  }
  tollgate::rating::Job job{arguments[2]};
  job.mode = chosen->second;
  const std::string_view events = arguments[3];
  const std::string_view seed = arguments[4];
  std::from_chars(events.begin(), events.end(), job.events);
  std::from_chars(seed.begin(), seed.end(), job.seed);
  return tollgate::rating::run(job);
}
