// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// start_eal: makes this process a DPDK process, once.
//
// The primary owns the memory and the ports. Secondaries with the same file prefix join its memory
// and poll queues of its ports; each has an lcore number of its own, because buffer pools keep a
// cache for each lcore number: two processes with the same number would corrupt it. A secondary
// that was killed and comes back takes the number that it had.
//
// Nothing here ends the process: what is wrong comes back as one sentence that says what to do.
#pragma once

#include <string>
#include <vector>

#include "base/types.hh"

namespace tollgate::dataplane {

enum class ProcessRole : u8 { primary, secondary };

struct EalOptions {
  ProcessRole role = ProcessRole::primary;
  std::string program = "tollgate";      // shown in messages
  std::string file_prefix = "tollgate";  // names the group of processes; one group an appliance
  u32 lcore = 0;                         // below 128, unique in the group; the primary takes 0
  std::vector<u32> cpus;                 // where the calling thread runs; empty: where it does now
  bool huge_pages = true;                // false: ordinary memory, one process only
  std::string huge_directory;            // a mounted hugetlbfs; empty: the one that the system has
  u32 memory_mib = 512;                  // primary: taken at start; ports may take more
  bool single_file_segments = false;     // one file for all pages: virtio-user wants it
  std::vector<std::string> pci_addresses;  // the only PCI devices to touch; empty: none
  bool verbose = false;                    // DPDK's own messages on standard error
};

// Call once a process, before any thread that shall inherit the CPU set. Returns an empty text, or
// why it did not work.
[[nodiscard]] std::string start_eal(const EalOptions& options);

// Gives everything back, the files of a primary's huge pages as well (a primary: the ports must be
// closed, the secondaries gone). After it the process may only end.
void stop_eal();

// Whether start_eal has succeeded.
bool eal_is_running();

}  // namespace tollgate::dataplane
