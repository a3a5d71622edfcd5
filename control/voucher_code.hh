// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Voucher codes: what stands on the paper, and the hash by which it is known.
//
// A code is 8 to 64 letters and digits. Spaces and hyphens are for people and count for nothing,
// and small letters are large ones: "abcd-1234 5678" is ABCD12345678. Its hash is SHA-256 of that
// text, as 64 small hexadecimal digits. Only the hash is stored, so whoever reads the database
// cannot redeem anything; codes have to be long enough that nobody can try them all.
#pragma once

#include <string>

#include "base/types.hh"

namespace tollgate::control {

// Returns the hash, or an empty text if that is no code.
[[nodiscard]] std::string hash_of_code(std::string_view code);

// Whether it is such a hash.
[[nodiscard]] bool is_code_hash(std::string_view text);

}  // namespace tollgate::control
