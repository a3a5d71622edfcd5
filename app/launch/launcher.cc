// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/launch/launcher.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "app/core_process.hh"
#include "app/launch/aside.hh"
#include "app/launch/journal_keeper.hh"
#include "app/launch/snapshot_keeper.hh"
#include "app/launch/start.hh"

namespace tollgate::app {
namespace {

constexpr auto port_name = "port0";
constexpr u32 restarts_max = 10;  // of one process within restart_window
constexpr Duration restart_window = Duration::seconds(60);
constexpr Duration stop_patience = Duration::seconds(8);
constexpr int control_niceness = 5;  // where it has to share a processor

int fail(const std::string& why) {
  std::fprintf(stderr, "tollgate: %s\n", why.c_str());
  return 2;
}

void say(const std::string& text) {
  std::fprintf(stderr, "tollgate: %s\n", text.c_str());
}

void nap(u32 milliseconds) {
  ::usleep(milliseconds * 1000);
}

// A process of the appliance, as the launcher sees it.
struct Child {
  std::string name;  // "core0", "control"
  std::string role;  // of the command line
  pid_t pid = 0;
  u32 restart_count = 0;
  Instant window_begin;
};

pid_t spawn(const Config& config, const Child& child) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  // A child ends with its launcher, even if that is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::execl("/proc/self/exe", "tollgate", "--config", config.file.c_str(), "--role",
          child.role.c_str(), nullptr);
  ::_exit(127);
}

// How a child ended, from what waitpid tells.
std::string how_text(int how) {
  if (WIFSIGNALED(how)) return fmt::format("signal {}", WTERMSIG(how));
  return fmt::format("status {}", WEXITSTATUS(how));
}

// What `tollctl stats` shows and tests kill.
void write_processes(const Config& config, const std::vector<Child>& children) {
  const std::string path = config.state_folder + "/processes.json";
  {
    std::ofstream file(path + ".new");
    file << fmt::format("[{{\"name\":\"launcher\",\"pid\":{}}}", ::getpid());
    for (const Child& child : children) {
      file << fmt::format(",{{\"name\":\"{}\",\"pid\":{}}}", child.name, child.pid);
    }
    file << "]\n";
  }
  ::rename((path + ".new").c_str(), path.c_str());
}

// What goes on beside the cores: journal segments are made and taken back, snapshots are taken.
class Keepers {
 public:
  Keepers(const Config& config, Start& start)
      : journal_(config, start.journal(), start.memory()),
        snapshots_(config, start.journal(), start.memory()),
        thread_([this, &config] {
          step_aside(config, 0);
          const Clock clock;
          while (!stop_.load()) {
            journal_.run(clock.now());
            nap(20);
          }
        }) {}
  ~Keepers() {
    stop_.store(true);
    thread_.join();
  }
  Keepers(const Keepers&) = delete;
  Keepers& operator=(const Keepers&) = delete;

 private:
  JournalKeeper journal_;
  SnapshotKeeper snapshots_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

void pin(i32 cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    say(fmt::format("cannot run on cpu {}: it is not there, or not ours; running anywhere", cpu));
  }
}

class Supervisor {
 public:
  explicit Supervisor(const Config& config) : config_(config) {
    for (u32 i = 0; i < config.cores.size(); ++i) {
      children_.push_back({.name = fmt::format("core{}", i), .role = fmt::format("core:{}", i)});
    }
    children_.push_back({.name = "control", .role = "control"});
  }

  int run(const std::atomic<bool>& stop) {
    for (Child& child : children_) child.pid = spawn(config_, child);
    write_processes(config_, children_);
    int status = 0;
    while (!stop.load() && status == 0) {
      if (!revive_dead()) status = 1;
      nap(5);
    }
    stop_all();
    return status == 0 && has_crashed_ ? 1 : status;
  }

 private:
  // False: a process died too often.
  bool revive_dead() {
    int how = 0;
    const pid_t pid = ::waitpid(-1, &how, WNOHANG);
    if (pid <= 0) return true;
    for (Child& child : children_) {
      if (child.pid != pid) continue;
      const Instant now = clock_.now();
      if (now - child.window_begin > restart_window) {
        child.window_begin = now;
        child.restart_count = 0;
      }
      say(fmt::format("{} ended ({}): starting it again", child.name, how_text(how)));
      if (++child.restart_count > restarts_max) {
        say(fmt::format("{} ended {} times within a minute: giving up; what it printed says why",
                        child.name, child.restart_count));
        child.pid = 0;
        return false;
      }
      child.pid = spawn(config_, child);
      write_processes(config_, children_);
    }
    return true;
  }

  // Cores with peers first, then the others, control last: it has the last CDRs to write.
  void stop_all() {
    stop_those(
        [&](const Child& child) { return child.role.starts_with("core") && has_net(child); });
    stop_those([&](const Child& child) { return child.role.starts_with("core"); });
    stop_those([&](const Child&) { return true; });
  }

