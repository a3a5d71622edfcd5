// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/eal.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tollgate::dataplane {

namespace {

bool is_running_ = false;
bool owns_memory_ = false;  // a primary with huge pages
std::string huge_directory_;
std::string file_prefix_;

void append(std::string& list, u32 number) {
  if (!list.empty()) list += ',';
  list += std::to_string(number);
}

std::string cpus_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::string text;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "0";
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) append(text, static_cast<u32>(cpu));
  }
  return text;
}

std::string cpus_text(const std::vector<u32>& cpus) {
  if (cpus.empty()) return cpus_of_this_thread();
  std::string text;
  for (u32 cpu : cpus) append(text, cpu);
  return text;
}

// EAL writes some of its complaints straight to standard error; ours says it in one sentence.
class Silence {
 public:
  explicit Silence(bool is_wanted) {
    if (!is_wanted) return;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    fflush(stderr);
    kept_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept_ >= 0) dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
  }
  ~Silence() {
    if (kept_ < 0) return;
    fflush(stderr);
    dup2(kept_, STDERR_FILENO);
    ::close(kept_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int kept_ = -1;
};

u64 free_huge_pages() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  u64 value = 0;
  while (file >> key >> value) {
    if (key == "HugePages_Free:") return value;
    file.ignore(64, '\n');
  }
  return 0;
}

std::string why_not(const EalOptions& options, int error) {
  if (options.role == ProcessRole::secondary) {
    return fmt::format(
        "DPDK: cannot join the processes of file prefix '{}' ({}); is their primary running with "
        "the same prefix and the same huge pages?",
        options.file_prefix, rte_strerror(error));
  }
  if (options.huge_pages && free_huge_pages() * 2 < options.memory_mib) {
    return fmt::format(
        "DPDK: {} MiB of huge pages are needed and {} MiB are free; raise "
        "/proc/sys/vm/nr_hugepages, or run a single process without huge pages",
        options.memory_mib, free_huge_pages() * 2);
  }
  if (error == EACCES || error == EPERM)
    return "DPDK: no permission for huge pages or its run directory; run as root";
  return fmt::format(
      "DPDK: cannot start with file prefix '{}' ({}); a process of an earlier start with this "
      "prefix may still be running, or the hugetlbfs mount '{}' is missing",
      options.file_prefix, rte_strerror(error), options.huge_directory);
}

std::vector<std::string> arguments_of(const EalOptions& options) {
  std::vector<std::string> arguments = {
      options.program,
      "--proc-type=" + std::string(options.role == ProcessRole::primary ? "primary" : "secondary"),
      "--file-prefix=" + options.file_prefix,
      fmt::format("--lcores={}@({})", options.lcore, cpus_text(options.cpus)),
      "--no-telemetry",
  };
  if (!options.verbose) arguments.emplace_back("--log-level=*:critical");
  if (!options.huge_pages) {
    arguments.emplace_back("--no-huge");
    arguments.push_back(fmt::format("-m{}", options.memory_mib));
    arguments.emplace_back("--no-shconf");
  } else if (options.role == ProcessRole::primary) {
    arguments.push_back(fmt::format("-m{}", options.memory_mib));
  }
  if (options.huge_pages && !options.huge_directory.empty())
    arguments.push_back("--huge-dir=" + options.huge_directory);
  if (options.single_file_segments) arguments.emplace_back("--single-file-segments");
  if (options.pci_addresses.empty()) arguments.emplace_back("--no-pci");
  for (const std::string& address : options.pci_addresses) arguments.push_back("-a" + address);
  return arguments;
}

// Where huge pages may lie if the caller did not say it.
std::vector<std::string> huge_directories() {
  if (!huge_directory_.empty()) return {huge_directory_};
  std::vector<std::string> all;
  std::ifstream mounts("/proc/mounts");
  for (std::string device, folder, kind, rest; mounts >> device >> folder >> kind;) {
    std::getline(mounts, rest);
    if (kind == "hugetlbfs") all.push_back(folder);
  }
  return all;
}

// DPDK keeps the pages of a primary as files, so that secondaries find them; at its end nobody else
// removes them, and their memory would be gone until the next start with this prefix.
void remove_left_files(const std::string& runtime_directory) {
  std::error_code ignored;
  for (const std::string& folder : huge_directories()) {
    std::vector<std::filesystem::path> ours;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      if (entry.path().filename().string().starts_with(file_prefix_ + "map_"))
        ours.push_back(entry.path());
    }
    for (const std::filesystem::path& path : ours) std::filesystem::remove(path, ignored);
  }
  std::filesystem::remove_all(runtime_directory, ignored);
}

}  // namespace

std::string start_eal(const EalOptions& options) {
  if (is_running_) return "DPDK: this process has started it already";
  if (options.lcore >= RTE_MAX_LCORE)
    return fmt::format("DPDK: lcore {} is not below {}", options.lcore, RTE_MAX_LCORE);
  if (options.role == ProcessRole::secondary && !options.huge_pages)
    return "DPDK: several processes need huge pages; run a single process without them";
  std::vector<std::string> arguments = arguments_of(options);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int result = [&] {
    const Silence silence(!options.verbose);
    return rte_eal_init(static_cast<int>(argv.size() - 1), argv.data());
  }();
  if (result < 0) return why_not(options, rte_errno);
  is_running_ = true;
  owns_memory_ = options.role == ProcessRole::primary && options.huge_pages;
  huge_directory_ = options.huge_directory;
  file_prefix_ = options.file_prefix;
  return {};
}

void stop_eal() {
  if (!is_running_) return;
  is_running_ = false;
  const std::string runtime_directory = rte_eal_get_runtime_dir();
  rte_eal_cleanup();
  if (owns_memory_) remove_left_files(runtime_directory);
}

bool eal_is_running() {
  return is_running_;
}

}  // namespace tollgate::dataplane
