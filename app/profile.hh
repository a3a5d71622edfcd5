// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Profile: the habits of one kind of client, so that each is told what it understands.
//
// All of RFC 8506 is right, and every client takes only a part of it: one treats 4011 as a failure,
// one looks at the Result-Code of the whole answer alone, one answers a RAR and does nothing. What
// differs is a record of this kind, read from a file (config/profiles/*.toml) at start. A
// connection gets its profile when its peer is known: by the configuration, by the peer's
// Origin-Host, or by the Product-Name of its CER; whoever is not recognised gets the default, which
// is the careful reading of the RFC. Behind a relay it is the relay that is recognised.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/types.hh"
#include "diameter/credit_control.hh"

namespace tollgate::app {

// AVPs that a profile may leave out of answers.
namespace leave_out {
inline constexpr u32 validity_time = 1 << 0;
inline constexpr u32 thresholds = 1 << 1;
inline constexpr u32 quota_holding_time = 1 << 2;
inline constexpr u32 session_failover = 1 << 3;
inline constexpr u32 failure_handling = 1 << 4;
inline constexpr u32 cost_information = 1 << 5;
inline constexpr u32 advice_of_charge = 1 << 6;
inline constexpr u32 low_balance = 1 << 7;
inline constexpr u32 failed_avp = 1 << 8;
}  // namespace leave_out

struct Profile {
  // What a service that costs nothing is answered with.
  enum class FreeService : u8 { grant = 0, not_applicable = 1 };  // 2001 and a grant, or 4011
  // Which Final-Unit-Indications the client understands; without any the end is a 4012.
  enum class FinalUnits : u8 { all = 0, sip_redirect = 1, terminate = 2, none = 3 };

  std::string name = "default";
  FreeService free_service = FreeService::grant;
  FinalUnits final_units = FinalUnits::all;
  bool denies_whole = false;         // a denial of every service shows as Result-Code of the answer
  bool takes_re_auth = true;         // a RAR leads to an UPDATE
  bool takes_abort = true;           // an ASR leads to a TERMINATION
  bool tells_remaining = false;      // Remaining-Balance in every answer
  bool knows_tariff_change = false;  // Tariff-Time-Change, and usage before and after it
  bool knows_pools = false;          // G-S-U-Pool-Reference: grants share one credit
  bool trusts_parts = false;         // of input, output and total octets the first two count
  u32 omitted = 0;                   // leave_out
  std::optional<u32> default_rating_group;  // of a service that names none
  u32 validity_seconds = 0;                 // if the tariff states none; 0: none
  i64 free_octets_least = 0;                // of a free grant
  u32 free_seconds_least = 0;
  u32 consumption_seconds = 0;  // Quota-Consumption-Time of time quotas; 0: none
  // Trigger-Types that are armed with each grant. An empty list disarms what the client would
  // report of itself; none: nothing is said.
  std::optional<std::vector<u32>> triggers;
  static constexpr u32 triggers_max = 8;
  diameter::SessionFailover session_failover = diameter::SessionFailover::supported;
  diameter::FailureHandling failure_handling = diameter::FailureHandling::terminate;
  diameter::DebitingFailureHandling debiting_failure_handling =
      diameter::DebitingFailureHandling::terminate_or_buffer;
  // By what it is recognised: both are compared without regard to case, '*' at the end stands for
  // anything.
  std::vector<std::string> products;
  std::vector<std::string> hosts;

  bool omits(u32 avp) const { return (omitted & avp) != 0; }
};

// All profiles of an appliance; the first is the default. Looked at once a connection.
class ProfileTable {
 public:
  ProfileTable() : profiles_(1) {}

  // Replaces one of the same name.
  void add(Profile profile);
  // `host` may be a pattern; goes before what profiles say of themselves.
  void assign(std::string host, std::string name);

  const Profile* find(std::string_view name) const;  // nullptr if there is none
  const Profile& choose(std::string_view host, std::string_view product) const;
  const Profile& fallback() const { return profiles_.front(); }
  const std::vector<Profile>& all() const { return profiles_; }

 private:
  struct Assignment {
    std::string host;
    std::string name;
  };
  std::vector<Profile> profiles_;
  std::vector<Assignment> assignments_;
};

// Reads FILE.toml, the profile named FILE. An empty text: it is good; else "FILE:LINE:COLUMN: what
// is wrong and what was expected", a line each.
std::string read_profile(const std::string& file, Profile& profile);
// The same of a text that is in no file.
std::string read_profile_text(const std::string& text, Profile& profile);

// All *.toml of a folder, in the order of their names. Returns what is wrong with them.
std::string read_profiles(const std::string& folder, ProfileTable& table);

}  // namespace tollgate::app
