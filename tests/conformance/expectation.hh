// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a conformance table expects of one message, and what every answer has to be.
#pragma once

#include <string>

#include "tests/conformance/message_notation.hh"

namespace tollgate::conformance {

// Compares a message with words such as "CCA 2001 Rating-Group=1 -Failed-AVP" (table.hh). Returns
// what differs, or an empty text.
std::string compare_message(Bytes message, std::span<const std::string> expected);

// What is wrong with an answer as such: the grammar of its command, or that of 3xxx errors; AVPs
// that the dictionary does not know, sizes, M where it must not stand, Session-Id not first.
std::string grammar_fault(Bytes answer);

}  // namespace tollgate::conformance
