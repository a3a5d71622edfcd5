// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/dispatch.hh"

#include "diameter/credit_control_put.hh"

namespace tollgate::diameter {
namespace {

bool is_peer_command(Command command) {
  return command == Command::capabilities_exchange || command == Command::device_watchdog ||
         command == Command::disconnect_peer;
}

bool is_session_command(Command command) {
  return command == Command::re_auth || command == Command::abort_session;
}

MessageKind kind_of_answer(const Header& header) {
  if (header.application == Application::base && is_peer_command(header.command))
    return MessageKind::peer;
  if (header.application != Application::credit_control) return MessageKind::other_answer;
  if (header.command == Command::credit_control) return MessageKind::credit_control_answer;
  return is_session_command(header.command) ? MessageKind::session_answer
                                            : MessageKind::other_answer;
}

Classified refused(const Header& header, ResultCode code) {
  return {.header = header, .kind = MessageKind::refused, .refusal = code};
}

// What an answer takes from a request that may be broken anywhere.
struct Echo {
  Bytes session_id;
  std::optional<u32> type;
  std::optional<u32> number;
};

Echo find_echo(Bytes octets) {
  Echo echo;
  AvpCursor cursor(octets);
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    if (avp.is(avp::session_id) && echo.session_id.empty()) echo.session_id = avp.data();
    if (avp.is(avp::cc_request_type) && avp.data_bytes() == 4) echo.type = avp.as_u32();
    if (avp.is(avp::cc_request_number) && avp.data_bytes() == 4) echo.number = avp.as_u32();
  }
  return echo;
}

void put_proxy_info(AvpWriter& writer, Bytes octets) {
  AvpCursor cursor(octets);
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    if (avp.is(avp::proxy_info)) writer.put_raw(avp.whole());
  }
}

}  // namespace

Classified classify(Bytes message, const Supported& supported) {
  const Header header = read_header(message);
  if (!header.is_request()) return {.header = header, .kind = kind_of_answer(header)};
  if (header.is_error()) return refused(header, ResultCode::invalid_header_bits);
  switch (header.application) {
    case Application::base:
      if (is_peer_command(header.command)) return {.header = header, .kind = MessageKind::peer};
      return refused(header, ResultCode::command_unsupported);
    case Application::credit_control:
      if (header.command == Command::credit_control) [[likely]]
        return {.header = header, .kind = MessageKind::credit_control};
      if (supported.session_requests && is_session_command(header.command))
        return {.header = header, .kind = MessageKind::session_request};
      return refused(header, ResultCode::command_unsupported);
    case Application::accounting:
      if (!supported.accounting) return refused(header, ResultCode::application_unsupported);
      if (header.command == Command::accounting)
        return {.header = header, .kind = MessageKind::accounting};
      return refused(header, ResultCode::command_unsupported);
    default:
      return refused(header, ResultCode::application_unsupported);
  }
}

std::size_t encode_refusal(Bytes request, const Refusal& refusal, const OriginBlock& origin,
                           MutableBytes out) {
  const Header header = read_header(request);
  if (!header.is_request()) return 0;
  const ResultCode code = refusal.result_code();
  const bool is_generic = is_protocol_error(code);
  const Bytes octets = request.subspan(header_bytes);
  const Echo echo = find_echo(octets);

  AvpWriter writer = begin_message(out);
  if (!echo.session_id.empty()) writer.put_octets(avp::session_id, echo.session_id);
  writer.put_u32(avp::result_code, static_cast<u32>(code));
  writer.put_raw(origin.avps());
  if (!is_generic && header.command == Command::credit_control &&
      header.application == Application::credit_control) {
    writer.put_u32(avp::auth_application_id, static_cast<u32>(Application::credit_control));
    put_optional(writer, avp::cc_request_type, echo.type);
    put_optional(writer, avp::cc_request_number, echo.number);
  }
  if (!refusal.failed_avps().empty()) writer.put_octets(avp::failed_avp, refusal.failed_avps());
  put_proxy_info(writer, octets);
  Header answer = answer_header(header);
  if (is_generic) answer.flags |= flag_error;
  return finish_message(writer, answer, out);
}

std::size_t encode_refusal(Bytes request, ResultCode code, const OriginBlock& origin,
                           MutableBytes out) {
  Refusal refusal;
  refusal.set(code);
  return encode_refusal(request, refusal, origin, out);
}

std::size_t encode_frame_refusal(Bytes broken_header, FrameError error, const OriginBlock& origin,
                                 MutableBytes out) {
  if (broken_header.size() < header_bytes || error == FrameError::none) return 0;
  return encode_refusal(broken_header.first(header_bytes), result_code(error), origin, out);
}

}  // namespace tollgate::diameter
