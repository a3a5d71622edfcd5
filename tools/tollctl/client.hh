// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Client: one connection to an appliance's control (control/protocol.hh).
#pragma once

#include <functional>
#include <string>

#include "control/protocol.hh"

namespace tollgate::tollctl {

using control::Json;

// Nobody is there, or the connection broke: exit 3.
struct NoAppliance : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Client {
 public:
  explicit Client(const std::string& socket_path);  // throws NoAppliance
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  using Progress = std::function<void(const Json& state)>;

  // The result; throws control::Refused with the outcome and all further members of the answer.
  Json call(const std::string& verb, const Json& args, const Progress& progress = nullptr);

 private:
  std::string read_line();

  std::string socket_path_;
  int fd_ = -1;
  u64 next_id_ = 1;
  control::LineBuffer input_;
};

}  // namespace tollgate::tollctl
