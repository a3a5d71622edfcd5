// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Profiles out of files.

#include <algorithm>
#include <filesystem>

#include "app/profile.hh"
#include "app/toml_reader.hh"
#include "diameter/avp_ids.hh"
#include "diameter/dictionary.hh"

namespace tollgate::app {
namespace {

constexpr const char* section = "profile";

template <class Value>
struct Word {
  std::string_view text;
  Value value;
};
// clang 14 does not find it by itself.
template <class Value>
Word(const char*, Value) -> Word<Value>;

using FreeService = Profile::FreeService;
using FinalUnits = Profile::FinalUnits;
using diameter::DebitingFailureHandling;
using diameter::FailureHandling;
using diameter::SessionFailover;

constexpr std::array free_service_words = {Word{"grant", FreeService::grant},
                                           Word{"4011", FreeService::not_applicable}};
constexpr std::array final_unit_words = {
    Word{"all", FinalUnits::all}, Word{"sip_redirect", FinalUnits::sip_redirect},
    Word{"terminate", FinalUnits::terminate}, Word{"none", FinalUnits::none}};
constexpr std::array denial_words = {Word{"service", false}, Word{"answer", true}};
constexpr std::array octets_words = {Word{"total", false}, Word{"parts", true}};
constexpr std::array failover_words = {Word{"supported", SessionFailover::supported},
                                       Word{"not_supported", SessionFailover::not_supported}};
constexpr std::array failure_words = {
    Word{"terminate", FailureHandling::terminate}, Word{"continue", FailureHandling::go_on},
    Word{"retry_and_terminate", FailureHandling::retry_and_terminate}};
constexpr std::array debiting_words = {
    Word{"terminate_or_buffer", DebitingFailureHandling::terminate_or_buffer},
    Word{"continue", DebitingFailureHandling::go_on}};
constexpr std::array omitted_words = {
    Word{"Validity-Time", leave_out::validity_time},
    Word{"Quota-Threshold", leave_out::thresholds},
    Word{"Quota-Holding-Time", leave_out::quota_holding_time},
    Word{"CC-Session-Failover", leave_out::session_failover},
    Word{"Credit-Control-Failure-Handling", leave_out::failure_handling},
    Word{"Cost-Information", leave_out::cost_information},
    Word{"AoC-Information", leave_out::advice_of_charge},
    Word{"Low-Balance-Indication", leave_out::low_balance},
    Word{"Failed-AVP", leave_out::failed_avp}};

// "CHANGE_IN_RAT": a Trigger-Type by its name in TS 32.299.
std::optional<u32> trigger_type(std::string_view name) {
  constexpr diameter::AvpId type = diameter::avp::trigger_type;
  constexpr u32 types_end = 128;
  for (u32 value = 0; value < types_end && !name.empty(); ++value) {
    if (diameter::enum_name(type.code, type.vendor, value) == name) return value;
  }
  return {};
}

void read_triggers(TomlReader& reader, std::optional<std::vector<u32>>& triggers) {
  const toml::node* list = reader.find(section, "triggers");
  if (list == nullptr) return;
  triggers.emplace();
  reader.each_text(section, "triggers", [&](const std::string& text, const toml::node& node) {
    const std::optional<u32> type = trigger_type(text);
    if (!type) {
      reader.mistake(node, "[profile] triggers: '" + text +
                               "' is no Trigger-Type of TS 32.299, such as CHANGE_IN_RAT");
    } else if (triggers->size() == Profile::triggers_max) {
      reader.mistake(node, "[profile] triggers: expected at most eight");
    } else {
      triggers->push_back(*type);
    }
  });
}

template <class Words>
std::string list_of(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + std::string(word.text);
  return text;
}

template <class Words, class Value>
void read_word(TomlReader& reader, const char* key, const Words& words, Value& value) {
  const std::string expected = "one of " + list_of(words);
  reader.parsed(
      section, key, expected.c_str(),
      [&](std::string_view text, Value& read) {
        const auto found =
            std::ranges::find(words, text, [](const auto& word) { return word.text; });
        if (found == words.end()) return false;
        read = found->value;
        return true;
      },
      value);
}

void read_members(TomlReader& reader, Profile& profile) {
  profile.products = reader.texts(section, "products");
  profile.hosts = reader.texts(section, "hosts");
  read_word(reader, "free_service", free_service_words, profile.free_service);
  read_word(reader, "final_units", final_unit_words, profile.final_units);
  read_word(reader, "denial", denial_words, profile.denies_whole);
  read_word(reader, "octets", octets_words, profile.trusts_parts);
  read_word(reader, "session_failover", failover_words, profile.session_failover);
  read_word(reader, "failure_handling", failure_words, profile.failure_handling);
  read_word(reader, "debiting_failure_handling", debiting_words, profile.debiting_failure_handling);
  reader.flag(section, "re_auth", profile.takes_re_auth);
  reader.flag(section, "abort", profile.takes_abort);
  reader.flag(section, "remaining_balance", profile.tells_remaining);
  reader.flag(section, "tariff_time_change", profile.knows_tariff_change);
  reader.flag(section, "quota_pools", profile.knows_pools);
  constexpr i64 seconds_max = 31'536'000;
  reader.number(section, "validity_seconds", {0, seconds_max}, profile.validity_seconds);
  reader.number(section, "free_seconds", {0, seconds_max}, profile.free_seconds_least);
  reader.number(section, "free_octets", {0, i64{1} << 50}, profile.free_octets_least);
  reader.number(section, "consumption_seconds", {0, seconds_max}, profile.consumption_seconds);
  read_triggers(reader, profile.triggers);
  constexpr i64 no_group = -1;
  i64 group = no_group;
  reader.number(section, "default_rating_group", {0, UINT32_MAX}, group);
  if (group != no_group) profile.default_rating_group = static_cast<u32>(group);
  reader.each_text(section, "leave_out", [&](const std::string& text, const toml::node& node) {
    for (const auto& word : omitted_words) {
      if (word.text == text) return void(profile.omitted |= word.value);
    }
    reader.mistake(node,
                   "[profile] leave_out: '" + text + "' is not one of " + list_of(omitted_words));
  });
}

}  // namespace

namespace {

// `where`: the file's name, or what stands for it in messages.
template <class Parse>
std::string read(const std::string& where, Parse parse, Profile& profile) {
  toml::table root;
  try {
    root = parse();
  } catch (const toml::parse_error& error) {
    return to_text(where, {.line = error.source().begin.line,
                           .column = error.source().begin.column,
                           .text = std::string(error.description())}) +
           "\n";
  }
  profile = Profile{};
  profile.name = std::filesystem::path(where).stem().string();
  TomlReader reader(root, std::filesystem::path(where).parent_path().string());
  read_members(reader, profile);
  reader.note_unknown_keys();
  std::string wrong;
  for (const ConfigMistake& mistake : reader.take_mistakes())
    wrong += to_text(where, mistake) + "\n";
  return wrong;
}

}  // namespace

std::string read_profile(const std::string& file, Profile& profile) {
  return read(
      file, [&] { return toml::parse_file(file); }, profile);
}

std::string read_profile_text(const std::string& text, Profile& profile) {
  return read(
      "profile", [&] { return toml::parse(text); }, profile);
}

std::string read_profiles(const std::string& folder, ProfileTable& table) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
  }
  if (error) return folder + ": " + error.message() + "\n";
  std::ranges::sort(files);
  std::string wrong;
  for (const std::string& file : files) {
    Profile profile;
    const std::string why = read_profile(file, profile);
    wrong += why;
    if (why.empty()) table.add(std::move(profile));
  }
  return wrong;
}

}  // namespace tollgate::app
