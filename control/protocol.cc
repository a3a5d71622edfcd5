// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/protocol.hh"

#include <fmt/format.h>
#include <algorithm>

namespace tollgate::control {
namespace {

constexpr int depth_max = 32;

// Nesting is counted before parsing, so that no text can make the parser's value deep.
bool is_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > depth_max) return true;
  }
  return false;
}

Refused wrong_argument(std::string_view name, std::string_view expected) {
  return {refusal::bad_request, fmt::format("argument '{}': expected {}", name, expected)};
}

}  // namespace

void append_text(std::string& line, std::string_view text) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    line += to_line(Json(text));
    return;
  }
  line += '"';
  line += text;
  line += '"';
}

std::optional<Json> parse_json(std::string_view text) {
  if (is_deep(text)) return std::nullopt;
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string parse_request(std::string_view line, Request& request) {
  std::optional<Json> value = parse_json(line);
  if (!value || !value->is_object()) return "expected one JSON object a line";
  if (const auto id = value->find("id"); id != value->end()) {
    if (!id->is_number_unsigned()) return "'id': expected a whole number, 0 or more";
    request.id = id->get<u64>();
  }
  const auto verb = value->find("verb");
  if (verb == value->end() || !verb->is_string()) return "'verb': expected a text";
  request.verb = verb->get<std::string>();
  const auto args = value->find("args");
  request.args = args == value->end() ? Json::object() : std::move(*args);
  if (!request.args.is_object()) return "'args': expected an object";
  return {};
}

bool LineBuffer::next(std::string& line) {
  const std::size_t end = pending_.find('\n', searched_);
  if (end == std::string::npos) {
    pending_.erase(0, begin_);
    begin_ = 0;
    searched_ = pending_.size();
    return false;
  }
  line.assign(pending_, begin_, end - begin_);
  begin_ = searched_ = end + 1;
  return true;
}

void Reply::ok(Json result) const {
  send_(Json{{"id", id_}, {"ok", true}, {"result", std::move(result)}});
}

void Reply::refuse(std::string_view outcome, std::string_view message, const Json& extra) const {
  Json line{{"id", id_}, {"ok", false}, {"outcome", outcome}, {"message", message}};
  if (extra.is_object()) line.update(extra);
  send_(line);
}

void Reply::progress(Json state) const {
  send_(Json{{"id", id_}, {"progress", std::move(state)}});
}

std::string Arguments::text(std::string_view name) const {
  const auto found = args_.find(name);
  if (found == args_.end() || !found->is_string()) throw wrong_argument(name, "a text");
  return found->get<std::string>();
}

std::string Arguments::text_or(std::string_view name, std::string_view otherwise) const {
  return has(name) ? text(name) : std::string(otherwise);
}

u64 Arguments::number_or(std::string_view name, u64 otherwise) const {
  const auto found = args_.find(name);
  if (found == args_.end()) return otherwise;
  if (!found->is_number_unsigned()) throw wrong_argument(name, "a whole number, 0 or more");
  return found->get<u64>();
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
  std::vector<std::string> all;
  const auto found = args_.find(name);
  if (found == args_.end()) return all;
  if (!found->is_array()) throw wrong_argument(name, "a list of texts");
  for (const Json& one : *found) {
    if (!one.is_string()) throw wrong_argument(name, "a list of texts");
    all.push_back(one.get<std::string>());
  }
  return all;
}

}  // namespace tollgate::control
