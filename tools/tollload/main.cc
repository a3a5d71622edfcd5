// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollload: a load of Diameter credit-control clients.
//
// Exit status: 0 if every request was answered and every answer was right, 1 if not or if the run
// ended early, 2 for a mistake on the command line.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/tollload/engine.hh"
#include "tools/tollload/network.hh"
#include "tools/tollload/options.hh"
#include "tools/tollload/record.hh"
#include "tools/tollload/results.hh"

namespace tollgate::tollload {
namespace {

// A core that polls and never enters the scheduler delays the disk completions of others by whole
// ticks; this often is enough to avoid it.
constexpr Duration yield_interval = Duration::microseconds(20);
constexpr Duration progress_interval = Duration::seconds(1);

volatile sig_atomic_t stop_requests = 0;
// Whoever stops this may have stopped the appliance before. What DPDK had mapped of a memif port
// goes away with its other end, in another thread, and may not be polled meanwhile.
constexpr useconds_t stop_rest_us = 200'000;

void request_stop(int) {
  stop_requests = stop_requests + 1;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = request_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

class Teller {
 public:
  Teller(bool is_quiet, Instant now) : is_quiet_(is_quiet), start_(now), last_(now) {}

  void tell(const Engine& engine, Results& results, Instant now) {
    if (now - last_ < progress_interval) return;
    const Progress progress{.phase = to_text(engine.phase()),
                            .since_start = now - start_,
                            .interval = now - last_,
                            .answered_in_interval = results.answered_count - answered_count_,
                            .in_flight_count = engine.in_flight_count()};
    if (!is_quiet_) fmt::print(stderr, "{}", to_text(progress, results));
    results.end_interval();
    answered_count_ = results.answered_count;
    last_ = now;
  }

 private:
  bool is_quiet_;
  Instant start_;
  Instant last_;
  u64 answered_count_ = 0;
};

void drive(const Options& options, Engine& engine, dataplane::Transport& transport,
           const Clock& clock) {
  Instant now = clock.now();
  Teller teller(options.quiet, now);
  Instant yielded = now;
  bool is_stopping = false;
  engine.start(transport, now);
  while (engine.turn(now)) {
    now = clock.now();
    if (now - yielded >= yield_interval) {
      if (options.yields) sched_yield();
      now = clock.now();
      yielded = now;
      teller.tell(engine, engine.results(), now);
    }
    if (stop_requests > 0 && !is_stopping) {
      is_stopping = true;
      ::usleep(stop_rest_us);
      engine.stop();
    }
    if (stop_requests > 1) {
      engine.results().failure = "stopped by a second signal";
      return;
    }
  }
}

bool write_json(const std::string& path, const std::string& json) {
  const bool is_standard = path == "-";
  std::FILE* const file = is_standard ? stdout : std::fopen(path.c_str(), "w");
  bool is_written = file != nullptr;
  if (is_written) is_written = std::fwrite(json.data(), 1, json.size(), file) == json.size();
  if (file != nullptr && !is_standard) is_written &= std::fclose(file) == 0;
  if (!is_written) fmt::print(stderr, "tollload: --json {}: {}\n", path, std::strerror(errno));
  return is_written;
}

int run(const Options& options) {
  std::string error;
  std::unique_ptr<RecordFile> record;
  if (!options.record_path.empty()) {
    record = RecordFile::create(options.record_path, error);
    if (!record) {
      fmt::print(stderr, "tollload: {}\n", error);
      return 1;
    }
  }
  const Clock clock;
  Engine engine(options, &clock, record.get());
  {
    const std::unique_ptr<Network> network = Network::create(options, engine, error);
    if (!network) {
      fmt::print(stderr, "tollload: {}\n", error);
      return 1;
    }
    catch_signals();
    drive(options, engine, network->transport(), clock);
    engine.results().transport = network->transport().counters();
  }
  Results& results = engine.results();
  results.end_interval();
  bool all_right = results.all_right();
  if (record && !record->finish()) {
    fmt::print(stderr, "tollload: --record {}: not everything could be written\n",
               options.record_path);
    all_right = false;
  }
  if (!options.json_path.empty())
    all_right &= write_json(options.json_path, to_json(results, options));
  if (!options.quiet) fmt::print(stderr, "{}", to_summary(results));
  return all_right ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::tollload

int main(int argument_count, char** arguments) {
  tollgate::tollload::Options options;
  std::string text;
  switch (tollgate::tollload::parse_options(argument_count, arguments, options, text)) {
    case tollgate::tollload::Parsed::help:
      fmt::print("{}", text);
      return 0;
    case tollgate::tollload::Parsed::wrong:
      fmt::print(stderr, "{}", text);
      return 2;
    case tollgate::tollload::Parsed::run:
      break;
  }
  return tollgate::tollload::run(options);
}
