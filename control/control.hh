// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// control: the process beside the packet path. It may block and allocate; nothing waits for it.
//
// It owns the provisioning database, the identity index (after recovery built it), the published
// tariff and the CDR files; it is the producer of the control_charge links and the consumer of the
// journal_control links. Operators and programs reach it through a unix socket (protocol.hh).
//
// It may be killed at any moment and started again: accounts, commands and CDRs continue where they
// stood (store.hh, reconcile.hh, cdr_writer.hh).
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/time.hh"
#include "base/types.hh"
#include "rating/normalise_compile.hh"

namespace tollgate::control {

struct ControlOptions {
  std::string appliance_name;  // begins the names of CDR files
  std::string instance;        // begins the names of the segments: "<instance>.ledger"
  std::string memory_folder;
  std::string state_folder;  // provisioning.db; processes.json of the launcher
  std::string journal_folder;
  std::string cdr_folder;
  std::string socket_path;
  std::vector<std::string> tariff_paths;  // files or folders, compiled together
  u64 cdr_rotation_bytes = 64_MiB;
  u32 cdr_rotation_seconds = 3600;
  u32 charge_tile_count = 1;
  u32 journal_tile_count = 1;
  u32 net_tile_count = 0;                       // whose peers are told
  const rating::AvpNames* avp_names = nullptr;  // for normalising rules; outlives control
  // How long it waits for answers to what it has sent when it is told to stop.
  Duration last_answers_wait = Duration::seconds(2);
};

// Runs until `stop` becomes true. 0: stopped as asked. 1: it cannot go on (its disk fails): the log
// says why, and it may be started again. 2: it could not start; standard error says why and what to
// do. The segments are there and recovered before it is called.
int run_control(const ControlOptions& options, const std::atomic<bool>& stop);

}  // namespace tollgate::control
