// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// All limits of the ledger in one place, each with its reason.
#pragma once

#include "base/types.hh"

namespace tollgate::ledger {

// Shards are virtual: enough to spread over any number of charge tiles, few enough to loop over.
inline constexpr u32 shard_count = 64;

// An account's place is 6 bits of shard and 26 bits of index.
inline constexpr u32 accounts_per_shard_max = (u32{1} << 26) - 1;

inline constexpr u32 identities_per_account_max = 4;  // they lie inside the account's two lines
inline constexpr u32 initial_buckets_max = 8;         // of one account-creating command
inline constexpr u32 buckets_per_account_max = 64;    // bounds the walk of one charge

inline constexpr u32 members_per_account_max = 255;  // that one account pays for; an octet counts

// Products with prices of their own that an account has at a time: what is left of its two lines.
inline constexpr u32 products_per_account_max = 4;

inline constexpr u32 holds_per_quota_max = 4;      // buckets that one grant may lean on
inline constexpr u32 quotas_per_session_max = 64;  // rating groups in one session
inline constexpr u32 answers_per_session = 2;      // stored answers: the last and the one before
inline constexpr u32 session_id_bytes_max = 152;   // what is left of a session's eight lines

// One request has at most this many Multiple-Services-Credit-Control; more is refused when decoded.
inline constexpr u32 services_per_request_max = 64;
static_assert(services_per_request_max <= quotas_per_session_max,
              "every service of one request finds a place in its session");

}  // namespace tollgate::ledger
