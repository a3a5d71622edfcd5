// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Network: the transport that the options ask for, with all that stands under it.
#pragma once

#include <memory>
#include <string>

#include "dataplane/port.hh"
#include "dataplane/stream.hh"
#include "tools/tollload/options.hh"

namespace tollgate::tollload {

class Network {
 public:
  // Returns nothing and sets `error` to a sentence if it cannot be made. With memif it waits for
  // the appliance for as long as the connect timeout says. The handler must outlive it.
  static std::unique_ptr<Network> create(const Options& options, dataplane::StreamHandler& handler,
                                         std::string& error);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  dataplane::Transport& transport() { return *transport_; }

 private:
  Network() = default;
  std::string open_memif(const Options& options, dataplane::StreamHandler& handler);

  dataplane::Port port_;
  std::unique_ptr<dataplane::Transport> transport_;
  bool has_eal_ = false;
};

}  // namespace tollgate::tollload
