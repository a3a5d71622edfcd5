// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollgate: the appliance. `tollgate --config FILE` runs it in the foreground until SIGTERM or
// SIGINT; `tollgate check FILE` reads a configuration and its tariffs and tells every mistake.

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/launch/launcher.hh"
#include "app/topology.hh"

namespace {

using namespace tollgate;

std::atomic<bool> stop_requested = false;

void on_signal(int) {
  stop_requested.store(true);
}

void install_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool load(const std::string& file, app::Config& config) {
  const auto mistakes = app::read_config(file, config);
  for (const app::ConfigMistake& mistake : mistakes) {
    std::fprintf(stderr, "%s\n", app::to_text(file, mistake).c_str());
  }
  return mistakes.empty();
}

int run_role(const app::Config& config, const std::string& role) {
  if (role == "control") return app::run_control_process(config, stop_requested);
  const std::string prefix = "core:";
  if (role.starts_with(prefix)) {
    const u32 core = static_cast<u32>(std::stoul(role.substr(prefix.size())));
    if (core < config.cores.size()) return app::run_core(config, core, stop_requested);
  }
  std::fprintf(stderr, "tollgate: there is no role '%s'\n", role.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("Tollgate, an online charging system on DPDK", "tollgate");
  std::string file;
  std::string role;
  std::string checked;
  bool single_process = false;
  cli.add_option("--config", file, "the appliance's configuration (TOML)");
  cli.add_flag("--single-process", single_process, "all tiles as threads of this process");
  cli.add_option("--role", role, "what this process is; the launcher says so")->group("");
  CLI::App* check = cli.add_subcommand("check", "tell every mistake of a configuration");
  check->add_option("FILE", checked, "the configuration")->required();
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? 0 : 2;
  }
  app::Config config;
  if (check->parsed()) {
    if (!load(checked, config)) return 2;
    std::fputs(app::describe(config).c_str(), stdout);
    return 0;
  }
  if (file.empty()) {
    std::fputs("tollgate: expected --config FILE; try config/demo.toml\n", stderr);
    return 2;
  }
  if (!load(file, config)) return 2;
  install_signals();
  if (!role.empty()) return run_role(config, role);
  if (single_process || config.single_process) {
    return app::run_single_process(config, stop_requested);
  }
  return app::run_launcher(config, stop_requested);
}
