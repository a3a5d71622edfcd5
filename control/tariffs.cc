// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/tariffs.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace tollgate::control {
namespace {

// The specifications that define service contexts (TS 32.299 7.2.177 and its table of services).
constexpr std::array<std::string_view, 14> known_contexts = {
    "32251@3gpp.org", "32255@3gpp.org", "32260@3gpp.org", "32270@3gpp.org", "32271@3gpp.org",
    "32272@3gpp.org", "32273@3gpp.org", "32274@3gpp.org", "32275@3gpp.org", "32276@3gpp.org",
    "32277@3gpp.org", "32278@3gpp.org", "32280@3gpp.org", "32293@3gpp.org"};

bool read_file(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  text.assign(std::istreambuf_iterator<char>(file), {});
  return file.good() || file.eof();
}

// The files of a tariff by their kind.
struct Texts {
  std::vector<rating::TariffText> tariffs;
  std::vector<rating::TariffText> rules;
  std::vector<rating::TariffText> python;
  std::vector<rating::TariffText> numbers;

  void add(rating::TariffText text) {
    const std::string_view name = text.name;
    auto& kind = name.ends_with(".normalise") ? rules
                 : name.ends_with(".py")      ? python
                 : name.ends_with(".csv")     ? numbers
                                              : tariffs;
    kind.push_back(std::move(text));
  }
};

// Adds the image of the rules behind the tariff's, or their mistakes to its own.
void add_rules(const Texts& texts, const rating::AvpNames* names, rating::Compiled& compiled) {
  if (texts.rules.empty()) return;
  if (names == nullptr) {
    compiled.diagnostics.push_back(
        {texts.rules[0].name, 0, 0, "rules cannot be compiled without the names of AVPs", ""});
    return;
  }
  std::vector<rating::TariffText> others = texts.python;
  others.insert(others.end(), texts.numbers.begin(), texts.numbers.end());
  const rating::NormaliseCompiled rules = rating::compile_normalise({texts.rules, others, *names});
  compiled.diagnostics.insert(compiled.diagnostics.end(), rules.diagnostics.begin(),
                              rules.diagnostics.end());
  compiled.rule_count += rules.rule_count;
  compiled.example_count += rules.example_count;
  if (compiled.is_good()) compiled.image = rating::make_bundle(compiled.image, rules.image);
}

}  // namespace

