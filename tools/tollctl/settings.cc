// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/settings.hh"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <filesystem>

#include "base/unit_names.hh"

namespace tollgate::tollctl {
namespace {

std::string path_of(const toml::table& config, const std::filesystem::path& beside,
                    const char* table, const char* key) {
  const std::string text = config[table][key].value_or(std::string());
  if (text.empty()) return {};
  const std::filesystem::path path(text);
  return path.is_absolute() ? text : (beside / path).lexically_normal().string();
}

}  // namespace

std::string read_config(const std::string& path, Settings& settings) {
  toml::table config;
  try {
    config = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    return fmt::format("{}:{}:{}: {}", path, at.line, at.column, error.description());
  }
  // Mistakes among them are for `tollgate check` to tell.
  forget_unit_names();
  if (const toml::array* names = config["units"]["names"].as_array()) {
    for (const toml::node& name : *names) {
      static_cast<void>(name_unit(name.value_or(std::string())));
    }
  }
  const std::filesystem::path beside = std::filesystem::path(path).parent_path();
  const std::string state_folder = path_of(config, beside, "state", "folder");
  settings.socket_path = path_of(config, beside, "control", "socket");
  settings.journal_folder = path_of(config, beside, "journal", "folder");
  settings.cdr_folder = path_of(config, beside, "cdr", "folder");
  if (settings.cdr_folder.empty() && !state_folder.empty()) {
    settings.cdr_folder = state_folder + "/cdr";
  }
  if (settings.socket_path.empty() && !state_folder.empty()) {
    settings.socket_path = state_folder + "/control.sock";
  }
  if (!settings.socket_path.empty()) return {};
  return fmt::format(
      "{}: neither [control] socket nor [state] folder is set: expected one of them, "
      "to find the appliance's control socket",
      path);
}

}  // namespace tollgate::tollctl
