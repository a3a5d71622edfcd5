// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a net tile shows of its peers: one row of a StatusTable for each connection, brought up to
// date some times a second and read by `tollctl peer list` and `peer show`.
#pragma once

#include "app/connection.hh"
#include "base/status_table.hh"

namespace tollgate::app {

// remote, origin_host, origin_realm, product, state, watchdog, called ("yes": we connected), codes
// ("2001:17 4012:3": answers by Result-Code); requests, answers, opened_ns, requests_per_second,
// round_trip_us (of the last watchdog exchange), origin_state_id.
extern const StatusTable::Columns peer_columns;

void write_peer_row(const StatusTable& table, Connection& connection, Instant now);

}  // namespace tollgate::app
