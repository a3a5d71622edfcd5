// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Json: the value that control and its clients speak in.
//
// Members keep the order in which they were put in, so what people read is stable. Texts from the
// wire (a Session-Id) may be no UTF-8: to_line replaces what is none and never fails.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/types.hh"

namespace tollgate::control {

using Json = nlohmann::ordered_json;

// The value on one line, without the newline.
inline std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Puts a text with its quotes behind `line`: what to_line(Json(text)) gives, quickly where it is
// plain.
void append_text(std::string& line, std::string_view text);

// Reads one value; nothing if `text` is not JSON or nests deeper than 32. Any octets may be given.
std::optional<Json> parse_json(std::string_view text);

}  // namespace tollgate::control
