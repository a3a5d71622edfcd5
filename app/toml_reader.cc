// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/toml_reader.hh"

#include <fmt/format.h>

#include <filesystem>

namespace tollgate::app {

std::string to_text(const std::string& file, const ConfigMistake& mistake) {
  return fmt::format("{}:{}:{}: {}", file, mistake.line, mistake.column, mistake.text);
}

const toml::node* TomlReader::find(const char* section, const char* key) {
  known_.insert(section);
  known_.insert(fmt::format("{}.{}", section, key));
  const toml::table* table = root_[section].as_table();
  return table == nullptr ? nullptr : table->get(key);
}

void TomlReader::mistake(const toml::node& node, std::string text) {
  mistakes_.push_back({.line = node.source().begin.line,
                       .column = node.source().begin.column,
                       .text = std::move(text)});
}

void TomlReader::mistake(const char* section, const char* key, std::string text) {
  const toml::node* node = find(section, key);
  if (node != nullptr) {
    mistake(*node, fmt::format("[{}] {}: {}", section, key, text));
    return;
  }
  const toml::table* table = root_[section].as_table();
  ConfigMistake where{
      .line = 1, .column = 1, .text = fmt::format("[{}] {}: {}", section, key, text)};
  if (table != nullptr) {
    where.line = table->source().begin.line;
    where.column = table->source().begin.column;
  }
  mistakes_.push_back(std::move(where));
}

void TomlReader::note_missing(const char* section, const char* key, const char* kind) {
  mistake(section, key, fmt::format("is missing, expected {}", kind));
}

std::string TomlReader::absolute(const std::string& path) const {
  return (std::filesystem::path(folder_) / path).lexically_normal().string();
}

void TomlReader::text(const char* section, const char* key, std::string& value, bool must_be) {
  const toml::node* node = find(section, key);
  if (node == nullptr) {
    if (must_be) note_missing(section, key, "a text in quotes");
    return;
  }
  if (const auto* read = node->as_string()) {
    value = read->get();
    if (must_be && value.empty()) mistake(section, key, "is empty");
  } else {
    mistake(section, key, "expected a text in quotes");
  }
}

void TomlReader::path(const char* section, const char* key, std::string& value, bool must_be) {
  std::string read;
  text(section, key, read, must_be);
  if (!read.empty()) value = absolute(read);
}

void TomlReader::flag(const char* section, const char* key, bool& value) {
  const toml::node* node = find(section, key);
  if (node == nullptr) return;
  if (const auto* read = node->as_boolean()) {
    value = read->get();
  } else {
    mistake(section, key, "expected true or false");
  }
}

bool TomlReader::read_number(const char* section, const char* key, const Range& range, i64& value) {
  const toml::node* node = find(section, key);
  if (node == nullptr) return false;
  const auto* read = node->as_integer();
  if (read == nullptr) {
    mistake(section, key,
            fmt::format("expected a whole number from {} to {}", range.least, range.most));
    return false;
  }
  if (read->get() < range.least || read->get() > range.most) {
    mistake(
        section, key,
        fmt::format("{} is out of range, expected {} to {}", read->get(), range.least, range.most));
    return false;
  }
  value = read->get();
  return true;
}

void TomlReader::duration(const char* section, const char* key, const Range& range, Duration unit,
                          Duration& value) {
  i64 read = 0;
  if (read_number(section, key, range, read)) value = unit * read;
}

std::vector<std::string> TomlReader::texts(const char* section, const char* key) {
  std::vector<std::string> values;
  each_text(section, key,
            [&](const std::string& text, const toml::node&) { values.push_back(text); });
  return values;
}

const toml::array* TomlReader::find_list(const char* section, const char* key) {
  const toml::node* node = find(section, key);
  if (node == nullptr) return nullptr;
  const toml::array* list = node->as_array();
  if (list == nullptr) mistake(section, key, "expected a list of texts");
  return list;
}

void TomlReader::mistake_in_list(const char* section, const char* key, const toml::node& element) {
  mistake(element, fmt::format("[{}] {}: expected a text in quotes", section, key));
}

void TomlReader::note_unknown_keys() {
  for (const auto& [section, node] : root_) {
    const std::string name(section.str());
    const toml::table* table = node.as_table();
    if (!known_.contains(name)) {
      mistake(node, fmt::format("there is no section [{}]", name));
    } else if (table == nullptr) {
      mistake(node, fmt::format("expected a section [{}]", name));
    } else {
      for (const auto& [key, value] : *table) {
        if (known_.contains(fmt::format("{}.{}", name, key.str()))) continue;
        mistakes_.push_back({.line = key.source().begin.line,
                             .column = key.source().begin.column,
                             .text = fmt::format("[{}] has no key '{}'", name, key.str())});
      }
    }
  }
}

}  // namespace tollgate::app
