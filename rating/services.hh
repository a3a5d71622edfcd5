// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The services that the tariff language knows by name: which 3GPP specifications' contexts they are
// and what they are measured by.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "rating/rule.hh"

namespace tollgate::rating {

struct NamedService {
  std::string_view name;
  Meter meter;
  std::span<const u32> specifications;  // the numbers of Service-Context-Id
};

std::span<const NamedService> named_services();
const NamedService* find_named_service(std::string_view name);  // nullptr if there is none

// The context_key of each context that `name` stands for: a name of the language, or, if there is
// none such, a Service-Context-Id.
std::vector<u64> contexts_of(std::string_view name);

std::string_view to_text(Meter meter);
std::string_view to_text(BlockRounding rounding);

}  // namespace tollgate::rating
