// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RequestTemplate: a whole CCR, made once by diameter/'s encoder, that is copied and patched.
//
// All requests of a service and type have one length: what differs (identifiers, Session-Id, host,
// numbers, subscriber, usage, time) has a fixed size and stands at a fixed place, which is found by
// walking over the encoded message. So a request costs a copy and some twenty stores.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/types.hh"
#include "tools/tollload/service.hh"

namespace tollgate::tollload {

// Who sends, to whom, and in the name of which subscribers: the same for all templates of a run.
struct Identities {
  std::string host = "ctf.tollload.example";  // of the only connection, or of all: see host_of
  std::string realm = "tollload.example";
  std::string destination_realm = "tollgate.example";
  std::string destination_host;  // empty: not sent
  bool hosts_are_numbered = false;
  u32 run_number = 0;  // tells the Session-Ids of one run from those of another
  u64 first_msisdn = 46700000000;
  u64 first_imsi = 240010000000000;
};

// Each connection is a client of its own, so it has a name of its own: "ctf0007.tollload.example".
inline constexpr u32 host_number_end = 10'000;
std::string host_of(const Identities& identities, u32 connection_index);
// The four digits of it as they stand in a message.
u32 host_digits(u32 connection_index);
// "HOST;RUN;": what the Session-Ids of a connection begin with.
std::string session_prefix_of(const Identities& identities, u32 connection_index);
// What follows the prefix: "SLOT;INCARNATION", each eight digits to base 16.
inline constexpr std::size_t session_suffix_bytes = 17;
std::string session_id_of(const Identities& identities, u32 connection_index, u32 slot,
                          u32 incarnation);

// What is patched in.
struct RequestFields {
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  u32 host_digits = 0;
  u32 slot = 0;
  u32 incarnation = 0;
  u32 number = 0;
  u32 event_time = 0;  // as Time: seconds since 1900
  u32 msisdn_low = 0;  // the last eight digits
  u32 imsi_low = 0;
  u32 used = 0;
  bool is_retransmitted = false;
};

class RequestTemplate {
 public:
  RequestTemplate() = default;
  RequestTemplate(const Identities& identities, Service service, const ServiceUse& use,
                  RequestType type);

  std::size_t size_bytes() const { return octets_.size(); }
  Bytes octets() const { return octets_; }

  // Writes the request to `out`, which holds size_bytes() octets at least.
  void write(const RequestFields& fields, u8* out) const;

 private:
  // Where things stand. Those that are not in a message stand at 0: over the first octets of the
  // header, which is put right at last.
  struct Places {
    u32 slot = 0;
    u32 incarnation = 0;
    u32 number = 0;
    u32 event_time = 0;
    u32 charging_id = 0;
    std::array<u32, 2> host_digits{};
    std::array<u32, 2> msisdn{};
    u32 imsi = 0;
    u32 used = 0;
    u32 used_input = 0;
    u32 used_output = 0;
  };
  void find_places(const Identities& identities);
  void find_usage(Service service);

  std::vector<u8> octets_;
  Places places_;
  u64 head_ = 0;              // the first eight octets
  bool used_is_long_ = true;  // 64 bits
  bool hosts_are_numbered_ = false;
};

}  // namespace tollgate::tollload