std::vector<std::string> tariff_files(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {path};
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string extension = entry.path().extension();
    const bool belongs = extension == ".tariff" || extension == ".prefixes" ||
                         extension == ".normalise" || extension == ".py" || extension == ".csv";
    if (belongs) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<rating::TariffText> read_tariff(const std::vector<std::string>& paths,
                                            std::vector<rating::Diagnostic>& unreadable) {
  std::vector<rating::TariffText> texts;
  for (const std::string& path : paths) {
    const std::vector<std::string> files = tariff_files(path);
    if (files.empty()) {
      unreadable.push_back({path, 0, 0, "the folder has no file that ends in .tariff", ""});
    }
    for (const std::string& file : files) {
      rating::TariffText text{file, ""};
      if (std::filesystem::is_regular_file(file) && read_file(file, text.text)) {
        texts.push_back(std::move(text));
      } else {
        unreadable.push_back({file, 0, 0, "the file cannot be read", "is the path right?"});
      }
    }
  }
  return texts;
}

rating::Compiled compile_texts(const std::vector<rating::TariffText>& texts,
                               const rating::AvpNames* names) {
  Texts kinds;
  for (const rating::TariffText& text : texts) kinds.add(text);
  std::vector<rating::TariffText> sources = kinds.tariffs;  // and what their prices may name
  sources.insert(sources.end(), kinds.python.begin(), kinds.python.end());
  rating::Compiled compiled = rating::compile(sources);
  add_rules(kinds, names, compiled);
  return compiled;
}

rating::Compiled compile_paths(const std::vector<std::string>& paths,
                               const rating::AvpNames* names) {
  rating::Compiled refused;
  const std::vector<rating::TariffText> texts = read_tariff(paths, refused.diagnostics);
  return refused.diagnostics.empty() ? compile_texts(texts, names) : refused;
}

Json describe_mistakes(const std::vector<rating::Diagnostic>& diagnostics) {
  Json all = Json::array();
  for (const rating::Diagnostic& one : diagnostics) {
    all.push_back(Json{{"file", one.file},
                       {"line", one.line},
                       {"column", one.column},
                       {"message", one.message},
                       {"hint", one.hint},
                       {"text", rating::to_text(one)}});
  }
  return all;
}

bool initial_buckets(const rating::Image& image, const rating::Plan& plan, Instant now,
                     std::vector<ledger::NewBucket>& buckets) {
  for (const rating::InitialBucket& bucket : image.buckets(plan)) {
    const bool expires = bucket.lifetime > Duration{};
    const i64 end = now.whole_seconds() + bucket.lifetime.whole_seconds();
    buckets.push_back({.amount = bucket.amount,
                       .product = plan.id,
                       .unit = bucket.unit,
                       .priority = bucket.priority,
                       .expires_s = expires ? static_cast<ledger::Second>(end) : 0});
  }
  return buckets.size() <= ledger::initial_buckets_max;
}

void add_bonuses(const rating::Image& image, const rating::Plan& plan, Instant now,
                 ledger::Command& command) {
  const ledger::NewBucket& top_up = command.buckets[0];
  if (top_up.unit != plan.currency) return;
  for (const rating::InitialBucket& bonus : image.bonuses(plan, Money{top_up.amount.count})) {
    if (command.bucket_count == command.buckets.size()) return;  // the compiler has told of more
    const i64 end = now.whole_seconds() + bonus.lifetime.whole_seconds();
    command.buckets[command.bucket_count++] = {
        .amount = bonus.amount,
        .product = plan.id,
        .unit = bonus.unit,
        .priority = bonus.priority,
        .expires_s = bonus.lifetime.ns > 0 ? static_cast<ledger::Second>(end) : 0};
  }
}

std::string context_text(const rating::Image& image, u64 context) {
  for (const std::string_view known : known_contexts) {
    if (rating::context_key(known) == context) return std::string(known);
  }
  if (image.is_loaded()) {
    for (const rating::Service& service : image.services()) {
      if (service.plan != 0 && service.context == context) {
        return std::string(image.text(service.name));
      }
    }
  }
  return fmt::format("#{:016x}", context);
}

rating::Compiled Tariffs::load(const std::vector<std::string>& paths, VersionedBlob& blob) {
  rating::Compiled refused;
  const std::vector<rating::TariffText> texts = read_tariff(paths, refused.diagnostics);
  return refused.diagnostics.empty() ? load_texts(texts, blob) : refused;
}

rating::Compiled Tariffs::load_texts(const std::vector<rating::TariffText>& texts,
                                     VersionedBlob& blob) {
  rating::Compiled compiled = compile_texts(texts, names_);
  if (!compiled.is_good()) return compiled;
  const Bytes current = blob.read(blob.current_version());
  const bool is_same =
      std::equal(current.begin(), current.end(), compiled.image.begin(), compiled.image.end());
  if (!is_same && blob.publish(compiled.image) == 0) {
    compiled.diagnostics.push_back(
        {texts.front().name, 0, 0,
         fmt::format(
             "the compiled tariff has {} octets, the appliance's tariff memory has room for "
             "{}",
             compiled.image.size(), blob.slot_bytes()),
         "make the tariff memory larger in the configuration"});
    return compiled;
  }
  take(compiled.image);
  return compiled;
}

bool Tariffs::adopt(const VersionedBlob& blob) {
  const Bytes published = blob.read(blob.current_version());
  const Bytes rules = rating::normalise_part(published);
  if (published.empty()) return false;
  if (rating::validate(rating::tariff_part(published)) != rating::ImageFault::none) return false;
  if (!rules.empty() && !rating::validate_normalise(rules)) return false;
  take({published.begin(), published.end()});
  return true;
}

void Tariffs::take(std::vector<u8> bytes) {
  std::vector<u64> words(round_up(bytes.size(), 8) / 8);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  image_ = rating::Image(Bytes(reinterpret_cast<const u8*>(words.data()), bytes.size()));
  bytes_ = std::move(words);  // the octets stay where they are
}

const rating::Plan* Tariffs::find_plan(std::string_view name) const {
  return image_.is_loaded() ? image_.find_plan(rating::plan_id(name)) : nullptr;
}

std::string Tariffs::plan_name(u32 id) const {
  const rating::Plan* plan = image_.is_loaded() ? image_.find_plan(id) : nullptr;
  return plan != nullptr ? std::string(image_.text(plan->name)) : fmt::format("#{}", id);
}

std::string Tariffs::product_name(u32 id) const {
  const rating::Product* product = image_.is_loaded() ? image_.find_product(id) : nullptr;
  return product != nullptr ? std::string(image_.text(product->name)) : fmt::format("#{}", id);
}

// Records ask again and again: all names of a version are gone through once.
std::string Tariffs::zone_name(u32 id) const {
  if (!image_.is_loaded()) return {};
  if (zones_of_version_ != image_.version()) {
    zone_names_.clear();
    zones_of_version_ = image_.version();
    for (const rating::ZoneMap& map : image_.zone_maps()) {
      for (u32 zone = 1; zone <= map.zone_count; ++zone) {
        const std::string_view name = image_.zone_name(map, zone);
        zone_names_.emplace(rating::zone_id(rating::text_key(name)), name);
      }
    }
  }
  const auto known = zone_names_.find(id);
  return known != zone_names_.end() ? known->second : std::string();
}

Json Tariffs::describe() const {
  Json plans = Json::array();
  if (!image_.is_loaded()) return Json{{"version", nullptr}, {"plans", std::move(plans)}};
  for (const rating::Plan& plan : image_.plans()) {
    Json services = Json::array();
    for (const rating::Service& service : image_.services()) {
      if (service.plan != plan.id) continue;
      services.push_back(Json{{"name", image_.text(service.name)},
                              {"context", context_text(image_, service.context)}});
    }
    Json buckets = Json::array();
    for (const rating::InitialBucket& bucket : image_.buckets(plan)) {
      Json one{{"amount", to_text(bucket.amount, bucket.unit)}, {"priority", bucket.priority}};
      if (bucket.lifetime > Duration{}) one["lifetime_s"] = bucket.lifetime.whole_seconds();
      buckets.push_back(std::move(one));
    }
    plans.push_back(Json{{"name", image_.text(plan.name)},
                         {"currency", unit_name(plan.currency)},
                         {"services", std::move(services)},
                         {"initial", std::move(buckets)}});
  }
  return Json{{"version", fmt::format("{:016x}", image_.version())},
              {"rules", image_.rules().size()},
              {"plans", std::move(plans)}};
}

}  // namespace tollgate::control
