// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The octets of CER, CEA, DWR, DWA, DPR and DPA. For peer.cc and tests.
#pragma once

#include "diameter/decode.hh"
#include "diameter/peer.hh"

namespace tollgate::diameter {

// The identifiers of a request of ours.
struct MessageIds {
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
};

std::size_t encode_capabilities_request(const LocalNode& node, const MessageIds& ids,
                                        MutableBytes out);
// The answer to `request`; with `refusal` it says why not.
std::size_t encode_capabilities_answer(const LocalNode& node, const Header& request,
                                       const Refusal& refusal, MutableBytes out);
std::size_t encode_watchdog_request(const LocalNode& node, const MessageIds& ids, MutableBytes out);
std::size_t encode_watchdog_answer(const LocalNode& node, const Header& request, MutableBytes out);
std::size_t encode_disconnect_request(const LocalNode& node, const MessageIds& ids,
                                      DisconnectCause cause, MutableBytes out);
std::size_t encode_disconnect_answer(const LocalNode& node, const Header& request,
                                     MutableBytes out);

enum class CapabilitiesFault : u8 { none, malformed, no_common_application, no_common_security };

// Reads what a CER or CEA tells, and what is common with `node`. With a fault, `refusal` has the
// code to answer.
[[nodiscard]] CapabilitiesFault read_capabilities(const LocalNode& node, Bytes message,
                                                  PeerFacts& facts, Refusal& refusal);

}  // namespace tollgate::diameter
