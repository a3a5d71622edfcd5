// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/normalise_compile.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "rating/normalise.hh"
#include "rating/normalise_lower.hh"
#include "rating/normalise_parser.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t file_size_max = 64_MiB;

class ExampleAvps : public AvpSource {
 public:
  explicit ExampleAvps(const NormaliseExampleText& example) : example_(example) {}
  bool find(std::span<const AvpStep> path, Bytes& data) const override {
    for (const NormaliseExampleText::Avp& avp : example_.avps) {
      if (!std::ranges::equal(avp.path, path)) continue;
      data = as_bytes(avp.octets);
      return true;
    }
    return false;
  }

 private:
  const NormaliseExampleText& example_;
};

u64 number_in(const ChargeEvent& event, Attribute attribute) {
  switch (attribute) {
    case Attribute::service:
      return event.service_context;
    case Attribute::rating_group:
      return event.rating_group;
    case Attribute::identifier:
      return event.service_identifier;
    case Attribute::direction:
      return static_cast<u64>(event.direction);
    case Attribute::location:
      return static_cast<u64>(event.location);
    case Attribute::zone:
      return event.zone;
    default:
      return 0;
  }
}

std::string_view digits_in(const ChargeEvent& event, Attribute attribute) {
  if (attribute == Attribute::network) return event.network.view();
  if (attribute == Attribute::calling) return event.calling.view();
  return attribute == Attribute::called ? event.called.view() : std::string_view{};
}

void verify(const NormaliseExampleText& example, Normaliser& normaliser, Report& report) {
  const auto tell = [&](Place at, std::string message) {
    report.add(at, fmt::format("example \"{}\" {}", example.name, message));
  };
  if (!example.has_context) return tell(example.at, "names no service");
  const bool expects_any =
      example.is_refused || example.is_unchanged || example.rule || !example.expected.empty();
  if (!expects_any) return tell(example.at, "expects nothing");
  const ExampleAvps avps(example);
  normaliser.look(avps, example.context, Instant::from_seconds(0));
  ChargeEvent event;
  const NormaliseOutcome outcome =
      normaliser.apply({.rating_group = example.rating_group.value_or(0),
                        .service_identifier = example.identifier.value_or(0),
                        .has_rating_group = example.rating_group.has_value(),
                        .has_service_identifier = example.identifier.has_value()},
                       event);
  const bool is_refused = outcome != NormaliseOutcome::ok && outcome != NormaliseOutcome::unchanged;
  if (is_refused != example.is_refused) {
    return tell(example.at, is_refused ? fmt::format("is refused: {}", to_text(outcome))
                                       : std::string("expects refused, but a rule fits"));
  }
  if (example.is_unchanged && outcome != NormaliseOutcome::unchanged) {
    tell(example.at,
         fmt::format("expects unchanged, but the rule \"{}\" fits", normaliser.rule_name()));
  }
  if (example.rule && *example.rule != normaliser.rule_name()) {
    tell(example.at, fmt::format("expects the rule \"{}\", but it is \"{}\"", *example.rule,
                                 normaliser.rule_name()));
  }
  for (const NormaliseExampleText::Expected& one : example.expected) {
    const std::string_view digits = digits_in(event, one.attribute);
    if (number_in(event, one.attribute) == one.number && digits == one.text) continue;
    tell(one.at,
         digits.empty() && one.text.empty()
             ? fmt::format("expects another value, found {}", number_in(event, one.attribute))
             : fmt::format("expects \"{}\", but it is \"{}\"", one.text, digits));
  }
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

void verify_all(std::span<const NormaliseExampleText> examples, Bytes image, Report& report) {
  if (examples.empty()) return;
  const std::unique_ptr<void, Free> memory(std::aligned_alloc(64, round_up(image.size(), 64)));
  std::memcpy(memory.get(), image.data(), image.size());
  Normaliser normaliser;
  if (!normaliser.use({static_cast<const u8*>(memory.get()), image.size()},
                      Program::Mapping::data)) {
    report.add(examples[0].at, "Hyperscan does not take its own database");
    return;
  }
  for (const NormaliseExampleText& example : examples) verify(example, normaliser, report);
}

}  // namespace

NormaliseCompiled compile_normalise(const NormaliseInputs& inputs) {
  NormaliseCompiled result;
  if (inputs.rules.empty()) return result;
  Report report(inputs.rules);
  NormaliseSyntax syntax;
  for (u32 file = 0; file < inputs.rules.size(); ++file) {
    if (inputs.rules[file].text.size() > file_size_max) {
      report.add({file, 0, 0}, "is larger than 64 MiB");
      continue;
    }
    const std::vector<Token> tokens = lex(inputs.rules[file].text, file, report);
    NormaliseParser(tokens, inputs.names, syntax, report).parse_file();
  }
  NormaliseLowerer lowerer(syntax, inputs, report);
  std::vector<u8> image = lowerer.lower();
  if (report.is_empty()) verify_all(syntax.examples, image, report);
  if (!report.is_empty()) {
    result.diagnostics = report.take();
    return result;
  }
  result.image = std::move(image);
  result.rule_count = lowerer.rule_count();
  result.pattern_count = lowerer.pattern_count();
  result.example_count = static_cast<u32>(syntax.examples.size());
  return result;
}

}  // namespace tollgate::rating
