// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What people read instead of JSON.
#pragma once

#include <string>

#include "control/json.hh"

namespace tollgate::tollctl {

using control::Json;

std::string history_text(const Json& history);
std::string account_text(const Json& account);
std::string account_rows(const Json& accounts);  // a line each
std::string voucher_text(const Json& voucher);
std::string voucher_batches_text(const Json& told);
std::string balance_text(const Json& answer);
std::string products_text(const Json& list);
std::string product_text(const Json& answer);
std::string sessions_text(const Json& list);
std::string session_text(const Json& session);
std::string peers_text(const Json& list);  // a line a connection
std::string peer_text(const Json& list);   // all that is known of each
std::string stats_text(const Json& stats);
std::string stats_line(const Json& stats);
std::string audit_text(const Json& report);
std::string tariff_text(const Json& tariff);
std::string versions_text(const Json& versions);
std::string differences_text(const Json& differences);
std::string price_text(const Json& explanation);
std::string cdr_files_text(const Json& list);
std::string cdr_line(const Json& record);
std::string verify_text(const Json& report);

// A value as people write it: texts without quotes, nothing for null.
std::string plain(const Json& value);

}  // namespace tollgate::tollctl
