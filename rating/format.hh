// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// format: a tariff file as it is usually written: two blanks for each open brace, one blank between
// words, no blank before `,` and `;`, at most one empty line. Lines stay lines, comments stay where
// they are, and what the file means does not change.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::rating {

[[nodiscard]] std::string format_tariff(std::string_view text);

}  // namespace tollgate::rating
