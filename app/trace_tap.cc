// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/trace_tap.hh"

#include <algorithm>

#include "app/translate.hh"
#include "base/check.hh"
#include "diameter/avp_ids.hh"

namespace tollgate::app {
namespace {

using ledger::TraceRecord;
using ledger::TraceWanted;

// Stands for the port that the stack chose for a call of ours, which nobody here knows.
constexpr u16 first_own_port = 49152;
constexpr u32 own_ports = 16384;

}  // namespace

TraceTap::TraceTap(const TraceTapOptions& options, const Counts& counts)
    : options_(options),
      counts_(counts),
      armed_(options.link == nullptr ? nullptr : options.table) {
  check(options_.tile < ledger::trace_tiles_max, "every net tile has a place in the table");
  if (options_.link == nullptr) options_.table = nullptr;
  if (options_.table != nullptr) link_ = LinkProducer(options_.link);
}

void TraceTap::refresh(Instant now) {
  if (!armed_.refresh(now)) return;
  has_peers_ = false;
  for (u32 i = 0; i < armed_.all().size(); ++i) {
    const TraceWanted& one = armed_.all()[i];
    addresses_[i] = {};
    if (one.until_ns == 0 || one.is_peer == 0) continue;
    has_peers_ = true;
    if (!dataplane::parse(one.name_text(), addresses_[i])) addresses_[i] = {};
  }
  options_.table->note_seen(options_.tile, armed_.version());
}

u8 TraceTap::match(Bytes message, std::span<const ledger::Shard> shards) const {
  diameter::AvpCursor cursor(message.subspan(diameter::header_bytes));
  diameter::Avp avp;
  std::string_view session_id;
  u32 traces = 0;
  while (cursor.next(avp) == diameter::AvpStep::avp) {
    if (avp.is(diameter::avp::session_id)) session_id = as_text(avp.data());
    if (avp.is(diameter::avp::subscription_id)) traces |= match_subscriber(avp.data());
  }
  if (session_id.empty() || session_id.size() > ledger::session_id_bytes_max) {
    return static_cast<u8>(traces);
  }
  const u32 hash = ledger::Shard::session_hash(session_id);
  for (u32 i = 0; i < armed_.all().size(); ++i) {
    const TraceWanted& one = armed_.all()[i];
    if (one.until_ns == 0 || one.is_peer != 0 || (traces >> i & 1) != 0) continue;
    if (is_wanted(one, hash, session_id, shards)) traces |= u32{1} << i;
  }
  return static_cast<u8>(traces);
}

bool TraceTap::is_wanted(const TraceWanted& wanted, u32 hash, std::string_view session_id,
                         std::span<const ledger::Shard> shards) const {
  if (wanted.name_bytes != 0) {
    return wanted.session_hash == hash && wanted.name_text() == session_id;
  }
  const ledger::Shard& shard = shards[wanted.account.shard()];
  const u32 session = shard.find_session(hash, session_id);
  return session != 0 && shard.session(session).account == wanted.account.index();
}

u8 TraceTap::match_peer(const Connection& connection, Bytes message) const {
  if (!has_peers_) return 0;
  std::string_view host = connection.peer.facts().host.view();
  diameter::Avp avp;
  if (host.empty() && message.size() > diameter::header_bytes &&
      find_first(message.subspan(diameter::header_bytes), diameter::avp::origin_host, avp)) {
    host = as_text(avp.data());
  }
  u32 traces = 0;
  for (u32 i = 0; i < armed_.all().size(); ++i) {
    const TraceWanted& one = armed_.all()[i];
    if (one.until_ns == 0 || one.is_peer == 0) continue;
    const bool is_wanted = addresses_[i].is_set() ? addresses_[i] == connection.remote.address
                                                  : diameter::same_identity(one.name_text(), host);
    if (is_wanted) traces |= u32{1} << i;
  }
  return static_cast<u8>(traces);
}

u8 TraceTap::match_subscriber(Bytes subscription_id) const {
  diameter::Avp type;
  diameter::Avp data;
  if (!find_first(subscription_id, diameter::avp::subscription_id_type, type) ||
      !find_first(subscription_id, diameter::avp::subscription_id_data, data) ||
      type.data_bytes() != sizeof(u32)) {
    return 0;
  }
  const ledger::IdentityKey key =
      identity_key_of({static_cast<diameter::SubscriptionIdType>(type.as_u32()), data.data()});
  if (key.is_none()) return 0;
  u32 traces = 0;
  for (u32 i = 0; i < armed_.all().size(); ++i) {
    const TraceWanted& one = armed_.all()[i];
    if (one.until_ns != 0 && std::ranges::find(one.identities, key) != one.identities.end()) {
      traces |= u32{1} << i;
    }
  }
  return static_cast<u8>(traces);
}

void TraceTap::copy(const Copy& what, const Connection& connection, Bytes message) {
  if (options_.table == nullptr) return;
  const u64 bytes = std::min<u64>(message.size(), link_.frame_bytes_max() - sizeof(TraceRecord));
  const MutableBytes room = link_.reserve(sizeof(TraceRecord) + bytes);
  if (room.empty()) {
    ++counts_.dropped;
    return;
  }
  const dataplane::Endpoint& remote = connection.remote;
  TraceRecord record{
      .at_ns = what.at.ns,
      .tag = what.tag,
      .kind = what.kind,
      .traces = what.traces,
      .is_outgoing = static_cast<u8>(connection.call != nullptr ? 1 : 0),
      .is_ipv6 = static_cast<u8>(remote.address.version == dataplane::IpVersion::v6 ? 1 : 0),
      .local_port = options_.listen_port,
      .remote_port = remote.port,
      .remote = remote.address.octets,
      .whole_bytes = static_cast<u32>(message.size())};
  if (connection.call != nullptr) {
    record.local_port = static_cast<u16>(first_own_port + connection.stream.index % own_ports);
  }
  for (const diameter::HostAddress& local : options_.local) {
    if (local.is_ipv6 == (record.is_ipv6 != 0)) record.local = local.octets;
  }
  std::memcpy(room.data(), &record, sizeof record);
  std::memcpy(room.data() + sizeof record, message.data(), bytes);
  link_.commit(sizeof record + bytes);
  link_.publish();
  ++counts_.traced;
}

}  // namespace tollgate::app
