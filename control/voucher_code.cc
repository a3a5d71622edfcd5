// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/voucher_code.hh"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.hh"

namespace tollgate::control {
namespace {

constexpr std::size_t code_min = 8;
constexpr std::size_t code_max = 64;
constexpr std::size_t hash_bytes = 32;

}  // namespace

std::string hash_of_code(std::string_view code) {
  std::string plain;
  for (const char c : code) {
    if (c == ' ' || c == '-') continue;
    const bool is_small = c >= 'a' && c <= 'z';
    const bool is_known = is_small || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_known) return {};
    plain.push_back(is_small ? static_cast<char>(c - 'a' + 'A') : c);
  }
  if (plain.size() < code_min || plain.size() > code_max) return {};
  std::array<u8, EVP_MAX_MD_SIZE> digest;
  unsigned bytes = 0;
  const int is_done =
      EVP_Digest(plain.data(), plain.size(), digest.data(), &bytes, EVP_sha256(), nullptr);
  check(is_done == 1 && bytes == hash_bytes, "SHA-256 is always there");
  std::string hash;
  for (std::size_t i = 0; i < hash_bytes; ++i) hash += fmt::format("{:02x}", digest[i]);
  return hash;
}

bool is_code_hash(std::string_view text) {
  return text.size() == 2 * hash_bytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace tollgate::control
