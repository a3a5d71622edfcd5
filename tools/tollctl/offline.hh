// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What tollctl does without an appliance: check and price tariff files, read a journal folder and
// CDR files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/json.hh"

namespace tollgate::tollctl {

using control::Json;

// {"ok","plans","rules","examples","mistakes":[...]}
Json check_tariff(const std::string& path);

// What differs between two tariffs: {"differences":[{"plan","what","before","after"}]}. Throws
// control::Refused if one of them has mistakes.
Json diff_tariffs(const std::string& before, const std::string& after);

// Writes the files of that path as they are usually written: {"files","changed":[...]}.
Json format_tariffs(const std::string& path);

// The image of the tariff of that path. Throws control::Refused with all its mistakes.
std::vector<u8> compile_or_refuse(const std::string& tariff_path);

// The explanation of the event with the tariff of that path. Throws control::Refused.
Json price_with(const std::string& tariff_path, const Json& event);

// {"ok","appliance","streams":[{"stream","ok","groups","entries","bytes","error",...}],
// "snapshots":[{"snapshot","ok","taken","bytes","error"}]}. Throws Refused if it is no journal
// folder.
Json verify_journal(const std::string& folder);

// Calls `show` with each snapshot's header, then with each entry, in the order of each stream.
// Throws Refused as above, and where a stream is broken.
void dump_journal(const std::string& folder, const std::function<void(const Json&)>& show);

// Calls `show` with the last `count` records of a CDR folder; then, if `follows`, with every new
// one until `show` returns false.
void tail_cdrs(const std::string& folder, u64 count, bool follows,
               const std::function<bool(const Json&)>& show);

}  // namespace tollgate::tollctl
