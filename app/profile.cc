// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/profile.hh"

#include <algorithm>

namespace tollgate::app {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool matches(std::string_view pattern, std::string_view text) {
  const bool is_open = pattern.ends_with('*');
  if (is_open) pattern.remove_suffix(1);
  if (is_open ? text.size() < pattern.size() : text.size() != pattern.size()) return false;
  return std::ranges::equal(pattern, text.substr(0, pattern.size()), {}, lower, lower);
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return !text.empty() && std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return matches(pattern, text);
  });
}

}  // namespace

void ProfileTable::add(Profile profile) {
  for (Profile& one : profiles_) {
    if (one.name != profile.name) continue;
    one = std::move(profile);
    return;
  }
  profiles_.push_back(std::move(profile));
}

void ProfileTable::assign(std::string host, std::string name) {
  assignments_.push_back({.host = std::move(host), .name = std::move(name)});
}

const Profile* ProfileTable::find(std::string_view name) const {
  for (const Profile& one : profiles_) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

const Profile& ProfileTable::choose(std::string_view host, std::string_view product) const {
  for (const Assignment& one : assignments_) {
    const Profile* profile = matches(one.host, host) ? find(one.name) : nullptr;
    if (profile != nullptr) return *profile;
  }
  for (const Profile& one : profiles_) {
    if (matches_any(one.hosts, host)) return one;
  }
  for (const Profile& one : profiles_) {
    if (matches_any(one.products, product)) return one;
  }
  return fallback();
}

}  // namespace tollgate::app
