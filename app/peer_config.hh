// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// [[diameter.peers]] of the configuration, each a rule of app/peer_rules.hh.
#pragma once

#include "app/config.hh"
#include "app/toml_reader.hh"

namespace tollgate::app {

void read_peers(TomlReader& reader, Config& config);

}  // namespace tollgate::app
