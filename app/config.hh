// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Config: what the operator wants, read from a TOML file. The samples in config/ explain each key.
//
// read_config tells every mistake with line, column and what was expected, unknown keys included,
// and gives a Config only if there is none. Relative paths in the file are relative to the file.
#pragma once

#include <string>
#include <vector>

#include "app/charge_context.hh"
#include "app/peer_rules.hh"
#include "app/profile.hh"
#include "base/time.hh"
#include "base/types.hh"
#include "dataplane/endpoint.hh"
#include "dataplane/port.hh"
#include "ledger/layout.hh"

namespace tollgate::app {

enum class TileKind : u8 { net, charge, journal };

struct TileName {
  TileKind kind = TileKind::net;
  u32 number = 0;
};

struct CoreConfig {
  i32 cpu = -1;  // -1: wherever the kernel likes
  std::vector<TileName> tiles;
};

struct Config {
  std::string file;
  // [appliance]
  std::string name;
  bool single_process = false;
  // [diameter]
  std::string identity;
  std::string realm;
  std::string product_name;
  u16 listen_port = 3868;
  u32 connections_max = 256;
  u32 message_bytes_max = 65536;
  u32 pending_max = 65536;
  Duration watchdog = Duration::seconds(30);
  std::vector<dataplane::IpPrefix> allowed_peers;
  PeerRules peer_rules;  // tried before them
  u32 unauthenticated_max = 64;
  // [network]
  dataplane::IpPrefix address4;
  dataplane::IpPrefix address6;
  dataplane::IpAddress gateway4;
  dataplane::IpAddress gateway6;
  // [port]
  dataplane::PortOptions port;
  // [memory]
  std::string memory_folder;
  bool huge_pages = true;
  u32 dpdk_mib = 512;
  // [ledger]
  ledger::LedgerSizes::Totals ledger_totals;
  u64 identities_max = 0;
  u64 tariff_bytes_max = 0;
  // [journal]
  std::string journal_folder;
  u64 journal_segment_bytes = 0;
  u32 journal_segments_ahead = 2;
  // [snapshot]
  Duration snapshot_interval = Duration::seconds(300);
  u64 snapshot_journal_bytes = 0;  // taken as well when the journal grew by so much
  u64 snapshot_bytes_per_second = 0;
  // [state], [control], [cdr], [tariffs]
  std::string state_folder;
  std::string control_socket;
  std::string cdr_folder;
  u64 cdr_rotate_bytes = 0;
  Duration cdr_rotate_after;
  std::vector<std::string> tariff_paths;
  // [charging]
  ChargePolicy charging;
  // [profiles]
  ProfileTable profiles;
  // [topology]
  Duration yield_interval = Duration::microseconds(20);
  std::vector<CoreConfig> cores;

  u32 tile_count(TileKind kind) const;
};

struct ConfigMistake {
  u32 line = 0;
  u32 column = 0;
  std::string text;  // what is wrong and what was expected
};

// "FILE:LINE:COLUMN: text"
std::string to_text(const std::string& file, const ConfigMistake& mistake);

// An empty list: `config` is good.
std::vector<ConfigMistake> read_config(const std::string& file, Config& config);

std::string to_text(TileName tile);

}  // namespace tollgate::app
