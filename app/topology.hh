// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Topology: which links there are, how deep, and why. One table, made from the configuration.
#pragma once

#include <string>
#include <vector>

#include "app/config.hh"
#include "base/counters.hh"
#include "base/link_table.hh"

namespace tollgate::app {

// All links of the appliance. Their names are producer_consumer.
std::vector<LinkSpec> links_of(const Config& config);

// A block of counters for each tile and each core.
std::vector<CounterBlockSpec> counters_of(const Config& config);

// Name of a link between two tiles, or with control: link_name("net0", "charge1").
std::string link_name(const std::string& producer, const std::string& consumer);

// A person's view of it, for `tollgate check`.
std::string describe(const Config& config);

}  // namespace tollgate::app