  bool has_net(const Child& child) const {
    const auto number = static_cast<u32>(std::stoul(child.role.substr(5)));
    return CoreProcess(config_, number).has_net();
  }

  template <class Which>
  void stop_those(Which which) {
    std::vector<Child*> waiting;
    for (Child& child : children_) {
      if (child.pid > 0 && which(child)) {
        ::kill(child.pid, SIGTERM);
        waiting.push_back(&child);
      }
    }
    const Instant deadline = clock_.now() + stop_patience;
    for (Child* child : waiting) {
      int how = 0;
      while (::waitpid(child->pid, &how, WNOHANG) == 0) {
        nap(2);
        if (clock_.now() < deadline) continue;
        say(fmt::format("{} does not stop: killing it", child->name));
        ::kill(child->pid, SIGKILL);
        ::waitpid(child->pid, &how, 0);
        break;
      }
      child->pid = 0;
      if (how == 0) continue;
      say(fmt::format("{} ended with {} instead of stopping", child->name, how_text(how)));
      has_crashed_ = true;
    }
  }

  const Config& config_;
  Clock clock_;
  std::vector<Child> children_;
  bool has_crashed_ = false;
};

std::string start_dpdk(const Config& config, dataplane::Port& port) {
  std::string why = dataplane::start_eal(eal_options(config, dataplane::ProcessRole::primary, 0));
  if (!why.empty()) return why;
  dataplane::PortOptions options = config.port;
  options.name = port_name;
  return port.open(options);
}

void clean_up(const Config& config) {
  ApplianceMemory::remove(config);
  ::unlink((config.state_folder + "/processes.json").c_str());
}

}  // namespace

int run_launcher(const Config& config, const std::atomic<bool>& stop) {
  Start start(config);
  std::string why = start.run();
  if (!why.empty()) return fail(why);
  dataplane::Port port;
  why = start_dpdk(config, port);
  if (!why.empty()) {
    clean_up(config);
    return fail(why);
  }
  int status = 0;
  {
    Supervisor supervisor(config);
    const Keepers keepers(config, start);
    say(fmt::format("{} is up: {} on port {}", config.name, config.identity, config.listen_port));
    status = supervisor.run(stop);
  }
  port.close();
  dataplane::stop_eal();
  clean_up(config);
  say("stopped");
  return status;
}

int run_core(const Config& config, u32 core, const std::atomic<bool>& stop) {
  dataplane::Port port;  // outlives the tiles that poll it
  CoreProcess process(config, core);
  std::string why;
  pin(config.cores[core].cpu);
  if (process.has_net()) {
    auto options = eal_options(config, dataplane::ProcessRole::secondary, core + 1);
    if (config.cores[core].cpu >= 0) options.cpus = {static_cast<u32>(config.cores[core].cpu)};
    why = dataplane::start_eal(options);
    u32 queue = 0;
    for (const TileName& tile : config.cores[core].tiles) {
      if (tile.kind == TileKind::net) queue = tile.number;
    }
    if (why.empty()) why = port.join({.name = port_name, .queue_index = queue});
  }
  if (why.empty()) why = process.prepare(port);
  if (!why.empty()) return fail(fmt::format("core {}: {}", core, why));
  process.run(stop);
  return 0;
}

int run_control_process(const Config& config, const std::atomic<bool>& stop) {
  step_aside(config, control_niceness);
  return control::run_control(control_options(config), stop);
}

int run_single_process(const Config& config, const std::atomic<bool>& stop) {
  Start start(config);
  std::string why = start.run();
  if (!why.empty()) return fail(why);
  dataplane::Port port;
  why = start_dpdk(config, port);
  std::vector<std::unique_ptr<CoreProcess>> cores;
  for (u32 i = 0; i < config.cores.size() && why.empty(); ++i) {
    cores.push_back(std::make_unique<CoreProcess>(config, i));
    why = cores.back()->prepare(port);
  }
  if (!why.empty()) {
    clean_up(config);
    return fail(why);
  }
  std::atomic<bool> side_stop = false;
  auto keepers = std::make_unique<Keepers>(config, start);
  std::thread control([&] {
    step_aside(config, control_niceness);
    control::run_control(control_options(config), side_stop);
  });
  write_processes(config, {});
  say(fmt::format("{} is up: {} on port {}", config.name, config.identity, config.listen_port));
  // The EAL's own thread is this one: it runs the core with the net tile, others get threads.
  std::vector<std::thread> threads;
  for (u32 i = 0; i < cores.size(); ++i) {
    if (cores[i]->has_net()) continue;
    threads.emplace_back([&, i] {
      pin(config.cores[i].cpu);
      cores[i]->run(stop);
    });
  }
  for (const auto& core : cores) {
    if (core->has_net()) core->run(stop);
  }
  for (std::thread& thread : threads) thread.join();
  side_stop.store(true);
  control.join();
  keepers.reset();
  cores.clear();
  port.close();
  dataplane::stop_eal();
  clean_up(config);
  say("stopped");
  return 0;
}

}  // namespace tollgate::app
