// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/session_control.hh"

#include "diameter/credit_control_put.hh"

namespace tollgate::diameter {
namespace {

constexpr u32 authorize_only = 0;  // Re-Auth-Request-Type

std::size_t encode(const SessionRequest& request, Command command, MutableBytes out) {
  check(request.origin != nullptr, "a request has an origin");
  AvpWriter writer = begin_message(out);
  writer.put_octets(avp::session_id, request.session_id);
  writer.put_raw(request.origin->avps());
  writer.put_octets(avp::destination_realm, request.destination_realm);
  writer.put_octets(avp::destination_host, request.destination_host);
  writer.put_u32(avp::auth_application_id, static_cast<u32>(Application::credit_control));
  if (command == Command::re_auth) {
    writer.put_u32(avp::re_auth_request_type, authorize_only);
    put_optional(writer, avp::g_s_u_pool_identifier, request.pool_identifier);
    put_optional(writer, avp::service_identifier, request.service_identifier);
    put_optional(writer, avp::rating_group, request.rating_group);
  }
  u8 flags = flag_request | flag_proxiable;
  if (request.is_retransmitted) flags |= flag_retransmitted;
  return finish_message(writer,
                        {.flags = flags,
                         .command = command,
                         .application = Application::credit_control,
                         .hop_by_hop = request.hop_by_hop,
                         .end_to_end = request.end_to_end},
                        out);
}

}  // namespace

std::size_t encode_re_auth_request(const SessionRequest& request, MutableBytes out) {
  return encode(request, Command::re_auth, out);
}

std::size_t encode_abort_session_request(const SessionRequest& request, MutableBytes out) {
  return encode(request, Command::abort_session, out);
}

bool decode_session_answer(Bytes message, SessionAnswer& answer) {
  answer = {};
  answer.header = read_header(message);
  Refusal refusal;
  if (!check_message(message, refusal)) return false;
  const Bytes octets = message.subspan(header_bytes);
  Avp avp;
  if (find_first(octets, avp::session_id, avp)) answer.session_id = avp.data();
  if (!find_first(octets, avp::result_code, avp)) return false;
  answer.result_code = static_cast<ResultCode>(avp.as_u32());
  return true;
}

std::size_t encode_session_answer(Bytes request, ResultCode result_code, const OriginBlock& origin,
                                  MutableBytes out) {
  AvpWriter writer = begin_message(out);
  Avp session_id;
  if (find_first(request.subspan(header_bytes), avp::session_id, session_id))
    writer.put_octets(avp::session_id, session_id.data());
  writer.put_u32(avp::result_code, static_cast<u32>(result_code));
  writer.put_raw(origin.avps());
  return finish_message(writer, answer_header(read_header(request)), out);
}

}  // namespace tollgate::diameter
