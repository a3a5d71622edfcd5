// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/tariff_versions.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/tariffs.hh"

namespace tollgate::control {
namespace {

constexpr std::string_view list_setting = "tariff_versions";      // [{"number","time","paths"}]
constexpr std::string_view in_force_setting = "tariff_in_force";  // number
constexpr std::string_view pinned_setting = "tariff_pinned";      // number, or empty
constexpr std::string_view waiting_setting = "tariff_waiting";    // {"at","paths","texts"}
constexpr std::size_t kept_versions = 8;

std::string texts_setting(u64 number) {
  return fmt::format("tariff_texts_{}", number);
}

Json to_json(const std::vector<rating::TariffText>& texts) {
  Json all = Json::array();
  for (const rating::TariffText& text : texts) {
    all.push_back(Json{{"name", text.name}, {"text", text.text}});
  }
  return all;
}

std::vector<rating::TariffText> from_json(const Json& json) {
  std::vector<rating::TariffText> texts;
  if (!json.is_array()) return texts;
  for (const Json& each : json) texts.push_back({each.value("name", ""), each.value("text", "")});
  return texts;
}

Json setting_json(Store& store, std::string_view name, Json otherwise) {
  const auto json = parse_json(store.setting(name));
  return json ? *json : otherwise;
}

u64 number_setting(Store& store, std::string_view name) {
  const Json number = setting_json(store, name, 0);
  return number.is_number_unsigned() ? number.get<u64>() : 0;
}

Refused refused(const rating::Compiled& compiled) {
  return Refused(refusal::bad_file, fmt::format("{} mistakes", compiled.diagnostics.size()),
                 Json{{"mistakes", describe_mistakes(compiled.diagnostics)}});
}

}  // namespace

void TariffVersions::remember(const std::vector<std::string>& paths,
                              const std::vector<rating::TariffText>& texts) {
  Store& store = context_.store;
  Json list = setting_json(store, list_setting, Json::array());
  const u64 last = list.empty() ? 0 : list.back().value("number", u64{0});
  const u64 number = last + 1;
  list.push_back(
      Json{{"number", number}, {"time", to_rfc3339(context_.clock.now())}, {"paths", paths}});
  if (list.size() > kept_versions) {
    store.set_setting(texts_setting(list.front().value("number", u64{0})), "");
    list.erase(list.begin());
  }
  store.set_setting(list_setting, to_line(list));
  store.set_setting(texts_setting(number), to_line(to_json(texts)));
  store.set_setting(in_force_setting, std::to_string(number));
  store.set_setting(pinned_setting, "");
}

Json TariffVersions::list() const {
  Json list = setting_json(context_.store, list_setting, Json::array());
  const u64 in_force = number_setting(context_.store, in_force_setting);
  for (Json& version : list) version["in_force"] = version.value("number", u64{0}) == in_force;
  Json told{{"versions", std::move(list)}, {"waiting", nullptr}};
  Json waiting = setting_json(context_.store, waiting_setting, Json());
  if (waiting.is_object()) {
    told["waiting"] = Json{{"at", waiting.value("at", "")}, {"paths", waiting["paths"]}};
  }
  return told;
}

std::vector<rating::TariffText> TariffVersions::texts_of(u64 number) const {
  if (number == 0) return {};
  return from_json(setting_json(context_.store, texts_setting(number), Json::array()));
}

void TariffVersions::put_in_force(const std::vector<rating::TariffText>& texts) {
  const rating::Compiled compiled = context_.tariffs.load_texts(texts, context_.appliance.tariff());
  if (!compiled.is_good()) throw refused(compiled);
}

void TariffVersions::roll_back() {
  const u64 in_force = number_setting(context_.store, in_force_setting);
  const u64 number = in_force == 0 ? 0 : in_force - 1;
  const std::vector<rating::TariffText> texts = texts_of(number);
  if (texts.empty()) {
    throw Refused(refusal::not_there, "there is no tariff before the one that is in force");
  }
  put_in_force(texts);
  Transaction transaction(context_.store.database());
  context_.store.set_setting(in_force_setting, std::to_string(number));
  context_.store.set_setting(pinned_setting, std::to_string(number));
  context_.store.note_change("tariff", 0, to_line(Json{{"rolled_back_to", number}}));
  transaction.commit();
}

void TariffVersions::schedule(const std::vector<std::string>& paths, Instant at) {
  std::vector<rating::Diagnostic> unreadable;
  const std::vector<rating::TariffText> texts = read_tariff(paths, unreadable);
  rating::Compiled compiled;
  compiled.diagnostics = std::move(unreadable);
  if (compiled.is_good()) compiled = compile_texts(texts, context_.tariffs.avp_names());
  if (!compiled.is_good()) throw refused(compiled);
  const Json waiting{{"at", to_rfc3339(at)}, {"paths", paths}, {"texts", to_json(texts)}};
  context_.store.set_setting(waiting_setting, to_line(waiting));
  context_.tariffs.set_activation(at);
}

void TariffVersions::unschedule() {
  context_.store.set_setting(waiting_setting, "");
  context_.tariffs.set_activation(Instant::never());
}

void TariffVersions::restore_activation() {
  const Json waiting = setting_json(context_.store, waiting_setting, Json());
  Instant at;
  if (!waiting.is_object() || !parse_rfc3339(waiting.value("at", ""), at)) return;
  context_.tariffs.set_activation(at);
}

void TariffVersions::step(Instant now) {
  if (now < context_.tariffs.activation()) return;
  const Json waiting = setting_json(context_.store, waiting_setting, Json());
  context_.tariffs.set_activation(Instant::never());
  if (!waiting.is_object()) return;
  const std::vector<rating::TariffText> texts = from_json(waiting["texts"]);
  try {
    put_in_force(texts);
  } catch (const Refused& refused) {
    spdlog::error("the tariff that was to come into force at {} is refused: {}",
                  waiting.value("at", ""), refused.what());
    unschedule();
    return;
  }
  Transaction transaction(context_.store.database());
  remember(waiting["paths"].get<std::vector<std::string>>(), texts);
  context_.store.set_setting(pinned_setting, context_.store.setting(in_force_setting));
  context_.store.note_change("tariff", 0, to_line(Json{{"activated", waiting["paths"]}}));
  context_.store.set_setting(waiting_setting, "");
  transaction.commit();
  spdlog::info("tariff: {} is in force now", to_line(waiting["paths"]));
}

std::vector<rating::TariffText> TariffVersions::pinned() const {
  return texts_of(number_setting(context_.store, pinned_setting));
}

}  // namespace tollgate::control
