// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Launcher: lays out the appliance, starts its processes, keeps them running, stops them in order.
//
// It is the DPDK primary: it opens the port and then stays off the packet path. A core or control
// that dies is started again, and joins its memory; after several deaths in a short time the
// launcher gives up, loudly, because something is wrong that a restart does not heal. It also keeps
// the journal's segments and takes snapshots (journal_keeper.hh, snapshot_keeper.hh). When it dies
// itself, the kernel ends its children: they have no life without.
//
// With single_process all of this is threads of one process.
#pragma once

#include <atomic>
#include <string>

#include "app/config.hh"

namespace tollgate::app {

// The exit status: 0 stopped as asked, 2 could not start (standard error says why), 1 gave up, or a
// process did not end as it should when it was stopped.
int run_launcher(const Config& config, const std::atomic<bool>& stop);
int run_single_process(const Config& config, const std::atomic<bool>& stop);

// The other processes of an appliance: `tollgate --config FILE --role core:N` and `--role control`.
int run_core(const Config& config, u32 core, const std::atomic<bool>& stop);
int run_control_process(const Config& config, const std::atomic<bool>& stop);

}  // namespace tollgate::app
