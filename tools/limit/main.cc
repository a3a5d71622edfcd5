// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollgate_limit: the work of the appliance's core without packets, TCP and other processes.
//
// The tiles are those of the appliance (app/), in one core and in memory of the same sizes; what is
// missing is the port: requests are written into memory by clients of the same process. What it
// reaches is what the appliance could reach if the network cost nothing: tools/bench gy holds the
// measured rate against it. With --no-disk groups are taken for written at once.
#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/limit/rig.hh"

namespace tollgate::limit {
namespace {

struct LimitOptions {
  std::string config_file;
  RigOptions rig;
  u32 seconds = 5;
  i32 cpu = -1;
};

std::string to_json(const Clients& clients, bool has_disk) {
  const Clock clock;
  const Mark& begin = clients.begin();
  const Mark& end = clients.end();
  const u64 answered = end.answered - begin.answered;
  const u64 client_ticks = end.client_ticks - begin.client_ticks;
  const u64 ticks = end.tsc - begin.tsc;
  const i64 client_ns = clock.ticks_to_duration(client_ticks).ns;
  const i64 clock_ns = clock.ticks_to_duration(ticks).ns;
  const i64 processor_ns = (end.processor - begin.processor).ns;
  const auto rate = [&](i64 over_ns) {
    return over_ns <= 0
               ? u64{0}
               : static_cast<u64>(u128{answered} * 1'000'000'000 / static_cast<u64>(over_ns));
  };
  const auto each = [&](u64 of_ticks) { return answered == 0 ? 0 : of_ticks / answered; };
  const auto seat = [&](u32 i) { return end.core.seat_ticks[i] - begin.core.seat_ticks[i]; };
  return fmt::format(
      R"({{"answers_per_second":{},"answers_per_second_and_core":{},"answered":{},"wrong":{},)"
      R"("ccr_bytes":{},"disk":{},)"
      R"("cycles_per_ccr":{{"clients":{},"net":{},"charge":{},"journal":{},"busy":{}}}}})"
      "\n",
      rate(clock_ns - client_ns), rate(processor_ns - client_ns), answered, clients.wrong_count(),
      clients.update_bytes(), has_disk, each(client_ticks), each(seat(0) - client_ticks),
      each(seat(1)), each(seat(2)),
      each(end.core.busy_ticks - begin.core.busy_ticks - client_ticks));
}

int run_limit(const LimitOptions& options) {
  app::Config config;
  const auto mistakes = app::read_config(options.config_file, config);
  for (const app::ConfigMistake& mistake : mistakes)
    fmt::print(stderr, "{}\n", app::to_text(options.config_file, mistake));
  if (!mistakes.empty()) return 2;
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(options.cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
      fmt::print(stderr, "tollgate_limit: no cpu {}: running anywhere\n", options.cpu);
  }
  Rig rig(config, options.rig);
  std::string why = rig.prepare();
  if (why.empty()) why = rig.add_subscribers();
  if (!why.empty()) {
    fmt::print(stderr, "tollgate_limit: {}\n", why);
    return 2;
  }
  rig.run();
  fmt::print("{}", to_json(rig.clients(), !options.rig.no_disk));
  return 0;
}

}  // namespace
}  // namespace tollgate::limit

int main(int argument_count, char** arguments) {
  tollgate::limit::LimitOptions options;
  CLI::App app("What the appliance's core does if packets cost nothing.", "tollgate_limit");
  app.add_option("--config", options.config_file, "an appliance's configuration")->required();
  app.add_option("--subscribers", options.rig.clients.subscriber_count)
      ->check(CLI::Range(1U, 99'999'999U));
  app.add_option("--sessions", options.rig.clients.session_count)
      ->check(CLI::Range(1U, 16'000'000U));
  app.add_option("--connections", options.rig.clients.connection_count)
      ->check(CLI::Range(1U, 256U));
  app.add_option("--window", options.rig.clients.window_count)->check(CLI::Range(1U, 65'536U));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(1U, 600U));
  app.add_option("--core", options.cpu, "the processor to run on");
  app.add_flag("--no-disk", options.rig.no_disk, "groups are taken for written at once");
  CLI11_PARSE(app, argument_count, arguments);
  options.rig.clients.measured = tollgate::Duration::seconds(options.seconds);
  return tollgate::limit::run_limit(options);
}
