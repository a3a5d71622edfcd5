// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Options: the command line of tollload.
#pragma once

#include <string>

#include "base/time.hh"
#include "base/types.hh"
#include "dataplane/endpoint.hh"
#include "tools/tollload/request_template.hh"
#include "tools/tollload/service.hh"

namespace tollgate::tollload {

enum class TransportKind : u8 { memif, kernel };

struct Options {
  TransportKind transport = TransportKind::kernel;
  dataplane::Endpoint to;
  std::string scenario = "data";
  Mix mix{100, 0, 0};
  u32 connection_count = 1;
  u32 window_count = 512;   // of requests under way; ignored if a rate is given
  u64 rate_per_second = 0;  // 0: as fast as the window lets it
  u32 subscriber_count = 0;
  u32 session_count = 0;
  u32 seconds = 0;
  u32 updates_mean = 100;
  u32 duplicates_per_mille = 0;
  std::array<ServiceUse, service_count> uses{
      {{.rating_group = 10, .service_identifier = 1, .requested = 1'000'000, .used = 1'000},
       {.rating_group = 20, .service_identifier = 2, .requested = 60, .used = 1},
       {.rating_group = 30, .service_identifier = 3, .requested = 1, .used = 1}}};
  bool any_grant = false;
  bool allow_refused = false;
  bool terminate = true;
  bool reconnect = false;
  Duration answer_timeout = Duration::seconds(5);
  Duration connect_timeout = Duration::seconds(10);
  Identities identities;
  u64 seed = 0;

  // memif
  std::string memif_socket = "/run/tollgate/memif.sock";
  u32 queue_count = 1;
  dataplane::IpPrefix from;
  u32 mtu_bytes = 1500;
  std::string file_prefix;
  bool huge_pages = true;
  std::string huge_directory;
  u32 memory_mib = 256;

  bool has_core = false;
  bool yields = true;
  u32 core = 0;

  std::string json_path;
  std::string record_path;
  u32 explain_count = 10;
  bool quiet = false;
};

enum class Parsed : u8 { run, help, wrong };

// On help and wrong `text` is what to print: on standard output, or on standard error before exit
// status 2.
[[nodiscard]] Parsed parse_options(int argument_count, const char* const* arguments,
                                   Options& options, std::string& text);

}  // namespace tollgate::tollload
