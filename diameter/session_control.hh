// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the server asks of a client: Re-Auth-Request and Abort-Session-Request for a credit-control
// session, and how their answers are read (RFC 8506 section 5.5, RFC 6733 sections 8.3 and 8.5).
#pragma once

#include <optional>

#include "base/types.hh"
#include "diameter/credit_control.hh"

namespace tollgate::diameter {

struct SessionRequest {
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  bool is_retransmitted = false;  // sent again on another way
  Bytes session_id;
  const OriginBlock* origin = nullptr;  // never null
  Bytes destination_realm;
  Bytes destination_host;           // the client's Origin-Host
  std::optional<u32> rating_group;  // RAR: re-authorise this only; none: the whole session
  std::optional<u32> service_identifier;
  std::optional<u32> pool_identifier;  // G-S-U-Pool-Identifier: all that share this pool
};

// Both return the length written, 0 if it does not fit.
[[nodiscard]] std::size_t encode_re_auth_request(const SessionRequest& request, MutableBytes out);
[[nodiscard]] std::size_t encode_abort_session_request(const SessionRequest& request,
                                                       MutableBytes out);

struct SessionAnswer {
  Header header{};
  Bytes session_id;
  ResultCode result_code = ResultCode::none;
};

// Reads a RAA or an ASA; false if it is out of shape or has no Result-Code.
[[nodiscard]] bool decode_session_answer(Bytes message, SessionAnswer& answer);

// The client's side: the answer to a RAR or ASR (their whole octets).
[[nodiscard]] std::size_t encode_session_answer(Bytes request, ResultCode result_code,
                                                const OriginBlock& origin, MutableBytes out);

}  // namespace tollgate::diameter
