// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Numbers as network elements write them: URIs and separators around digits, networks in nibbles.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hh"

namespace tollgate::rating {

inline constexpr std::size_t bare_number_max = 40;

// What is a number in "tel:+46-70-123;phone-context=x" or "sip:0701234567@host": digits, and '+' if
// it stands before them. Empty if there is none. The result lies in `room`.
std::string_view bare_number(std::string_view raw, std::array<char, bare_number_max>& room);

inline constexpr std::size_t plmn_digits_max = 6;

// MCC and MNC of a 3GPP-User-Location-Info (TS 29.061), five or six digits: whatever its type, they
// stand first. Empty if there are none. The result lies in `room`.
std::string_view plmn_digits(Bytes location, std::array<char, plmn_digits_max>& room);

}  // namespace tollgate::rating
