// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/tariff_verbs.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/tariff_versions.hh"
#include "control/views.hh"

namespace tollgate::control {
namespace {

constexpr std::string_view loaded_setting = "tariff_loaded";          // paths, as JSON
constexpr std::string_view configured_setting = "tariff_configured";  // at that time

std::vector<std::string> paths_in(const std::string& text) {
  const auto json = parse_json(text);
  std::vector<std::string> paths;
  if (!json || !json->is_array()) return paths;
  for (const Json& path : *json) {
    if (path.is_string()) paths.push_back(path.get<std::string>());
  }
  return paths;
}

// A moment in the future: until then the present tariff stays in force.
void schedule(Context& context, const std::vector<std::string>& paths, const std::string& moment,
              const Reply& reply) {
  Instant at;
  if (!parse_rfc3339(moment, at)) {
    throw Refused(refusal::bad_request,
                  "argument 'at': expected a moment, like 2026-12-24T18:00:00+01:00");
  }
  TariffVersions versions(context);
  versions.schedule(paths, at);
  reply.ok(versions.list());
}

void load(Context& context, const Json& args, const Reply& reply) {
  const std::vector<std::string> paths = {Arguments(args).text("path")};
  const std::string moment = Arguments(args).text_or("at", "");
  if (!moment.empty()) return schedule(context, paths, moment, reply);
  std::vector<rating::Diagnostic> unreadable;
  const std::vector<rating::TariffText> texts = read_tariff(paths, unreadable);
  rating::Compiled compiled;
  compiled.diagnostics = std::move(unreadable);
  if (compiled.is_good()) compiled = context.tariffs.load_texts(texts, context.appliance.tariff());
  if (!compiled.is_good()) {
    reply.refuse(
        refusal::bad_file,
        fmt::format("{} mistakes, the tariff before stays in force", compiled.diagnostics.size()),
        Json{{"mistakes", describe_mistakes(compiled.diagnostics)}});
    return;
  }
  Transaction transaction(context.store.database());
  context.store.set_setting(loaded_setting, to_line(Json(paths)));
  context.store.set_setting(configured_setting, to_line(Json(context.options.tariff_paths)));
  context.store.note_change("tariff", 0, to_line(Json{{"paths", paths}}));
  TariffVersions(context).remember(paths, texts);
  transaction.commit();
  Json told = context.tariffs.describe();
  told["examples"] = compiled.example_count;
  reply.ok(std::move(told));
}

}  // namespace

void add_tariff_verbs(Verbs& verbs, Context& context) {
  verbs["tariff.load"] = [&context](const Json& args, const Reply& reply) {
    load(context, args, reply);
  };
  verbs["tariff.list"] = [&context](const Json&, const Reply& reply) {
    reply.ok(context.tariffs.describe());
  };
  verbs["tariff.versions"] = [&context](const Json&, const Reply& reply) {
    reply.ok(TariffVersions(context).list());
  };
  verbs["tariff.rollback"] = [&context](const Json&, const Reply& reply) {
    TariffVersions versions(context);
    versions.roll_back();
    reply.ok(versions.list());
  };
  verbs["tariff.cancel"] = [&context](const Json&, const Reply& reply) {
    TariffVersions versions(context);
    versions.unschedule();
    reply.ok(versions.list());
  };
  verbs["tariff.price"] = [&context](const Json& args, const Reply& reply) {
    if (!context.tariffs.image().is_loaded()) {
      throw Refused(refusal::not_there, "no tariff is loaded");
    }
    reply.ok(price_event(context.tariffs.image(), args));
  };
}

std::string load_first_tariff(Context& context) {
  TariffVersions versions(context);
  versions.restore_activation();
  const std::vector<rating::TariffText> pinned = versions.pinned();
  if (!pinned.empty() && context.tariffs.load_texts(pinned, context.appliance.tariff()).is_good()) {
    spdlog::info("tariff: the version that was put into force last, without its files");
    return {};
  }
  std::vector<std::string> paths = context.options.tariff_paths;
  const std::string configured = to_line(Json(paths));
  if (context.store.setting(configured_setting) == configured) {
    paths = paths_in(context.store.setting(loaded_setting));
  }
  if (paths.empty()) {
    spdlog::warn("no tariff is configured: nothing can be charged until tollctl tariff load");
    return {};
  }
  const rating::Compiled compiled = context.tariffs.load(paths, context.appliance.tariff());
  if (compiled.is_good()) {
    spdlog::info("tariff: {} plans, {} rules, {} examples verified", compiled.plan_count,
                 compiled.rule_count, compiled.example_count);
    return {};
  }
  std::string mistakes;
  for (const rating::Diagnostic& one : compiled.diagnostics) {
    mistakes += rating::to_text(one) + "\n";
  }
  if (!context.tariffs.adopt(context.appliance.tariff())) return mistakes;
  spdlog::error(
      "the tariff files have mistakes; the tariff that was published before stays in "
      "force:\n{}",
      mistakes);
  return {};
}

}  // namespace tollgate::control
