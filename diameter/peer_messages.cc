// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/peer_messages.hh"

#include "diameter/credit_control_put.hh"

namespace tollgate::diameter {
namespace {

constexpr u32 credit_control_id = static_cast<u32>(Application::credit_control);
constexpr u32 accounting_id = static_cast<u32>(Application::accounting);
constexpr u32 relay_id = static_cast<u32>(Application::relay);
constexpr u32 no_inband_security = 0;

void put_address(AvpWriter& writer, const HostAddress& address) {
  std::array<u8, 18> data{};
  data[1] = address.is_ipv6 ? 2 : 1;
  const std::size_t size_bytes = address.is_ipv6 ? 16 : 4;
  std::memcpy(data.data() + 2, address.octets.data(), size_bytes);
  writer.put_octets(avp::host_ip_address, {data.data(), 2 + size_bytes});
}

void put_application(AvpWriter& writer, const AvpId& id, u32 application) {
  writer.put_u32(id, application);
  // Some clients look for the application here only.
  u8* const group = writer.open(avp::vendor_specific_application_id);
  writer.put_u32(avp::vendor_id, vendor_3gpp);
  writer.put_u32(id, application);
  writer.close(group);
}

// What CER and CEA have in common, behind the origin.
void put_capabilities(AvpWriter& writer, const LocalNode& node) {
  for (const HostAddress& address : node.host_addresses) put_address(writer, address);
  writer.put_u32(avp::vendor_id, node.vendor_id);
  writer.put_text(avp::product_name, node.product_name);
  writer.put_u32(avp::origin_state_id, node.origin_state_id);
  writer.put_u32(avp::supported_vendor_id, vendor_3gpp);
  if (node.credit_control) put_application(writer, avp::auth_application_id, credit_control_id);
  if (node.accounting) put_application(writer, avp::acct_application_id, accounting_id);
  writer.put_u32(avp::firmware_revision, node.firmware_revision);
}

Header request_header(Command command, const MessageIds& ids) {
  return {.flags = flag_request,
          .command = command,
          .application = Application::base,
          .hop_by_hop = ids.hop_by_hop,
          .end_to_end = ids.end_to_end};
}

// An answer that succeeds, with nothing but its origin.
AvpWriter begin_success(const LocalNode& node, MutableBytes out) {
  AvpWriter writer = begin_message(out);
  writer.put_u32(avp::result_code, static_cast<u32>(ResultCode::success));
  writer.put_raw(node.origin.avps());
  return writer;
}

// What the applications of a peer come to, and its security.
struct Offer {
  bool credit_control = false;
  bool accounting = false;
  bool relay = false;
  bool has_security = false;
  bool has_no_security_offer = false;  // offers to go without TLS

  void add_application(const Avp& avp) {
    const u32 id = avp.as_u32();
    relay |= id == relay_id;
    credit_control |= avp.is(avp::auth_application_id) && id == credit_control_id;
    accounting |= avp.is(avp::acct_application_id) && id == accounting_id;
  }
};

bool is_application(const Avp& avp) {
  return avp.is(avp::auth_application_id) || avp.is(avp::acct_application_id);
}

}  // namespace

std::size_t encode_capabilities_request(const LocalNode& node, const MessageIds& ids,
                                        MutableBytes out) {
  AvpWriter writer = begin_message(out);
  writer.put_raw(node.origin.avps());
  put_capabilities(writer, node);
  return finish_message(writer, request_header(Command::capabilities_exchange, ids), out);
}

std::size_t encode_capabilities_answer(const LocalNode& node, const Header& request,
                                       const Refusal& refusal, MutableBytes out) {
  const bool is_refused = refusal.result_code() != ResultCode::none;
  const ResultCode code = is_refused ? refusal.result_code() : ResultCode::success;
  AvpWriter writer = begin_message(out);
  writer.put_u32(avp::result_code, static_cast<u32>(code));
  writer.put_raw(node.origin.avps());
  put_capabilities(writer, node);
  if (is_refused && !refusal.failed_avps().empty())
    writer.put_octets(avp::failed_avp, refusal.failed_avps());
  Header answer = answer_header(request);
  if (is_protocol_error(code)) answer.flags |= flag_error;
  return finish_message(writer, answer, out);
}

std::size_t encode_watchdog_request(const LocalNode& node, const MessageIds& ids,
                                    MutableBytes out) {
  AvpWriter writer = begin_message(out);
  writer.put_raw(node.origin.avps());
  writer.put_u32(avp::origin_state_id, node.origin_state_id);
  return finish_message(writer, request_header(Command::device_watchdog, ids), out);
}

std::size_t encode_watchdog_answer(const LocalNode& node, const Header& request, MutableBytes out) {
  AvpWriter writer = begin_success(node, out);
  writer.put_u32(avp::origin_state_id, node.origin_state_id);
  return finish_message(writer, answer_header(request), out);
}

std::size_t encode_disconnect_request(const LocalNode& node, const MessageIds& ids,
                                      DisconnectCause cause, MutableBytes out) {
  AvpWriter writer = begin_message(out);
  writer.put_raw(node.origin.avps());
  writer.put_u32(avp::disconnect_cause, static_cast<u32>(cause));
  return finish_message(writer, request_header(Command::disconnect_peer, ids), out);
}

std::size_t encode_disconnect_answer(const LocalNode& node, const Header& request,
                                     MutableBytes out) {
  const AvpWriter writer = begin_success(node, out);
  return finish_message(writer, answer_header(request), out);
}

CapabilitiesFault read_capabilities(const LocalNode& node, Bytes message, PeerFacts& facts,
                                    Refusal& refusal) {
  // Sizes of all known AVPs are right after this, and mandatory ones are there.
  if (!check_message(message, refusal)) return CapabilitiesFault::malformed;
  Offer offer;
  facts = {};
  AvpCursor cursor(message.subspan(header_bytes));
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    const bool is_host = avp.is(avp::origin_host);
    if (is_host || avp.is(avp::origin_realm)) {
      if (!(is_host ? facts.host : facts.realm).assign(avp.data())) {
        refuse_value(avp, refusal);
        return CapabilitiesFault::malformed;
      }
    }
    if (avp.is(avp::product_name)) facts.product_name.assign(avp.data());
    if (avp.is(avp::origin_state_id)) facts.origin_state_id = avp.as_u32();
    if (is_application(avp)) offer.add_application(avp);
    if (avp.is(avp::inband_security_id)) {
      offer.has_security = true;
      offer.has_no_security_offer |= avp.as_u32() == no_inband_security;
    }
    if (!avp.is(avp::vendor_specific_application_id)) continue;
    AvpCursor members(avp.data());
    Avp member;
    while (members.next(member) == AvpStep::avp) {
      if (is_application(member)) offer.add_application(member);
    }
  }
  facts.is_relay = offer.relay;
  facts.credit_control = node.credit_control && (offer.credit_control || offer.relay);
  facts.accounting = node.accounting && (offer.accounting || offer.relay);
  if (!facts.credit_control && !facts.accounting) {
    refusal.set(ResultCode::no_common_application);
    return CapabilitiesFault::no_common_application;
  }
  if (offer.has_security && !offer.has_no_security_offer) {
    refusal.set(ResultCode::no_common_security);
    return CapabilitiesFault::no_common_security;
  }
  return CapabilitiesFault::none;
}

}  // namespace tollgate::diameter
