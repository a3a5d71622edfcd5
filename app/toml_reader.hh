// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TomlReader: typed values out of a TOML table, and a note of everything that is not as it should
// be.
//
// Each value is asked for once, by section and key, with its default (or none: then it must be
// there). What was never asked for is a mistake as well: a misspelt key does not pass in silence.
#pragma once

#include <toml++/toml.h>

#include <set>
#include <string>
#include <vector>

#include "app/config.hh"

namespace tollgate::app {

class TomlReader {
 public:
  TomlReader(const toml::table& root, std::string folder)
      : root_(root), folder_(std::move(folder)) {}

  void text(const char* section, const char* key, std::string& value, bool must_be = false);
  // A path: relative ones are taken from the file's folder.
  void path(const char* section, const char* key, std::string& value, bool must_be = false);
  void flag(const char* section, const char* key, bool& value);
  struct Range {
    i64 least;
    i64 most;
  };
  template <class Integer>
  void number(const char* section, const char* key, const Range& range, Integer& value) {
    i64 read = static_cast<i64>(value);
    if (read_number(section, key, range, read)) value = static_cast<Integer>(read);
  }
  // A Duration given in `unit`s.
  void duration(const char* section, const char* key, const Range& range, Duration unit,
                Duration& value);
  std::vector<std::string> texts(const char* section, const char* key);
  // fn(text, node) for each text of a list, which may be absent.
  template <class Fn>
  void each_text(const char* section, const char* key, Fn fn) {
    const toml::array* list = find_list(section, key);
    if (list == nullptr) return;
    for (const toml::node& element : *list) {
      const auto* text = element.as_string();
      if (text != nullptr) {
        fn(text->get(), element);
      } else {
        mistake_in_list(section, key, element);
      }
    }
  }
  // A text that `parse` understands.
  template <class Value, class Parse>
  void parsed(const char* section, const char* key, const char* expected, Parse parse, Value& value,
              bool must_be = false) {
    std::string read;
    text(section, key, read, must_be);
    if (!read.empty() && !parse(std::string_view(read), value)) {
      mistake(section, key, "'" + read + "' is not " + expected);
    }
  }

  const toml::node* find(const char* section, const char* key);
  void mistake(const char* section, const char* key, std::string text);
  void mistake(const toml::node& node, std::string text);
  // Everything that nobody asked for.
  void note_unknown_keys();

  std::string absolute(const std::string& path) const;
  std::vector<ConfigMistake> take_mistakes() { return std::move(mistakes_); }

 private:
  const toml::array* find_list(const char* section, const char* key);
  void mistake_in_list(const char* section, const char* key, const toml::node& element);
  bool read_number(const char* section, const char* key, const Range& range, i64& value);
  void note_missing(const char* section, const char* key, const char* kind);

  const toml::table& root_;
  std::string folder_;
  std::set<std::string> known_;
  std::vector<ConfigMistake> mistakes_;
};

}  // namespace tollgate::app
