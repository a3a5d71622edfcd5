// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollsim --seeds FROM..TO [--json] [--trace] [--steps N] [--jobs N]
//
// Runs the simulation for each seed in a process of its own, so that one that breaks does not take
// the others along. A seed that fails is printed with what was wrong; the same seed fails again in
// the same way. Exit 0 only if all hold.

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/versioned_blob.hh"
#include "rating/compile.hh"
#include "tests/sim/simulation.hh"

namespace tollgate::sim {
namespace {

struct Arguments {
  u64 first = 0;
  u64 last = 0;
  u32 steps = 400;
  u32 jobs = 1;
  bool is_json = false;
  bool has_trace = false;
};

struct Result {
  Counts counts;
  bool is_good = false;
  char why[900] = {};
};

bool read_number(std::string_view text, u64& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool read_arguments(int count, char** words, Arguments& arguments) {
  bool has_seeds = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const std::string_view value = i + 1 < count ? words[i + 1] : "";
    u64 number = 0;
    if (word == "--json") {
      arguments.is_json = true;
    } else if (word == "--trace") {
      arguments.has_trace = true;
    } else if (word == "--seeds") {
      const std::size_t dots = value.find("..");
      if (dots == std::string_view::npos || !read_number(value.substr(0, dots), arguments.first) ||
          !read_number(value.substr(dots + 2), arguments.last)) {
        return false;
      }
      has_seeds = arguments.first <= arguments.last;
      ++i;
    } else if ((word == "--steps" || word == "--jobs") && read_number(value, number) &&
               number >= 1 && number <= 1'000'000) {
      (word == "--steps" ? arguments.steps : arguments.jobs) = static_cast<u32>(number);
      ++i;
    } else {
      return false;
    }
  }
  return has_seeds;
}

// The tariff, compiled once for all seeds.
const VersionedBlob& make_tariff(const Pages& memory, u64 slot_bytes) {
  const rating::TariffText text{.name = "sim.tariff", .text = tariff_text};
  const rating::Compiled compiled = rating::compile({&text, 1});
  if (!compiled.is_good()) {
    fmt::print(stderr, "{}\n", rating::to_text(compiled.diagnostics[0]));
    std::exit(1);
  }
  VersionedBlob* blob = VersionedBlob::format(memory.data(), slot_bytes);
  const u32 version = blob->publish(compiled.image);
  check(version != 0, "the simulation's tariff is small");
  return *blob;
}

// Journal files are read past the page cache; a memory file system does that as well.
std::string make_folder() {
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    std::string folder = fmt::format("{}/tollsim.{}", parent, ::getpid());
    std::error_code failure;
    if (!std::filesystem::create_directory(folder, failure)) continue;
    const std::string probe = folder + "/probe";
    const int fd = ::open(probe.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0) {
      ::close(fd);
      ::unlink(probe.c_str());
      return folder;
    }
    std::filesystem::remove_all(folder, failure);
  }
  fmt::print(stderr, "tollsim: neither /dev/shm nor /tmp takes files with O_DIRECT\n");
  std::exit(1);
}

Result run_seed(u64 seed, const Arguments& arguments, const VersionedBlob& tariff) {
  Result result;
  const std::string folder = make_folder();
  try {
    Simulation simulation({.seed = seed,
                           .steps = arguments.steps,
                           .has_trace = arguments.has_trace,
                           .folder = folder,
                           .tariff = &tariff});
    try {
      simulation.run();
      result.is_good = true;
    } catch (const Fault& fault) {
      fmt::format_to_n(result.why, sizeof result.why - 1, "{}", fault.what());
    }
    result.counts = simulation.counts();
  } catch (const std::exception& exception) {
    result.is_good = false;
    fmt::format_to_n(result.why, sizeof result.why - 1, "{}", exception.what());
  }
  std::error_code failure;
  std::filesystem::remove_all(folder, failure);
  return result;
}

class Runner {
 public:
  Runner(const Arguments& arguments, const VersionedBlob& tariff)
      : arguments_(arguments), tariff_(tariff) {}

  void run() {
    for (u64 seed = arguments_.first; seed <= arguments_.last; ++seed) {
      if (children_.size() >= arguments_.jobs) take_result();
      start(seed);
    }
    while (!children_.empty()) take_result();
  }
  const Counts& counts() const { return sum_; }
  u64 failed() const { return failed_; }

