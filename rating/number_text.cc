// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/number_text.hh"

namespace tollgate::rating {

std::string_view bare_number(std::string_view raw, std::array<char, bare_number_max>& room) {
  const std::size_t scheme = raw.find(':');
  if (scheme != std::string_view::npos) raw.remove_prefix(scheme + 1);
  raw = raw.substr(0, raw.find_first_of("@;?"));
  std::size_t count = 0;
  for (const char c : raw) {
    if (c == '-' || c == '.' || c == ' ' || c == '(' || c == ')') continue;
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_plus = c == '+' && count == 0;
    if ((!is_digit && !is_plus) || count == room.size()) return {};
    room[count++] = c;
  }
  return {room.data(), count};
}

std::string_view plmn_digits(Bytes location, std::array<char, plmn_digits_max>& room) {
  if (location.size() < 4) return {};
  const u32 a = location[1];
  const u32 b = location[2];
  const u32 c = location[3];
  // Digits 2 and 1 of the MCC, 3 of either, 2 and 1 of the MNC; its third is 15 if it has none.
  const std::array<u32, plmn_digits_max> digits = {a & 15, a >> 4, b & 15, c & 15, c >> 4, b >> 4};
  const std::size_t count = b >> 4 == 15 ? plmn_digits_max - 1 : plmn_digits_max;
  for (std::size_t i = 0; i < count; ++i) {
    if (digits[i] > 9) return {};
    room[i] = static_cast<char>('0' + digits[i]);
  }
  return {room.data(), count};
}

}  // namespace tollgate::rating
