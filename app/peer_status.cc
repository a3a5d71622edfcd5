// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/peer_status.hh"

#include <fmt/format.h>

namespace tollgate::app {
namespace {

// A rate is told of a second at least; more often it would tell of the publishing.
constexpr Duration rate_interval = Duration::seconds(1);

std::string codes_text(const Connection& connection) {
  std::string text;
  for (u32 place = 0; place < result_place_count; ++place) {
    if (connection.results[place] == 0) continue;
    const bool is_named = place < std::size(counted_result_codes);
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ",
                        is_named ? std::to_string(counted_result_codes[place]) : "other",
                        connection.results[place]);
  }
  return text;
}

void update_rate(Connection& connection, Instant now) {
  const Duration passed = now - connection.rate_since;
  if (passed < rate_interval) return;
  const u64 since = connection.requests - connection.rate_requests;
  connection.requests_per_second =
      since * 1000 / static_cast<u64>(std::max<i64>(passed.whole_milliseconds(), 1));
  connection.rate_requests = connection.requests;
  connection.rate_since = now;
}

}  // namespace

const StatusTable::Columns peer_columns = {
    .texts = {"remote", "origin_host", "origin_realm", "product", "state", "watchdog", "called",
              "codes"},
    .numbers = {"requests", "answers", "opened_ns", "requests_per_second", "round_trip_us",
                "origin_state_id"}};

void write_peer_row(const StatusTable& table, Connection& connection, Instant now) {
  update_rate(connection, now);
  const std::string remote = to_text(connection.remote);
  const std::string codes = codes_text(connection);
  const diameter::PeerConnection& peer = connection.peer;
  const diameter::PeerFacts& facts = peer.facts();
  StatusTable(table).write(
      connection.stream.index,
      {.texts = {remote, facts.host.view(), facts.realm.view(), facts.product_name.view(),
                 to_text(peer.state()), to_text(peer.watchdog()),
                 connection.call != nullptr ? "yes" : "no", codes},
       .numbers = {connection.requests, connection.answers, static_cast<u64>(connection.opened.ns),
                   connection.requests_per_second, static_cast<u64>(peer.round_trip().ns / 1000),
                   facts.origin_state_id.value_or(0)}});
}

}  // namespace tollgate::app