 private:
  struct Child {
    u64 seed;
    pid_t pid;
    int pipe;
  };
  void start(u64 seed) {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC) == 0, "a pipe to the child");
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    check(pid >= 0, "a process for a seed");
    if (pid == 0) {
      const Result result = run_seed(seed, arguments_, tariff_);
      const bool is_told = ::write(ends[1], &result, sizeof result) == sizeof result;
      std::fflush(nullptr);
      ::_exit(is_told ? 0 : 1);  // what was killed inside stays as it lies
    }
    ::close(ends[1]);
    children_.push_back({.seed = seed, .pid = pid, .pipe = ends[0]});
  }
  void take_result() {
    const Child child = children_.front();
    children_.erase(children_.begin());
    Result result;
    const bool is_whole = ::read(child.pipe, &result, sizeof result) == sizeof result;
    ::close(child.pipe);
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    if (!is_whole) {
      result = {};
      fmt::format_to_n(result.why, sizeof result.why - 1, "ended with status {:#x}", status);
      std::error_code failure;
      for (const char* parent : {"/dev/shm", "/tmp"}) {
        std::filesystem::remove_all(fmt::format("{}/tollsim.{}", parent, child.pid), failure);
      }
    }
    add(result.counts);
    if (result.is_good) return;
    ++failed_;
    fmt::print(stderr, "seed {} failed at step {}: {}\n", child.seed, result.counts.steps,
               static_cast<const char*>(result.why));
  }
  void add(const Counts& more) {
    sum_.steps += more.steps;
    sum_.crashes += more.crashes;
    sum_.faults += more.faults;
    sum_.operations += more.operations;
    sum_.answers += more.answers;
    sum_.power_losses += more.power_losses;
    sum_.kills_inside += more.kills_inside;
    sum_.damages_refused += more.damages_refused;
    sum_.damages_unproved += more.damages_unproved;
  }

  const Arguments& arguments_;
  const VersionedBlob& tariff_;
  std::vector<Child> children_;
  Counts sum_;
  u64 failed_ = 0;
};

void print(const Arguments& arguments, const Counts& counts, u64 failed) {
  const u64 seeds = arguments.last - arguments.first + 1;
  if (arguments.is_json) {
    fmt::print(
        "{{\"seeds\":{},\"failed\":{},\"steps\":{},\"crashes\":{},\"faults\":{},"
        "\"operations\":{},\"answers\":{},\"power_losses\":{},\"kills_inside\":{},"
        "\"damages_refused\":{},\"damages_unproved\":{}}}\n",
        seeds, failed, counts.steps, counts.crashes, counts.faults, counts.operations,
        counts.answers, counts.power_losses, counts.kills_inside, counts.damages_refused,
        counts.damages_unproved);
    return;
  }
  fmt::print(
      "{} seeds, {} failed: {} steps, {} operations, {} answers, {} crashes ({} of power, {} at an "
      "instruction), {} faults, {} damaged journals refused\n",
      seeds, failed, counts.steps, counts.operations, counts.answers, counts.crashes,
      counts.power_losses, counts.kills_inside, counts.faults, counts.damages_refused);
}

int run(int count, char** words) {
  Arguments arguments;
  if (!read_arguments(count, words, arguments)) {
    fmt::print(stderr,
               "usage: tollsim --seeds FROM..TO [--json] [--trace] [--steps N] [--jobs N]\n");
    return 2;
  }
  // A seed repeats exactly where memory lies at the same places.
  const int persona = ::personality(0xffffffff);
  if (persona >= 0 && (persona & ADDR_NO_RANDOMIZE) == 0 &&
      ::personality(static_cast<unsigned>(persona) | ADDR_NO_RANDOMIZE) >= 0) {
    ::execv("/proc/self/exe", words);
  }
  // Buffers that come and go with tiles and readers stay in the heap: fresh pages cost more than
  // all else that a seed does.
  constexpr int heap_bytes = 64 << 20;
  ::mallopt(M_MMAP_THRESHOLD, heap_bytes);
  ::mallopt(M_TRIM_THRESHOLD, heap_bytes);
  constexpr u64 tariff_bytes_max = 256_KiB;
  const Pages memory(VersionedBlob::footprint(tariff_bytes_max));
  Runner runner(arguments, make_tariff(memory, tariff_bytes_max));
  runner.run();
  print(arguments, runner.counts(), runner.failed());
  return runner.failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::sim

int main(int count, char** words) {
  return tollgate::sim::run(count, words);
}
