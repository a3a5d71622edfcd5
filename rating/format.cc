// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/format.hh"

#include <algorithm>
#include <vector>

#include "base/types.hh"

namespace tollgate::rating {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}
bool is_symbol(char c) {
  return c == '{' || c == '}' || c == ',' || c == ';';
}

// The words, texts and symbols of a line, and its comment.
struct Line {
  std::vector<std::string_view> words;
  std::string_view comment;
  bool is_comment_apart = false;  // something stands before it
};

Line split(std::string_view text) {
  Line line;
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    if (text[at] == '#') {
      line.comment = text.substr(at);
      while (!line.comment.empty() && is_blank(line.comment.back())) line.comment.remove_suffix(1);
      line.is_comment_apart = !line.words.empty();
      break;
    }
    std::size_t end = at + 1;
    if (text[at] == '"') {
      end = std::min(text.find('"', at + 1), text.size() - 1) + 1;
    } else if (!is_symbol(text[at])) {
      while (end < text.size() && !is_blank(text[end]) && !is_symbol(text[end]) &&
             text[end] != '#' && text[end] != '"') {
        ++end;
      }
    }
    line.words.push_back(text.substr(at, end - at));
    at = end;
  }
  return line;
}

std::string join(const Line& line, std::size_t depth) {
  std::string text(2 * depth, ' ');
  for (std::size_t i = 0; i < line.words.size(); ++i) {
    const std::string_view word = line.words[i];
    const bool is_tight = word == "," || word == ";";
    if (i > 0 && !is_tight) text += ' ';
    text += word;
  }
  if (line.comment.empty()) return text;
  if (line.is_comment_apart) text += "  ";
  text += line.comment;
  return text;
}

}  // namespace

std::string format_tariff(std::string_view text) {
  std::string result;
  std::size_t depth = 0;
  bool was_empty = true;  // none at the beginning
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Line line = split(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool is_empty = line.words.empty() && line.comment.empty();
    if (is_empty && was_empty) continue;
    was_empty = is_empty;
    std::size_t closing = 0;  // braces that close before anything else on the line
    while (closing < line.words.size() && line.words[closing] == "}") ++closing;
    const std::size_t indent = depth - std::min(depth, closing);
    if (!is_empty) result += join(line, indent);
    result += '\n';
    for (const std::string_view word : line.words) {
      if (word == "{") ++depth;
      if (word == "}" && depth > 0) --depth;
    }
  }
  while (result.ends_with("\n\n")) result.pop_back();
  return result;
}

}  // namespace tollgate::rating
