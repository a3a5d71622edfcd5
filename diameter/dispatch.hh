// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a message is and who handles it, and the octets of an answer that refuses it.
#pragma once

#include "base/types.hh"
#include "diameter/credit_control.hh"
#include "diameter/decode.hh"
#include "diameter/frame.hh"
#include "diameter/header.hh"

namespace tollgate::diameter {

enum class MessageKind : u8 {
  peer,                   // CER, DWR, DPR and their answers: PeerConnection::on_message
  credit_control,         // CCR of application 4: decode_credit_control_request
  accounting,             // ACR of application 3
  credit_control_answer,  // CCA, for the client's side: decode_answer
  session_request,        // RAR or ASR, for the client's side: encode_session_answer
  session_answer,         // RAA or ASA: decode_session_answer
  other_answer,           // an answer that nobody waits for: drop it silently
  refused,                // answer encode_refusal with the given code
};

struct Classified {
  Header header{};
  MessageKind kind = MessageKind::refused;
  ResultCode refusal = ResultCode::none;  // 3001, 3007 or 3008 if kind is refused
};

// What the caller supports beside credit control.
struct Supported {
  bool accounting = false;
  bool session_requests = false;  // the client's side: RAR and ASR come in
};

// Tells by (application, command, R bit): Gx has a command 272 of its own. `message` comes from a
// Framer.
Classified classify(Bytes message, const Supported& supported = {});

// Writes the answer that refuses `request`: identifiers, Session-Id and Proxy-Info are taken from
// the request as far as it can be read; a 3xxx code gets the E bit and the generic grammar, others
// that of the command (a CCA has Auth-Application-Id, CC-Request-Type and CC-Request-Number).
// Returns the length, 0 if it does not fit or `request` is not a request: it is dropped then.
[[nodiscard]] std::size_t encode_refusal(Bytes request, const Refusal& refusal,
                                         const OriginBlock& origin, MutableBytes out);

// The same with a mere code, for example 3004 when too busy.
[[nodiscard]] std::size_t encode_refusal(Bytes request, ResultCode code, const OriginBlock& origin,
                                         MutableBytes out);

// The last answer on a stream whose framing is lost. `broken_header` as the Framer has it.
[[nodiscard]] std::size_t encode_frame_refusal(Bytes broken_header, FrameError error,
                                               const OriginBlock& origin, MutableBytes out);

}  // namespace tollgate::diameter
