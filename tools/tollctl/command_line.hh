// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CommandLine: what was asked for on the command line, checked as far as words go.
#pragma once

#include <string>
#include <vector>

#include "control/json.hh"
#include "tools/tollctl/route.hh"

namespace tollgate::tollctl {

using control::Json;

struct CommandLine {
  std::string config;
  std::string socket;
  bool is_json = false;
  std::string verb;  // of the protocol: "account.add"; or "journal.verify" and others done here
  Json args = Json::object();

  // Only for some verbs.
  std::string path;    // a file or folder
  std::string tariff;  // price with this one instead of the appliance's
  RouteQuestion route;
  bool watches = false;
  u64 count = 10;
};

struct Parsed {
  CommandLine line;
  bool is_good = false;
  int exit_code = 2;   // if not good: 0 after --help, else 2
  std::string output;  // the help, or what is wrong
};

// `words` without the program's name.
Parsed parse_command_line(const std::vector<std::string>& words);

}  // namespace tollgate::tollctl
